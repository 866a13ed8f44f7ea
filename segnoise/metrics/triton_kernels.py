"""The Triton kernel that counts; see triton_counts.py for what calls it."""

import triton
import triton.language as tl


@triton.jit
def count(
    z_ptr, y_ptr, out_ptr, classes, pixels, ignored, above, zn, zk, zp,
    BINARY: tl.constexpr, VOID: tl.constexpr, BINS: tl.constexpr, STEPS: tl.constexpr,
    BLOCK_K: tl.constexpr, BLOCK_P: tl.constexpr,
):  # fmt: skip
    """Add (label, greatest score) of STEPS * BLOCK_P pixels to a matrix of classes * classes + 1.

    Its last cell takes the void. BINS is a power of two above its size, or 0 to count in place.
    """
    programs = tl.cdiv(pixels, STEPS * BLOCK_P)
    row = (tl.program_id(0) // programs).to(tl.int64)
    start = (tl.program_id(0) % programs).to(tl.int64) * (STEPS * BLOCK_P)
    cells = classes * classes
    counts = tl.zeros((BINS if BINS else 16,), tl.int32)
    for step in range(STEPS):
        columns = start + step * BLOCK_P + tl.arange(0, BLOCK_P)
        inside = columns < pixels
        if BINARY:
            z = tl.load(z_ptr + row * zn + columns * zp, mask=inside, other=0.0)
            guess = (z.to(tl.float32) > above).to(tl.int32)
        else:
            best = tl.full((BLOCK_P,), float("-inf"), tl.float32)
            guess = tl.zeros((BLOCK_P,), tl.int32)
            for first in range(0, classes, BLOCK_K):
                k = first + tl.arange(0, BLOCK_K)
                there = (k < classes)[:, None] & inside[None, :]
                at = z_ptr + row * zn + (columns * zp)[None, :] + k[:, None].to(tl.int64) * zk
                z = tl.load(at, mask=there, other=float("-inf")).to(tl.float32)
                z = tl.where(z != z, float("inf"), z)  # as torch.argmax: NaN is the greatest
                greatest = tl.max(z, 0)
                guess = tl.where(greatest > best, first + tl.argmax(z, 0), guess)
                best = tl.maximum(greatest, best)
        y = tl.load(y_ptr + row * pixels + columns, mask=inside, other=0).to(tl.int32)
        valid = inside & (y >= 0) & (y < classes)
        if VOID:
            valid = valid & (y != ignored)
        cell = tl.where(valid, y * classes + guess, cells)
        if BINS:
            counts += tl.histogram(cell, BINS)
        else:
            tl.atomic_add(out_ptr + cell, tl.full((BLOCK_P,), 1, tl.int64), mask=valid)
    if BINS:
        bins = tl.arange(0, BINS)
        here = (bins < cells) & (counts > 0)
        tl.atomic_add(out_ptr + bins, counts.to(tl.int64), mask=here)
