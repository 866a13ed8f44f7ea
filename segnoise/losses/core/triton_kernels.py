"""The Triton kernels of the core; see triton_core.py for what calls them.

Sums are described by CODE (0 log, 1 focal, 2 power, 3 entropy, 4 none), Q (gamma or q), FLOOR and
CUT (where f is cut off, -1 for nowhere) and RISE. zn, zk, zp and on, ok, op are the strides of the
logits and of their gradient over rows, classes and pixels; offsets are 64 bits wide.
"""

import triton
import triton.language as tl


@triton.jit
def _one_minus_exp(x):
    """1 - e^x for x <= 0, with all its digits where x is next to 0."""
    series = -x * (1 + x / 2 * (1 + x / 3 * (1 + x / 4 * (1 + x / 5 * (1 + x / 6)))))
    return tl.where(x > -0.3, series, 1 - tl.exp(x))


@triton.jit
def _value(
    l,
    CODE: tl.constexpr,
    Q: tl.constexpr,
    FLOOR: tl.constexpr,
    CUT: tl.constexpr,
    RISE: tl.constexpr,
):
    """What a sum adds up, of log-probabilities."""
    if CODE == 0:
        f = l
    elif CODE == 1:
        q = tl.maximum(_one_minus_exp(l), 1.2e-38)
        f = tl.exp(Q * tl.log(q)) * l
    elif CODE == 2:
        f = (tl.exp(Q * l) - (0.0 if RISE else 1.0)) / Q
    else:
        f = tl.exp(l) * l
    if CUT >= 0:
        f = tl.maximum(f - FLOOR, 0.0)
    return f


@triton.jit
def _slope(l, p, CODE: tl.constexpr, Q: tl.constexpr, CUT: tl.constexpr):
    """Derivative of what a sum adds up, in the log-probabilities."""
    if CODE == 0:
        s = p * 0 + 1
    elif CODE == 1:
        q = tl.maximum(_one_minus_exp(l), 1.2e-38)
        s = tl.exp(Q * tl.log(q)) * (1 - Q * p * l / q)
    elif CODE == 2:
        s = tl.exp(Q * l)
    else:
        s = p * (l + 1)
    if CUT >= 0:
        s = tl.where(p > CUT, s, 0.0)
    return s


