"""``python -m segnoise`` is the ``segnoise`` command."""

from segnoise.cli import main

raise SystemExit(main())
