"""Run a script in this process, as `processes.launcher` wants it, which gives what is not defined here."""

import multiprocessing
import os
import runpy
import sys

file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND)  # noqa: F821
os.dup2(file, 1)
os.dup2(file, 2)
sys.stdout, sys.stderr = open(1, "w", closefd=False), open(2, "w", closefd=False)  # noqa: SIM115
os.environ.update(environment)  # noqa: F821
os.chdir(cwd)  # noqa: F821
multiprocessing.set_start_method("fork", force=True)  # as in a process that was not forked
sys.argv = [script, *arguments]  # noqa: F821
runpy.run_path(script, run_name="__main__")  # noqa: F821
