"""Find the dose at which a config's noise realises a target on its training set.

So that kinds of noise can be compared at equal damage: a width of 3 wrecks poles and leaves roads
alone, a rate of 0.3 hurts neither.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from segnoise.engine import cli

EXAMPLES = """
examples:
  tools/calibrate.py CONFIG --target 0.15                            # the config's own noise
  tools/calibrate.py CONFIG --noise "Elastic(amplitude=4, length=30)" --target 0.6 --measure miou
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the command line and calibrate."""
    parser = cli.parser(__doc__ or "", epilog=EXAMPLES)
    cli.add_config(parser)
    cli.add_parts(parser, "noise")
    cli.add_dose(parser, target=0.15)
    parser.add_argument(
        "--sample",
        type=cli.integer(1, 10**9),
        default=64,
        help="masks to look at (default: 64)",
    )
    arguments = parser.parse_args(argv)
    return cli.run_tool(lambda: calibrate(arguments), go_on=cli.AGAIN)


def calibrate(arguments: Any) -> None:
    """Calibrate, and print what to write into the config."""
    # Imported late, so that --help answers at once.
    from segnoise import noise as noises
    from segnoise.datasets.labels.noisy_labels import built_model
    from segnoise.engine import data
    from segnoise.engine.config import load_config
    from segnoise.errors import ConfigError

    config = load_config(arguments.config, cli.changes(arguments), arguments.allow_imports)
    dataset = data.build_dataset(config, "train_data")
    given = config["noise"]
    if not given:
        raise ConfigError("the config has no noise: name one with --noise")
    kind = given.get("type") if isinstance(given, dict) else given
    name = (kind if isinstance(kind, str) else getattr(kind, "__name__", "")).rsplit(".", 1)[-1]
    if name in ("NoisyCopy", "RaterMasks"):
        raise ConfigError(
            f"the config's noise is of files ({name}), which has no dose: name a model with --noise"
        )
    noise = built_model(given, dataset.metainfo)
    try:
        found = noises.calibrate(
            noise,
            dataset,
            arguments.target,
            arguments.measure,
            config["noise_seed"],
            sample=arguments.sample,
        )
    except (TypeError, ValueError) as error:
        raise ConfigError(str(error)) from error
    print(found)
    print(f"\nnoise = {found.noise.to_dict()!r}")
    if not found.hit:
        print(
            f"warning: missed: {found.measure} {found.reached:.4f} is what comes nearest to "
            f"{found.target:g} on these {found.num_masks} masks: more of them (--sample) may help",
            file=sys.stderr,
        )


if __name__ == "__main__":
    raise SystemExit(main())
