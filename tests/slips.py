"""Deliberate slips, each of which must fail a test: `python tests/slips.py [WORD ...]`.

For whoever removes or merges tests. Each slip is made in a copy of the tree, and the tests named
with it, quick ones, must fail; without any slip all of them must pass. With words only the slips
whose file contains one of them.
"""

from __future__ import annotations

import importlib
import os
import shutil
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
SKIPPED = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info", "work_dirs", "build", "dist")

# File, right text (which occurs once), slip, and the tests that must fail.
SLIPS = [
    # Losses: formulas
    (
        "segnoise/losses/core/terms.py",
        "pow_(self.gamma).mul_(log_p)",
        "pow_(self.gamma + 1).mul_(log_p)",
        "tests/losses/test_against_naive.py",
    ),
    (
        "segnoise/losses/core/terms.py",
        "mul_(-self.gamma)",
        "mul_(self.gamma)",
        "tests/losses/test_terms.py",
    ),
    (
        "segnoise/losses/core/terms.py",
        "return (torch.exp(self.q * log_p) - 1) / self.q",
        "return torch.exp(self.q * log_p) - 1",
        "tests/losses/test_terms.py",
    ),
    (
        "segnoise/losses/bounded.py",
        "return self.scale * super().pixel_loss(statistics)",
        "return super().pixel_loss(statistics)",
        "tests/losses/test_against_naive.py",
    ),
    (
        "segnoise/losses/bounded.py",
        "return -math.log(self.min_prob) *",
        "return math.log(self.min_prob) *",
        "tests/losses/test_identities.py",
    ),
    (
        "segnoise/losses/normalized_negative.py",
        "return 1 - super()",
        "return super()",
        "tests/losses/test_against_naive.py",
    ),
    (
        "segnoise/losses/composition.py",
        "self.alpha * first + self.beta *",
        "self.alpha * first + self.alpha *",
        "tests/losses/test_against_naive.py",
    ),
    (
        "segnoise/losses/asymmetric.py",
        "/ statistics.num_classes",
        "/ 5",
        "tests/losses/test_identities.py",
    ),
    (
        "segnoise/losses/changed_predictions.py",
        "self.beta * self.growth ** self.epoch.to(sparse.dtype)",
        "self.beta * self.growth",
        "tests/losses/test_logit_maps.py",
    ),
    (
        "segnoise/losses/missing_labels.py",
        "(self.lam - p) * p.square()",
        "(self.lam - p) * p",
        "tests/losses/test_against_naive.py",
    ),
    (
        "segnoise/losses/missing_labels.py",
        "(torch.sigmoid(z) - self.clip)",
        "torch.sigmoid(z)",
        "tests/losses/test_against_naive.py",
    ),
    (
        "segnoise/losses/correction.py",
        "F.softplus(statistics.log_p)",
        "F.softplus(-statistics.log_p)",
        "tests/losses/test_against_naive.py",
    ),
    (
        "segnoise/losses/early_learning.py",
        "return (1 - self.momentum) * p",
        "return self.momentum * p",
        "tests/losses/test_against_naive.py",
    ),
    (
        "segnoise/losses/regularizers.py",
        "log_mean - self._log_prior(mean)",
        "log_mean + self._log_prior(mean)",
        "tests/losses/test_entropy.py",
    ),
    (
        "segnoise/losses/weighting.py",
        "some.rsqrt()",
        "some.sqrt()",
        "tests/losses/test_weighting.py",
    ),
    (
        "segnoise/losses/t_loss.py",
        "pixels * (target.num_classes - 1)",
        "pixels * target.num_classes",
        "tests/losses/test_against_naive.py",
    ),
    # Losses: void, weights, reduction, dtype, gradient
    (
        "segnoise/losses/base.py",
        "else valid.sum().clamp_min(1)",
        "else loss.numel()",
        "tests/losses/test_contract.py",
    ),
    (
        "segnoise/losses/base.py",
        "        loss = torch.where(valid, loss, 0)\n    if reduction",
        "        loss = loss * 1\n    if reduction",
        "tests/losses/test_contract.py",
    ),
    (
        "segnoise/losses/base.py",
        "        weights = torch.where(valid, weights, 0)\n    weight =",
        "        weights = weights * 1\n    weight =",
        "tests/losses/test_against_naive.py",
    ),
    (
        "segnoise/losses/base.py",
        "torch.where(weight > 0, weight, 1)",
        "weight",
        "tests/losses/test_contract.py",
    ),
    (
        "segnoise/losses/dice.py",
        "loss = torch.where(present, loss, 0)",
        "loss = loss * 1",
        "tests/losses/test_dice.py",
    ),
    (
        "segnoise/losses/dice.py",
        "torch.where(present, weights, 0)",
        "weights",
        "tests/losses/test_against_naive.py",
    ),
    (
        "segnoise/losses/core/blocking.py",
        "return torch.float64 if logits.dtype == torch.float64 else torch.float32",
        "return logits.dtype",
        "tests/losses/test_numerics.py",
    ),
    (
        "segnoise/losses/core/logit_maps.py",
        "(gradient - unit * along) * factor",
        "gradient * factor",
        "tests/losses/test_logit_maps.py",
    ),
    # Metrics
    (
        "segnoise/metrics/functional.py",
        "truth * num_classes + guess",
        "guess * num_classes + truth",
        "tests/metrics/test_functional.py",
    ),
    (
        "segnoise/metrics/functional.py",
        "hit / (truth + guess - hit)",
        "hit / (truth + guess)",
        "tests/metrics/test_functional.py",
    ),
    (
        "segnoise/metrics/functional.py",
        "iou_per_class(matrix).nanmean()",
        "iou_per_class(matrix).nan_to_num(0).mean()",
        "tests/metrics/test_functional.py",
    ),
    # Noise and what was realised of it
    (
        "segnoise/noise/seeding.py",
        'tag + len(content).to_bytes(8, "little") + content',
        "tag + content",
        "tests/noise/test_seeding.py",
    ),
    (
        "segnoise/noise/samples.py",
        'generator(seed, "noise", sample_id)',
        'generator(seed, "noise")',
        "tests/datasets/labels/test_noisy_labels.py",
    ),
    (
        "segnoise/noise/samples.py",
        "place + (place >= self._left_out)",
        "place",
        "tests/noise/test_samples.py",
    ),
    (
        "segnoise/noise/models/flips.py",
        "rate / (num_classes if include_self else num_classes - 1)",
        "rate / num_classes",
        "tests/noise/models/test_flips.py",
    ),
    (
        "segnoise/noise/geometry/squares.py",
        "rng.random() < width - whole",
        "rng.random() > width - whole",
        "tests/noise/geometry/test_squares.py",
    ),
    (
        "segnoise/noise/models/boundary.py",
        "            lost &= own != self.ignore_index\n",
        "",
        "tests/noise/models/test_boundary.py",
    ),
    (
        "segnoise/noise/models/distance.py",
        "if rng.random() < 0.5 else",
        "if rng.random() < 0.9 else",
        "tests/noise/models/test_distance.py",
    ),
    (
        "segnoise/noise/models/combine.py",
        "rng.random() >= self.rate",
        "rng.random() < self.rate",
        "tests/noise/models/test_combine.py",
    ),
    (
        "segnoise/noise/report/noise_report.py",
        "self.class_pixels - self.confusion.diagonal()",
        "self.confusion.sum(axis=1) - self.confusion.diagonal()",
        "tests/noise/report/test_noise_report.py",
    ),
    (
        "segnoise/noise/report/noise_report.py",
        "self.confusion.sum(axis=0) - hits",
        "self.confusion.sum(axis=0)",
        "tests/noise/report/test_noise_report.py",
    ),
    # Data sets
    (
        "segnoise/datasets/files/masks.py",
        "(stored + np.uint8(1)).max() > self.num_classes",
        "(stored + np.uint8(1)).max() > self.num_classes + 1",
        "tests/datasets/files/test_masks.py",
    ),
    (
        "segnoise/datasets/stream.py",
        'generator(self.seed, "order", epoch)',
        'generator(self.seed, "order")',
        "tests/datasets/test_stream.py",
    ),
    (
        "segnoise/datasets/labels/noisy_copy.py",
        'if (found := digest(path)) != record[f"{kind}_sha256"]:',
        "if not (found := digest(path)):",
        "tests/datasets/labels/test_noisy_copy.py",
    ),
    (
        "segnoise/engine/data.py",
        "sampler=range(rank, len(dataset), world_size)",
        "sampler=range(0, len(dataset), world_size)",
        "tests/engine/test_train.py::test_each_validation_sample_goes_to_one_process",
    ),
    # Files, folders, the lock
    (
        "segnoise/files.py",
        "temporary.chmod(0o666 & ~umask)",
        "temporary.chmod(0o600)",
        "tests/test_files.py",
    ),
    (
        "segnoise/output_folder.py",
        "if (held := self.held()) and self._finished:",
        "if held := self.held():",
        "tests/test_output_folder.py",
    ),
    (
        "segnoise/output_folder.py",
        "            if os.path.lexists(self._real / name):\n                raise",
        "            if False:\n                raise",
        "tests/test_output_folder.py",
    ),
    (
        "segnoise/lock.py",
        "fcntl.LOCK_EX | fcntl.LOCK_NB",
        "fcntl.LOCK_SH | fcntl.LOCK_NB",
        "tests/test_output_folder.py",
    ),
    # Configs, trainings, methods, prediction
    (
        "segnoise/engine/keys.py",
        '    "seed": Key(0, integer=(0, MAX_SEED)),',
        '    "seed": Key(0, integer=(-1, MAX_SEED)),',
        "tests/test_checks.py",
    ),
    (
        "segnoise/engine/resume.py",
        'if meta["global_batch"] != global_batch:',
        "if not global_batch:",
        "tests/engine/test_resume.py::test_another_number_of_processes_is_named",
    ),
    (
        "segnoise/engine/runner.py",
        'self.optim_wrapper.load_state_dict(checkpoint["optimizer"])',
        "pass",
        "tests/engine/test_train.py::"
        "test_a_resumed_run_equals_an_uninterrupted_one_to_the_last_digit",
    ),
    (
        "segnoise/engine/hooks/checkpoints.py",
        "score <= self.best",
        "score < self.best",
        "tests/engine/test_checkpoints_hook.py",
    ),
    (
        "segnoise/methods/teacher.py",
        "return min(momentum, 1",
        "return max(momentum, 1",
        "tests/methods/test_teacher.py",
    ),
    (
        "segnoise/methods/small_loss.py",
        "return 1 - noise_rate * grown",
        "return noise_rate * grown",
        "tests/methods/test_small_loss.py",
    ),
    (
        "segnoise/models/inference.py",
        "                logits = logits.flip(-1)\n",
        "                pass\n",
        "tests/models/test_inference.py",
    ),
]  # fmt: skip


