import errno
import json
import multiprocessing
import os
from contextlib import suppress
from pathlib import Path

import pytest
import torch

from routeviz.errors import InputError, RoutevizError, WriteError
from routeviz.training import TrainConfig, read_config, read_metrics
from routeviz.training.runs import RunFolder


def prepared(path, config, *, resume=False, branch=None):
    run = RunFolder(path)
    with run.locked():
        run.prepare(config, {}, resume=resume, branch=branch)
    return run


def test_settings_are_read_back(tmp_path, config):
    prepared(tmp_path / "run", config)
    assert read_config(tmp_path / "run") == config


def begun(path, config):
    run = prepared(path, config)
    run.append("step", {"step": 1})
    return run


def test_run_that_has_begun_is_not_overwritten(tmp_path, config):
    begun(tmp_path, config)
    with pytest.raises(InputError, match="--resume"):
        prepared(tmp_path, config)


def test_foreign_folder_is_refused_even_to_resume(tmp_path, config):
    (tmp_path / "thesis.tex").touch()
    for resume in (False, True):
        with pytest.raises(InputError, match="not empty"):
            prepared(tmp_path, config, resume=resume)


def test_folder_with_hidden_files_alone_counts_as_empty(tmp_path, config):
    (tmp_path / ".partial-config.json").touch()
    prepared(tmp_path, config)


def test_run_that_never_began_makes_room_for_another(tmp_path, config, other):
    prepared(tmp_path, config)
    prepared(tmp_path, other(steps=9))
    assert read_config(tmp_path).steps == 9


def test_resuming_with_other_settings_names_them(tmp_path, config, other):
    begun(tmp_path, config)
    with pytest.raises(InputError, match=r"steps 9, was 8; base_rate 0\.2, was 0\.1"):
        prepared(tmp_path, other(steps=9, base_rate=0.2), resume=True)


def test_data_may_have_moved_when_a_run_is_resumed(tmp_path, config, other):
    begun(tmp_path, config)
    prepared(tmp_path, other(root="/elsewhere"), resume=True)
    assert read_config(tmp_path).root == "/elsewhere"


def test_second_process_on_a_folder_is_refused(tmp_path):
    context = multiprocessing.get_context("spawn")
    locked, done = context.Event(), context.Event()
    process = context.Process(target=hold, args=(tmp_path, locked, done))
    process.start()
    assert locked.wait(300)
    with pytest.raises(RoutevizError, match="another process"), RunFolder(tmp_path).locked():
        pass
    # Killed, not asked to leave: the lock goes with the process.
    process.kill()
    process.join(60)
    with RunFolder(tmp_path).locked():
        pass


def test_metrics_of_a_folder_without_any_are_empty(tmp_path):
    assert read_metrics(tmp_path) == []


def test_torn_last_line_is_left_out_and_cut_off(tmp_path, config):
    run = prepared(tmp_path, config)
    run.append("step", {"step": 0, "loss": 1.5})
    with open(tmp_path / "metrics.jsonl", "a") as file:
        file.write('{"kind": "step", "st')
    assert read_metrics(tmp_path) == [{"kind": "step", "step": 0, "loss": 1.5}]
    prepared(tmp_path, config, resume=True).append("step", {"step": 0, "loss": 2.5})
    assert [line["loss"] for line in read_metrics(tmp_path)] == [1.5, 2.5]


def test_metrics_after_the_state_are_cut_off(tmp_path, config):
    run = prepared(tmp_path, config)
    for step in range(1, 6):
        run.append("step", {"step": step})
    run.save_state({"step": 3})
    prepared(tmp_path, config, resume=True)
    assert [line["step"] for line in read_metrics(tmp_path)] == [1, 2, 3]


