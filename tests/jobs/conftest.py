import sys

import pytest

from routeviz.jobs import find_job, launch, list_jobs, new_folder, start, stop

WORK = """
import os, signal, sys, time
from routeviz.progress import Bar

def wait():
    while True:
        time.sleep(0.05)

def progress():
    with Bar(total=40, desc="outer", unit="step", mininterval=0) as bar:
        bar.update(30)
        with Bar(total=4, desc="inner", unit="image", mininterval=0, leave=False) as inner:
            inner.update(1)
            time.sleep(float(sys.argv[2]))
        bar.update(10)

def fail():
    print("a warning\\n\\nrouteviz: error: the file is damaged; copy it again\\n", file=sys.stderr)
    sys.exit(2)

def vanish():
    os.kill(os.getpid(), signal.SIGKILL)

def stubborn():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if os.fork() == 0:
        open(sys.argv[2], "w").write(str(os.getpid()))
    wait()

def finish():
    print("done", sys.argv[2:])

globals()[sys.argv[1]]()
"""


@pytest.fixture
def home(tmp_path, monkeypatch, ended):
    """A folder for jobs, whose program is the small one above; what still runs at the end is stopped."""
    work = tmp_path / "work.py"
    work.write_text(WORK)
    monkeypatch.setattr(launch, "PROGRAM", (sys.executable, str(work)))
    monkeypatch.setattr(launch, "GRACE_S", 1)
    folder = tmp_path / "jobs"
    yield folder
    running = [job for job in list_jobs(folder) if job.running]
    for job in running:
        stop(job)
    for job in running:
        ended(job)


@pytest.fixture
def begin(home):
    """Start a job with the small program."""

    def run(*command, **options):
        folder = new_folder(home, command[0])
        return start(folder, [str(part) for part in command], title="A job", kind="test", **options)

    return run


@pytest.fixture(scope="session")
def ended(until):
    """The job when it has ended."""
    return lambda job: until(lambda: (now := find_job(job.folder.parent, job.id)).running is False and now)
