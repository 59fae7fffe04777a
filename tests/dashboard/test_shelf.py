import json

import pytest

from routeviz.dashboard.shelf import DEPTH, find, with_routes
from routeviz.gated import SkipNet, save_weights


@pytest.fixture
def tree(tmp_path):
    """runs/a with checkpoints and states to go on from, a whole log, an unfinished one, and things to pass over."""
    top = tmp_path / "runs"
    files = {
        "a/config.json": "{}",
        "a/metrics.jsonl": "",
        "a/state.pt": "",
        "a/state-branch.pt": "",
        "a/checkpoints/step-000500.safetensors": "",
        "a/checkpoints/old.pth": "",
        "logs/whole/log.json": json.dumps({"shards": []}),
        "logs/whole/rows/part-00000.parquet": "",
        "logs/unfinished/log.json": json.dumps({"images": 3}),
        "logs/broken/log.json": "{",
        ".hidden/x.pth": "",
        "__pycache__/x.pth": "",
        "/".join(["deep"] * (DEPTH + 1)) + "/x.pth": "",
    }
    for name, text in files.items():
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_text(text)
    return top


def names(items):
    return [(item.kind, item.name) for item in items]


def test_logs_checkpoints_and_runs_are_found_and_named_from_the_folder_given(tree):
    assert names(find([tree])) == [
        ("log", "runs/logs/broken"),
        ("log", "runs/logs/whole"),
        ("checkpoint", "runs/a/checkpoints/old.pth"),
        ("checkpoint", "runs/a/checkpoints/step-000500.safetensors"),
        ("run", "runs/a"),
    ]


def test_weights_of_a_recorded_network_are_offered_to_whoever_asks_for_them_alone(tree):
    (tree / "mine").mkdir()
    save_weights(SkipNet(), tree / "mine" / "weights.safetensors")
    items = find([tree])
    name = "runs/mine/weights.safetensors"
    assert [item.kind for item in items if item.name == name] == ["weights"]
    assert f"{name} (checkpoint)" not in with_routes(items)
    assert list(with_routes(items, f"{name} (checkpoint)"))[-1] == f"{name} (checkpoint)"
    assert names(find([tree / "mine" / "weights.safetensors"])) == [("checkpoint", "weights.safetensors")]


def test_a_log_a_run_or_a_checkpoint_may_be_given_itself(tree):
    given = [tree / "logs" / "whole", tree / "a" / "checkpoints" / "old.pth"]
    assert names(find(given)) == [("log", "whole"), ("checkpoint", "old.pth")]


def test_what_is_given_twice_is_listed_once(tree):
    assert names(find([tree, tree])) == names(find([tree]))


def test_names_stay_unique(tree, tmp_path):
    other = tmp_path / "elsewhere" / "runs" / "logs" / "whole"
    other.mkdir(parents=True)
    (other / "log.json").write_text(json.dumps({"shards": []}))
    found = [name for kind, name in names(find([tree, other.parents[1]])) if kind == "log"]
    assert found == ["runs/logs/broken", "runs/logs/whole", "runs/logs/whole (2)"]


def test_a_link_out_of_the_folder_leads_nowhere(tree, tmp_path):
    secret = tmp_path / "secret.pth"
    secret.write_text("")
    (tree / "link.pth").symlink_to(secret)
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "more.pth").write_text("")
    (tree / "linked").symlink_to(outside)
    assert not [name for _, name in names(find([tree])) if "link" in name]


@pytest.mark.parametrize(
    ("file", "gone"),
    [
        ("logs/whole/log.json", "runs/logs/whole"),
        ("logs/whole/rows/part-00000.parquet", "runs/logs/whole"),
        ("logs/whole/rows", "runs/logs/whole"),
        ("a/metrics.jsonl", "runs/a"),
        ("a/config.json", "runs/a"),
        ("a/checkpoints/step-000500.safetensors", "runs/a"),
    ],
)
def test_what_has_a_file_that_is_a_link_out_of_the_folder_is_not_there(tree, tmp_path, file, gone):
    before = {name for _, name in names(find([tree]))}
    (tree / file).rename(tmp_path / "secret")
    (tree / file).symlink_to(tmp_path / "secret")
    assert gone in before - {name for _, name in names(find([tree]))}
    # A link within the folder is one's own affair.
    (tree / file).unlink()
    (tmp_path / "secret").rename(tree / "moved")
    (tree / file).symlink_to(tree / "moved")
    assert gone in {name for _, name in names(find([tree]))}


def test_a_file_written_anew_has_another_stamp(tree):
    path = tree / "a" / "checkpoints" / "old.pth"
    before = next(item.stamp for item in find([tree]) if item.path == path)
    path.write_text("more")
    assert next(item.stamp for item in find([tree]) if item.path == path) != before


def test_a_front_is_one_thing_and_its_points_are_its_own(tree):
    front = tree / "front"
    (front / "points" / "as-trained").mkdir(parents=True)
    (front / "points" / "as-trained" / "log.json").write_text(json.dumps({"shards": []}))
    (front / "front.json").write_text("{}")
    added = set(names(find([tree]))) - {("log", "runs/logs/broken"), ("log", "runs/logs/whole")}
    assert {entry for entry in added if "front" in entry[1]} == {("front", "runs/front")}
    (item,) = [item for item in find([tree]) if item.kind == "front"]
    before = item.stamp
    (front / "front.json").write_text("{ }")
    assert item.stamp != before
