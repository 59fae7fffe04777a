"""``python -m routeviz`` is the command ``routeviz``."""

from routeviz.cli.main import cli

cli(prog_name="routeviz")
