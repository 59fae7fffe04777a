"""Differences from published figures, worked out by hand."""

import math
from dataclasses import replace

import pandas as pd
import pytest

from routeviz.errors import InputError
from routeviz.stats import PUBLISHED, NetworkFacts, compare_networks, published_figures

PAPER = {"image_size": (1024, 2048), "convention": "released"}


@pytest.fixture
def unet():
    return NetworkFacts(
        name="ours",
        dynamic=False,
        layers=16,
        width=64,
        num_classes=19,
        parameters=2_500_000,
        macs_avg=30.9e9,
        macs_max=30_900_000_000,
        macs_min=30_900_000_000,
        miou=0.7,
        dataset="cityscapes",
        published="unet",
        cell_macs=1e9,
    )


def row(facts, **options):
    return compare_networks([facts], **(PAPER | options)).iloc[0]


def test_differences_are_ours_less_theirs(unet):
    found = row(unet)
    assert (found.published_miou, found.published_macs, found.published_parameters) == (0.716, 53.9e9, 6.1e6)
    assert found.miou_difference == pytest.approx(-0.016)
    assert found.macs_difference == pytest.approx(-23e9)
    assert found.parameters_difference == pytest.approx(-3.6e6)
    assert any("that of about 23 open cells more, at 1.00 G each" in note for note in found.notes)
    assert any("not checked" in note for note in found.notes)


def test_figures_of_other_settings_do_not_stand_beside_ours(unet):
    for facts, options, reason in (
        (unet, {"image_size": (512, 1024)}, "images of 1024x2048"),
        (replace(unet, width=16), {}, "C = 64 and 19 classes"),
        (replace(unet, num_classes=11), {}, "C = 64 and 19 classes"),
    ):
        found = row(facts, **options)
        assert pd.isna(found.published_macs)
        assert pd.isna(found.macs_difference)
        assert found.notes == (f"published figures left out: they are of {reason}",)
    assert row(replace(unet, layers=33)).notes == ()


def test_another_convention_or_dataset_explains_a_difference(unet):
    assert "published MACs are of the convention released, ours of conv" in row(unet, convention="conv").notes
    other = row(replace(unet, dataset="camvid"))
    assert pd.isna(other.miou_difference)
    assert any(note.startswith("our mIoU is of camvid") for note in other.notes)


def test_what_the_released_code_counts_needs_no_explanation(unet):
    whole = replace(unet, dynamic=True, published="all-open-full-gate", macs_avg=118.0851e9, miou=None)
    assert row(whole).notes == ("equal to what the released code counts",)
    learnt = row(replace(unet, dynamic=True, published="Dynamic-A"))
    assert learnt.notes == (
        "which paths are open is learnt: it differs from training to training, the published ones included",
        "the released code comes to 73.9 % and 52.5 G",
    )
    assert learnt.macs_difference == pytest.approx(-14e9)


def test_what_is_not_known_stays_unknown(unet):
    found = row(replace(unet, macs_avg=None, macs_min=None, miou=None))
    assert pd.isna(found.macs_avg)
    assert pd.isna(found.macs_difference)
    assert pd.isna(found.miou_difference)
    assert found.parameters == 2_500_000
    nothing = compare_networks([replace(unet, published="mine")], **PAPER)
    assert nothing.filter(like="published").isna().all(axis=None)
    assert nothing.notes[0] == ()
    assert nothing.macs_max.dtype == "Int64"


def test_names_find_what_is_published():
    assert published_figures("Dynamic-A", 16)[0].macs == 44.9e9
    assert published_figures("dynamic a", 16) == published_figures("Dynamic_A", 16)
    assert published_figures("auto_deeplab", 16)[0].parameters == 2.5e6
    assert published_figures("Dynamic-A", 33) == ()
    assert published_figures("dynamic-raw-pretrained", 33)[1].miou == 0.794


def test_published_figures_lie_where_such_figures_do():
    for figures in PUBLISHED.values():
        for one in figures:
            assert 30e9 < one.macs < 250e9
            assert one.miou is None or 0.6 < one.miou < 0.8
            assert one.parameters is None or 2e6 < one.parameters < 20e6
            assert not math.isnan(one.macs)


def test_nothing_to_compare_is_refused():
    with pytest.raises(InputError, match="no networks"):
        compare_networks([], **PAPER)