@triton.jit
def forward(
    z_ptr, y_ptr, log_p_ptr, first_ptr, second_ptr, lse_ptr, size, classes, pixels, zn, zk, zp,
    CODE0: tl.constexpr, Q0: tl.constexpr, FLOOR0: tl.constexpr, CUT0: tl.constexpr, RISE0: tl.constexpr,
    CODE1: tl.constexpr, Q1: tl.constexpr, FLOOR1: tl.constexpr, CUT1: tl.constexpr, RISE1: tl.constexpr,
    BLOCK_K: tl.constexpr, BLOCK_P: tl.constexpr,
):  # fmt: skip
    """Log p_y and up to two sums of every pixel, with what the backward pass needs."""
    blocks = tl.cdiv(pixels, BLOCK_P)
    row = (tl.program_id(0) // blocks).to(tl.int64)
    columns = (tl.program_id(0) % blocks).to(tl.int64) * BLOCK_P + tl.arange(0, BLOCK_P)
    inside = columns < pixels
    start = z_ptr + row * zn + columns * zp
    greatest = tl.full((BLOCK_P,), float("-inf"), tl.float32)
    total = tl.zeros((BLOCK_P,), tl.float32)
    for first in range(0, classes, BLOCK_K):
        k = first + tl.arange(0, BLOCK_K)
        there = (k < classes)[:, None] & inside[None, :]
        z = tl.load(start[None, :] + k[:, None].to(tl.int64) * zk, mask=there, other=0.0)
        z = tl.where((k < classes)[:, None], z.to(tl.float32), float("-inf"))
        higher = tl.maximum(greatest, tl.max(z, 0))
        total = total * tl.exp(greatest - higher) + tl.sum(tl.exp(z - higher[None, :]), 0)
        greatest = higher
    rest = tl.log(total)
    place = row * pixels + columns
    y = tl.load(y_ptr + place, mask=inside, other=0).to(tl.int64)
    y = tl.minimum(tl.maximum(y, 0), classes - 1)
    z_y = tl.load(start + y * zk, mask=inside, other=0.0).to(tl.float32)
    tl.store(log_p_ptr + place, (z_y - greatest) - rest, mask=inside)
    tl.store(lse_ptr + place, greatest, mask=inside)
    tl.store(lse_ptr + size + place, rest, mask=inside)
    if CODE0 != 4:
        sum0 = tl.zeros((BLOCK_P,), tl.float32)
        sum1 = tl.zeros((BLOCK_P,), tl.float32)
        for first in range(0, classes, BLOCK_K):
            k = first + tl.arange(0, BLOCK_K)
            there = (k < classes)[:, None] & inside[None, :]
            z = tl.load(start[None, :] + k[:, None].to(tl.int64) * zk, mask=there, other=0.0)
            l = (z.to(tl.float32) - greatest[None, :]) - rest[None, :]
            sum0 += tl.sum(tl.where(there, _value(l, CODE0, Q0, FLOOR0, CUT0, RISE0), 0.0), 0)
            if CODE1 != 4:
                sum1 += tl.sum(tl.where(there, _value(l, CODE1, Q1, FLOOR1, CUT1, RISE1), 0.0), 0)
        tl.store(first_ptr + place, sum0, mask=inside)
        if CODE1 != 4:
            tl.store(second_ptr + place, sum1, mask=inside)


@triton.jit
def backward(
    z_ptr, y_ptr, lse_ptr, g_ptr, g0_ptr, g1_ptr, out_ptr, size, classes, pixels, zn, zk, zp, on, ok, op,
    HAS: tl.constexpr, HAS0: tl.constexpr, HAS1: tl.constexpr,
    CODE0: tl.constexpr, Q0: tl.constexpr, FLOOR0: tl.constexpr, CUT0: tl.constexpr, RISE0: tl.constexpr,
    CODE1: tl.constexpr, Q1: tl.constexpr, FLOOR1: tl.constexpr, CUT1: tl.constexpr, RISE1: tl.constexpr,
    BLOCK_K: tl.constexpr, BLOCK_P: tl.constexpr,
):  # fmt: skip
    """The gradient in the logits, written once."""
    blocks = tl.cdiv(pixels, BLOCK_P)
    row = (tl.program_id(0) // blocks).to(tl.int64)
    columns = (tl.program_id(0) % blocks).to(tl.int64) * BLOCK_P + tl.arange(0, BLOCK_P)
    inside = columns < pixels
    place = row * pixels + columns
    start = z_ptr + row * zn + columns * zp
    greatest = tl.load(lse_ptr + place, mask=inside, other=0.0)
    rest = tl.load(lse_ptr + size + place, mask=inside, other=0.0)
    y = tl.load(y_ptr + place, mask=inside, other=0).to(tl.int64)
    y = tl.minimum(tl.maximum(y, 0), classes - 1)
    g = tl.zeros((BLOCK_P,), tl.float32)
    g0 = tl.zeros((BLOCK_P,), tl.float32)
    g1 = tl.zeros((BLOCK_P,), tl.float32)
    if HAS:
        g = tl.load(g_ptr + place, mask=inside, other=0.0)
    if HAS0:
        g0 = tl.load(g0_ptr + place, mask=inside, other=0.0)
    if HAS1:
        g1 = tl.load(g1_ptr + place, mask=inside, other=0.0)
    total = g
    # A plain sum of log p has the slope 1 in every class; others are added up first.
    if HAS0 or HAS1:
        for first in range(0, classes, BLOCK_K):
            k = first + tl.arange(0, BLOCK_K)
            there = (k < classes)[:, None] & inside[None, :]
            z = tl.load(start[None, :] + k[:, None].to(tl.int64) * zk, mask=there, other=0.0)
            l = (z.to(tl.float32) - greatest[None, :]) - rest[None, :]
            p = tl.exp(l)
            if HAS0:
                w = tl.where(there, _slope(l, p, CODE0, Q0, CUT0), 0.0)
                total += g0 * tl.sum(w, 0)
            if HAS1:
                w = tl.where(there, _slope(l, p, CODE1, Q1, CUT1), 0.0)
                total += g1 * tl.sum(w, 0)
    for first in range(0, classes, BLOCK_K):
        k = first + tl.arange(0, BLOCK_K)
        there = (k < classes)[:, None] & inside[None, :]
        z = tl.load(start[None, :] + k[:, None].to(tl.int64) * zk, mask=there, other=0.0)
        l = (z.to(tl.float32) - greatest[None, :]) - rest[None, :]
        p = tl.exp(l)
        slope = tl.where(k[:, None] == y[None, :], g[None, :], 0.0) - p * total[None, :]
        if HAS0:
            slope += g0[None, :] * _slope(l, p, CODE0, Q0, CUT0)
        if HAS1:
            slope += g1[None, :] * _slope(l, p, CODE1, Q1, CUT1)
        out = out_ptr + row * on + (columns * op)[None, :] + k[:, None].to(tl.int64) * ok
        tl.store(out, slope.to(out_ptr.dtype.element_ty), mask=there)


@triton.jit
def _log_sigmoid(z):
    """Log sigmoid(z); log1p of small numbers by its series."""
    e = tl.exp(-tl.abs(z))
    series = e * (1 - e * (1 / 2 - e * (1 / 3 - e / 4)))
    return tl.minimum(z, 0.0) - tl.where(e < 0.01, series, tl.log(1 + e))


@triton.jit
def forward_binary(
    z_ptr, y_ptr, log_p_ptr, first_ptr, second_ptr, lse_ptr, size, classes, pixels, zn, zk, zp,
    CODE0: tl.constexpr, Q0: tl.constexpr, FLOOR0: tl.constexpr, CUT0: tl.constexpr, RISE0: tl.constexpr,
    CODE1: tl.constexpr, Q1: tl.constexpr, FLOOR1: tl.constexpr, CUT1: tl.constexpr, RISE1: tl.constexpr,
    BLOCK_K: tl.constexpr, BLOCK_P: tl.constexpr,
):  # fmt: skip
    """As ``forward``, of one score for two classes."""
    blocks = tl.cdiv(pixels, BLOCK_P)
    row = (tl.program_id(0) // blocks).to(tl.int64)
    columns = (tl.program_id(0) % blocks).to(tl.int64) * BLOCK_P + tl.arange(0, BLOCK_P)
    inside = columns < pixels
    place = row * pixels + columns
    z = tl.load(z_ptr + row * zn + columns * zp, mask=inside, other=0.0).to(tl.float32)
    y = tl.load(y_ptr + place, mask=inside, other=0)
    positive, negative = _log_sigmoid(z), _log_sigmoid(-z)
    tl.store(log_p_ptr + place, tl.where(y > 0, positive, negative), mask=inside)
    if CODE0 != 4:
        s = _value(positive, CODE0, Q0, FLOOR0, CUT0, RISE0)
        s += _value(negative, CODE0, Q0, FLOOR0, CUT0, RISE0)
        tl.store(first_ptr + place, s, mask=inside)
    if CODE1 != 4:
        s = _value(positive, CODE1, Q1, FLOOR1, CUT1, RISE1)
        s += _value(negative, CODE1, Q1, FLOOR1, CUT1, RISE1)
        tl.store(second_ptr + place, s, mask=inside)


@triton.jit
def backward_binary(
    z_ptr, y_ptr, lse_ptr, g_ptr, g0_ptr, g1_ptr, out_ptr, size, classes, pixels, zn, zk, zp, on, ok, op,
    HAS: tl.constexpr, HAS0: tl.constexpr, HAS1: tl.constexpr,
    CODE0: tl.constexpr, Q0: tl.constexpr, FLOOR0: tl.constexpr, CUT0: tl.constexpr, RISE0: tl.constexpr,
    CODE1: tl.constexpr, Q1: tl.constexpr, FLOOR1: tl.constexpr, CUT1: tl.constexpr, RISE1: tl.constexpr,
    BLOCK_K: tl.constexpr, BLOCK_P: tl.constexpr,
):  # fmt: skip
    """As ``backward``, of one score for two classes."""
    blocks = tl.cdiv(pixels, BLOCK_P)
    row = (tl.program_id(0) // blocks).to(tl.int64)
    columns = (tl.program_id(0) % blocks).to(tl.int64) * BLOCK_P + tl.arange(0, BLOCK_P)
    inside = columns < pixels
    place = row * pixels + columns
    z = tl.load(z_ptr + row * zn + columns * zp, mask=inside, other=0.0).to(tl.float32)
    y = tl.load(y_ptr + place, mask=inside, other=0)
    positive, negative = _log_sigmoid(z), _log_sigmoid(-z)
    p, q = tl.exp(positive), tl.exp(negative)
    slope = tl.zeros((BLOCK_P,), tl.float32)
    if HAS:
        slope += tl.load(g_ptr + place, mask=inside, other=0.0) * tl.where(y > 0, q, -p)
    if HAS0:
        g = tl.load(g0_ptr + place, mask=inside, other=0.0)
        slope += g * _slope(positive, p, CODE0, Q0, CUT0) * q
        slope -= g * _slope(negative, q, CODE0, Q0, CUT0) * p
    if HAS1:
        g = tl.load(g1_ptr + place, mask=inside, other=0.0)
        slope += g * _slope(positive, p, CODE1, Q1, CUT1) * q
        slope -= g * _slope(negative, q, CODE1, Q1, CUT1) * p
    out = out_ptr + row * on + columns * op
    tl.store(out, slope.to(out_ptr.dtype.element_ty), mask=inside)