def test_half_written_state_is_not_taken_for_one(tmp_path, config, monkeypatch):
    run = prepared(tmp_path, config)
    run.save_state({"step": 3})
    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(WriteError, match="killed"):
        run.save_state({"step": 6})
    assert run.load_state() == {"step": 3}


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", json.dumps({"training": {"steps": "many", "speed": 1}})])
def test_damaged_settings_are_refused_by_name(tmp_path, text):
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(InputError, match=r"config\.json"):
        read_config(tmp_path)


def test_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(InputError, match="no training run"):
        read_config(tmp_path)


def test_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot make"), RunFolder(tmp_path / "file" / "run").locked():
        pass


def test_branch_from_a_run_with_another_network_is_refused(tmp_path, config, other):
    prepared(tmp_path / "parent", config)
    with pytest.raises(InputError, match="width 6, was 4; a branch shares"):
        prepared(tmp_path / "child", other(width=6), branch=tmp_path / "parent")


def test_branch_from_a_run_that_is_not_there_yet_is_refused(tmp_path, config):
    prepared(tmp_path / "parent", config)
    with pytest.raises(InputError, match="no state at step 4"):
        prepared(tmp_path / "child", config, branch=tmp_path / "parent")


def test_refused_branch_leaves_a_folder_that_can_still_be_used(tmp_path, config):
    prepared(tmp_path / "parent", config)
    with pytest.raises(InputError):
        prepared(tmp_path / "child", config, branch=tmp_path / "parent")
    prepared(tmp_path / "child", config)


def hold(folder, locked, done):
    with RunFolder(folder).locked():
        locked.set()
        done.wait()


def fail(*_):
    raise OSError("killed")


def test_every_setting_survives_the_folder(tmp_path):
    config = TrainConfig(resize=(64, 128), options={"length": 3}, eval_split="test", init="weights.safetensors")
    prepared(tmp_path, config)
    assert read_config(tmp_path) == config


@pytest.mark.parametrize("values", [99, 9999])
@pytest.mark.parametrize("place", [0, 0.3, 0.6, 0.95])
@pytest.mark.parametrize("how", ["cut", "flipped"])
def test_a_damaged_state_is_one_line_and_left_as_it_is(tmp_path, config, place, how, values):
    begun(tmp_path, config).save_state({"step": 3, "weights": torch.ones(values)})
    path = tmp_path / "state.pt"
    data = bytearray(path.read_bytes())
    where = int(place * len(data))
    data = data[:where] if how == "cut" else data[:where] + bytes(64) + data[where + 64 :]
    path.write_bytes(data)
    with suppress(InputError):  # a zip has no checksum over its padding
        assert RunFolder(tmp_path).load_state()["weights"].eq(1).all()
        return
    with pytest.raises(InputError, match=r"state\.pt is damaged: .*; remove it, and --resume begins anew") as caught:
        prepared(tmp_path, config, resume=True)
    assert "\n" not in str(caught.value)
    assert path.read_bytes() == data


@pytest.mark.parametrize("text", ['{"kind": "step", "step"\n{}\n', "\0\0\0\n", "\udcff\n"])
def test_damaged_metrics_are_one_line(tmp_path, config, text):
    begun(tmp_path, config)
    (tmp_path / "metrics.jsonl").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(InputError, match=r"metrics\.jsonl cannot be read as the metrics of a run"):
        prepared(tmp_path, config, resume=True)


def test_drafts_that_kills_left_go_when_the_run_goes_on(tmp_path, config):
    begun(tmp_path, config)
    (tmp_path / "checkpoints" / ".step-000003.safetensors.1234.part").write_bytes(b"half")
    prepared(tmp_path, config, resume=True)
    assert not list((tmp_path / "checkpoints").glob(".*"))


def test_a_full_disk_is_one_line_also_while_a_state_is_written(tmp_path, config, monkeypatch):
    run = begun(tmp_path, config)
    run.save_state({"step": 3})
    before = (tmp_path / "state.pt").read_bytes()

    def full(self, data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(WriteError, match=r"cannot write .*state\.pt: No space left on device"):
        run.save_state({"step": 6})
    assert (tmp_path / "state.pt").read_bytes() == before
