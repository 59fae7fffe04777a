"""Run a command line in this process, as `conftest.start` wants it: its arguments and its stderr are given."""

import os
import sys

from routeviz.cli.main import cli

file = os.open(stderr, os.O_WRONLY | os.O_CREAT)  # noqa: F821
os.dup2(file, 2)
os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
sys.stdout, sys.stderr = open(1, "w", closefd=False), open(2, "w", closefd=False)  # noqa: SIM115
cli.main(arguments)  # noqa: F821
