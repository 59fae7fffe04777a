"""What `routeviz stats` says of a log of experts."""

import json
import re

import numpy as np
import pandas as pd
import pytest

from routeviz.routelog import RouteLog, label_columns
from routeviz.space import chain_space, experts_space
from routeviz.stats import expert_balance, expert_specialisation


@pytest.fixture
def log():
    rng = np.random.default_rng(0)
    first, second = rng.integers(3, size=90), rng.integers(3, size=90)
    gates = np.concatenate([np.eye(3)[first], np.eye(3)[second]], axis=1).astype(np.float32)
    facts = {
        "id": [f"token {at}" for at in range(90)],
        "image": np.repeat([f"image {at}" for at in range(30)], 3),
        "digit": np.repeat(rng.integers(3, size=30), 3),
        "part": first.astype(str),
        "loss": rng.random(90),
    }
    return RouteLog(gates, pd.DataFrame(facts), experts_space(2, 3), {"dataset": {"name": "digits", "split": "val"}})


def test_experts_are_described_by_layer_and_rows_are_tokens(routeviz, log, tmp_path):
    log.save(tmp_path / "log")
    assert label_columns(log) == ("digit", "part")
    result = routeviz("stats", tmp_path / "log", "--by", "part")
    assert result.exit_code == 0, result.stderr
    assert "90 tokens of digits val" in result.stdout
    assert "share of the tokens that take this one route" in " ".join(result.stdout.split())
    assert "image-blind" not in result.stdout  # nothing here sends zeros
    text = result.stdout[result.stdout.index("How evenly experts are used") :].splitlines()
    lines = [line.split() for line in text if re.match(r"layer \d", line)][:2]
    rows = {" ".join(line[:2]): line[2:] for line in lines}
    balance = expert_balance(log).set_index("cell")
    told = expert_specialisation(log, by="part").set_index("cell")
    for cell in ("layer 0", "layer 1"):
        assert float(rows[cell][4]) == pytest.approx(balance.variation[cell], abs=1e-3)
        assert float(rows[cell][7]) == pytest.approx(told.bits[cell], rel=1e-2)
    assert told.bits["layer 0"] == pytest.approx(told.entropy["layer 0"])


def test_json_has_the_tables(routeviz, log, tmp_path):
    log.save(tmp_path / "log")
    data = json.loads(routeviz("stats", tmp_path / "log", "--json").stdout)["experts"]
    assert data["by"] == "digit"
    assert [row["variation"] for row in data["balance"]] == pytest.approx(expert_balance(log).variation.tolist())
    assert len(data["coactivation"]) == 9


def test_classes_are_asked_for_in_vain_where_there_are_no_experts(routeviz, tmp_path):
    RouteLog(np.ones((2, 3), np.float32), pd.DataFrame({"id": ["a", "b"]}), chain_space(3)).save(tmp_path / "log")
    result = routeviz("stats", tmp_path / "log", "--by", "digit")
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert "experts" not in routeviz("stats", tmp_path / "log", "--json").stdout
