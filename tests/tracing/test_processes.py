import random
import signal
import subprocess
import sys
import time

import pytest

from routeviz.routelog import load_log

TRACE = """
import sys
import torch
from routeviz.datasets import open_dataset
from routeviz.errors import LogError
from routeviz.network import NetworkConfig, RoutingNetwork
from routeviz.tracing import trace

torch.manual_seed(0)
torch.set_num_threads(1)
net = RoutingNetwork(NetworkConfig(layers=4, width=4, num_classes=7, stem_width=4))
scenes = open_dataset("scenes", length=26, size=(64, 64))
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
def undisturbed(program, tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed") / "log"
    subprocess.run([sys.executable, program, folder], check=True)
    assert load_log(folder).images["id"].tolist() == [f"val-{i:05d}" for i in range(26)]
    return contents(folder)


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def shards(folder):
    return len(list((folder / "rows").glob("*.parquet"))) if folder.exists() else 0


@pytest.mark.slow
def test_killed_at_any_moment_it_goes_on_to_the_same_bytes(program, undisturbed, tmp_path):
    moments = random.Random(0)
    for at in (1, 5):
        process = subprocess.Popen([sys.executable, program, tmp_path / "log"])
        while shards(tmp_path / "log") < at and process.poll() is None:
            time.sleep(0.001)
        time.sleep(moments.random() * 0.02)
        process.send_signal(signal.SIGKILL)
        process.wait()
    subprocess.run([sys.executable, program, tmp_path / "log"], check=True)
    assert contents(tmp_path / "log") == undisturbed


@pytest.mark.slow
def test_two_ranks_fail_together_and_write_the_log_that_one_process_writes(program, undisturbed, tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    command = [*launch, program, tmp_path, tmp_path / "log"]
    result = subprocess.run(command, check=True, capture_output=True, text=True)
    assert result.stdout.count("holds thesis.txt but no route log") == 2
    assert contents(tmp_path / "log") == undisturbed
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log", "thesis.txt"]
