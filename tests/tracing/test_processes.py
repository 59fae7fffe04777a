import os
import random
import subprocess
import sys
import time

import pytest

from routeviz.errors import LogError
from routeviz.routelog import load_log

from ..processes import together

TRACE = """
import os
import sys
import torch
from routeviz.datasets import open_dataset
from routeviz.errors import LogError
from routeviz.network import NetworkConfig, RoutingNetwork
from routeviz.routelog import LogWriter
from routeviz.tracing import trace

torch.manual_seed(0)
torch.set_num_threads(1)
net = RoutingNetwork(NetworkConfig(layers=4, width=4, num_classes=7, stem_width=4))
scenes = open_dataset("scenes", length=26, size=(64, 64))
if os.environ.get("RANK_DIES") == os.environ.get("RANK", "none"):
    write = LogWriter.write
    def dying(self, number, *rows):
        write(self, number, *rows)
        if number > 3:
            os._exit(7)
    LogWriter.write = dying
for folder in sys.argv[1:]:
    try:
        trace(net, scenes, out=folder, shard_size=3, batch_size=2)
    except LogError as error:
        print(error, flush=True)
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    path = tmp_path_factory.mktemp("program") / "trace.py"
    path.write_text(TRACE)
    return path


@pytest.fixture(scope="module")
def undisturbed(program, launch, tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed") / "log"
    assert launch(program, folder).ended() == 0
    assert load_log(folder).images["id"].tolist() == [f"val-{i:05d}" for i in range(26)]
    return contents(folder)


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def shards(folder):
    return len(list((folder / "rows").glob("*.parquet"))) if folder.exists() else 0


@pytest.mark.slow
def test_killed_at_any_moment_it_goes_on_to_the_same_bytes(program, launch, undisturbed, tmp_path):
    moments = random.Random(0)
    for at in (1, 5):
        started = launch(program, tmp_path / "log")
        while shards(tmp_path / "log") < at and started.process.is_alive():
            time.sleep(0.001)
        time.sleep(moments.random() * 0.02)
        started.kill()
    assert launch(program, tmp_path / "log").ended() == 0
    assert contents(tmp_path / "log") == undisturbed


@pytest.mark.slow
@pytest.mark.parametrize("ranks", [2, 4])
def test_ranks_fail_together_and_write_the_log_that_one_process_writes(program, launch, undisturbed, tmp_path, ranks):
    (tmp_path / "thesis.txt").write_text("mine")
    for rank in together(launch, ranks, program, tmp_path, tmp_path / "log"):
        assert rank.ended() == 0, rank.output
        assert rank.output.count("holds thesis.txt but no route log") == 1
    # The same bytes: the same images in the same order, the same facts, the same gates.
    assert contents(tmp_path / "log") == undisturbed
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log", "thesis.txt"]


@pytest.mark.slow
def test_a_rank_that_dies_fails_the_job_which_then_goes_on_to_the_same_bytes(program, launch, undisturbed, tmp_path):
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    how = {"check": False, "capture_output": True, "text": True, "env": os.environ | {"RANK_DIES": "1"}}
    result = subprocess.run([*torchrun, program, tmp_path / "log"], **how)
    assert result.returncode != 0
    assert "exitcode  : 7" in result.stderr
    assert "rank      : 1" in result.stderr
    with pytest.raises(LogError, match=r"is unfinished: \d of 9 shards are there; run the same trace again to go on"):
        load_log(tmp_path / "log")
    # With another number of processes, too.
    assert launch(program, tmp_path / "log").ended() == 0
    assert contents(tmp_path / "log") == undisturbed