def outcome(tree: Path, tests: list[str]) -> int:
    """The exit status of pytest in a tree, in a process that has the libraries loaded already."""
    process = os.fork()
    if not process:
        import pytest

        os.chdir(tree)
        sys.path.insert(0, str(tree))
        os.environ["PYTHONPATH"] = str(tree)
        sys.stdout = sys.stderr = open(tree / "output.txt", "w")  # noqa: SIM115
        os._exit(pytest.main(["-x", "-q", "-p", "no:cacheprovider", *tests]))
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def main(words: list[str]) -> None:
    """Make each slip in turn, and end with an error if one of them passes."""
    os.environ |= {"OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    sys.dont_write_bytecode = True  # a file that changes twice in a second has stale bytecode
    for library in ("pytest", "albumentations", "mmengine", "segmentation_models_pytorch"):
        importlib.import_module(library)
    chosen = [slip for slip in SLIPS if not words or any(word in slip[0] for word in words)]
    passed = []
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(shutil.copytree(ROOT, Path(folder) / "tree", ignore=SKIPPED))
        if outcome(tree, sorted({tests for *_, tests in chosen})) != 0:
            sys.exit(f"tests fail without any slip:\n{(tree / 'output.txt').read_text()}")
        for file, right, slip, tests in chosen:
            path = tree / file
            text = path.read_text(encoding="utf-8")
            if text.count(right) != 1:
                sys.exit(f"{file}: {right!r} occurs {text.count(right)} times, not once")
            path.write_text(text.replace(right, slip), encoding="utf-8")
            caught = outcome(tree, [tests]) == 1  # not the 2 of an import that fails
            path.write_text(text, encoding="utf-8")
            print("caught" if caught else "PASSED", file, repr(slip), flush=True)
            if not caught:
                passed.append(f"{file}: {slip!r} is not caught by {tests}")
    if passed:
        sys.exit("\n".join(passed))
    print(f"all {len(chosen)} slips are caught")


if __name__ == "__main__":
    main(sys.argv[1:])
