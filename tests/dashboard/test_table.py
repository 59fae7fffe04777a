import numpy as np
import pytest

import routeviz as rv
from routeviz.dashboard.table import Facts
from routeviz.errors import LogError


@pytest.fixture
def stored(shelf_folder):
    return rv.load_log(shelf_folder / "logs" / "scenes")


def test_facts_are_used_like_the_frame_that_they_are_of(stored):
    names = [name for name in stored.columns if not name.startswith("objects_")]
    facts, frame = Facts(stored, names), stored.facts(*names)
    assert list(facts) == list(frame) == names
    assert len(facts) == len(frame)
    assert ("miou" in facts, "objects_count" in facts, "nothing" in facts) == (True, False, False)
    assert (facts.index == frame.index).all()
    for name in names:
        assert facts[name].equals(frame[name])
        assert facts.get(name).equals(frame[name])
    assert facts.get("nothing", 3) == 3
    assert facts[["width", "id"]].equals(frame[["width", "id"]])
    mask = np.arange(len(frame)) % 2 == 0
    assert facts[mask].equals(frame[mask])
    assert facts.iloc[[1]].equals(frame.iloc[[1]])
    with pytest.raises(KeyError, match="nothing"):
        facts["nothing"]


def test_what_every_view_asks_for_is_read_at_once_and_the_rest_when_it_is_asked_for(stored, monkeypatch):
    read, facts_of = [], rv.RouteLog.facts
    monkeypatch.setattr(rv.RouteLog, "facts", lambda log, *names: read.append(names) or facts_of(log, *names))
    facts = Facts(stored, stored.columns)
    facts["id"], facts[["macs_conv", "miou"]], len(facts), facts.index
    assert [set(names) & {"id", "macs_conv", "width"} for names in read] == [{"id", "macs_conv"}]
    facts["width"], facts["height"], facts.iloc[0]
    assert len(read) == 2
    assert set(read[0]).isdisjoint(read[1])
    assert {*read[0], *read[1]} == set(stored.columns)


def test_a_column_that_is_damaged_is_told_when_it_is_read(stored, monkeypatch):
    facts = Facts(stored, stored.columns)

    def fail(log, *names):
        raise LogError("part-00000.parquet cannot be read")

    monkeypatch.setattr(rv.RouteLog, "facts", fail)
    assert facts["id"].notna().all()
    with pytest.raises(LogError, match="cannot be read"):
        facts["width"]
