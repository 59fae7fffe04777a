"""The datasets that lie in folders, on tiny trees in their true layouts."""

import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from routeviz.datasets import DATASETS, open_dataset
from routeviz.errors import DatasetError, InputError

IMAGE = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)


def write(path: Path, pixels: np.ndarray, palette: list[int] | None = None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.fromarray(pixels)
    if palette:
        picture.putpalette(palette)
    picture.save(path)


def label(*ids: int) -> np.ndarray:
    """4 x 6 pixels that hold these ids in turn."""
    return np.resize(np.array(ids, np.uint8), (4, 6))


@pytest.fixture
def camvid(tmp_path: Path) -> Path:
    for split, names in {"train": ("0006R0_f00930", "0001TP_006690"), "val": ("0016E5_07959", "0016E5_07961")}.items():
        for name in names:
            write(tmp_path / split / f"{name}.png", IMAGE)
            write(tmp_path / f"{split}annot" / f"{name}.png", label(0, 10, 11))
    (tmp_path / "val" / ".DS_Store").write_text("x")
    (tmp_path / "train.txt").write_text("x")
    return tmp_path


@pytest.fixture
def cityscapes(tmp_path: Path) -> Path:
    for city, name in (("munster", "munster_000000_000019"), ("frankfurt", "frankfurt_000001_007973")):
        write(tmp_path / f"leftImg8bit/val/{city}/{name}_leftImg8bit.png", IMAGE)
        write(tmp_path / f"gtFine/val/{city}/{name}_gtFine_labelIds.png", label(7, 0, 33, 6, 26, 29))
        write(tmp_path / f"gtFine/val/{city}/{name}_gtFine_instanceIds.png", label(0))
    return tmp_path


@pytest.fixture
def voc(tmp_path: Path) -> Path:
    lists = tmp_path / "ImageSets/Segmentation"
    lists.mkdir(parents=True)
    (lists / "val.txt").write_text("2007_000033\n2007_000042\n")
    (lists / "test.txt").write_text("2008_000006\n")
    for name in ("2007_000033", "2007_000042", "2007_000061", "2008_000006"):
        write(tmp_path / f"JPEGImages/{name}.jpg", IMAGE)
    palette = [value for i in range(256) for value in (i, 255 - i, 7)]
    for name in ("2007_000033", "2007_000042", "2007_000061"):
        write(tmp_path / f"SegmentationClass/{name}.png", label(0, 1, 20, 255), palette)
    return tmp_path


def test_camvid(camvid):
    dataset = open_dataset("camvid", camvid)
    assert dataset.ids == ["0016E5_07959", "0016E5_07961"]
    sample = dataset[1]
    assert (sample.id, sample.file) == ("0016E5_07961", "val/0016E5_07961.png")
    np.testing.assert_array_equal(sample.image, IMAGE)
    np.testing.assert_array_equal(sample.label, label(0, 10, 11))
    assert sample.label.dtype == np.uint8
    assert (dataset.class_names[0], dataset.class_names[10], dataset.ignore_index) == ("sky", "bicyclist", 11)
    assert open_dataset("camvid", camvid, "train").ids == ["0001TP_006690", "0006R0_f00930"]


def test_camvid_takes_jpeg_images_and_a_test_split_where_there_is_one(camvid):
    with pytest.raises(DatasetError, match=r"there is no folder .*test"):
        open_dataset("camvid", camvid, "test")
    write(camvid / "test" / "Seq05VD_f00000.jpg", IMAGE)
    write(camvid / "testannot" / "Seq05VD_f00000.png", label(3))
    assert (open_dataset("camvid", camvid, "test")[0].label == 3).all()


def test_cityscapes_maps_the_label_ids_to_the_training_classes(cityscapes):
    dataset = open_dataset("cityscapes", cityscapes)
    assert dataset.ids == ["frankfurt_000001_007973", "munster_000000_000019"]
    sample = dataset[0]
    assert sample.file == "leftImg8bit/val/frankfurt/frankfurt_000001_007973_leftImg8bit.png"
    # road, unlabeled, bicycle, ground, car, caravan
    np.testing.assert_array_equal(sample.label, label(0, 255, 18, 255, 13, 255))
    names = dict(enumerate(dataset.class_names))
    assert (names[0], names[10], names[13], names[18]) == ("road", "sky", "car", "bicycle")


def test_voc_keeps_the_ids_of_the_palette(voc):
    dataset = open_dataset("voc", voc)
    assert dataset.ids == ["2007_000033", "2007_000042"]
    sample = dataset[0]
    assert sample.file == "JPEGImages/2007_000033.jpg"
    np.testing.assert_array_equal(sample.label, label(0, 1, 20, 255))
    assert dataset.class_names[20] == "tvmonitor"
    # As published: aeroplane, horse, tvmonitor.
    assert [dataset.class_colors[i] for i in (1, 13, 20)] == [(128, 0, 0), (192, 0, 128), (0, 64, 128)]
    assert open_dataset("voc", voc, "test")[0].label is None


def test_folder_takes_images_of_any_depth_without_labels(tmp_path):
    for file in ("b.png", "a/c.JPG", "a/b/d.webp", ".hidden/e.png", "a/.f.png"):
        write(tmp_path / file, IMAGE)
    (tmp_path / "notes.txt").write_text("x")
    dataset = open_dataset("folder", tmp_path)
    assert dataset.ids == ["a/b/d.webp", "a/c.JPG", "b.png"]
    assert len(dataset) == 3
    sample = dataset[2]
    assert (sample.id, sample.file, sample.label) == ("b.png", "b.png", None)
    assert dataset.class_names == ()


@pytest.mark.parametrize(
    ("name", "gone", "message"),
    [
        ("camvid", "valannot", "valannot; expected: train/ and trainannot/"),
        ("camvid", "val", "there is no folder .*val; expected"),
        ("camvid", "valannot/0016E5_07961.png", r"valannot/0016E5_07961.png is missing \(1 of 4 files are\)"),
        ("cityscapes", "leftImg8bit", "leftImg8bit.*expected: leftImg8bit/SPLIT/CITY"),
        ("cityscapes", "gtFine/val/munster", "there is no folder .*gtFine/val/munster"),
        (
            "cityscapes",
            "gtFine/val/munster/munster_000000_000019_gtFine_labelIds.png",
            "munster_000000_000019_gtFine_labelIds.png is missing",
        ),
        ("voc", "JPEGImages", "there is no folder .*JPEGImages; expected"),
        ("voc", "ImageSets/Segmentation/val.txt", "val.txt is missing, there are test.txt; expected"),
        ("voc", "JPEGImages/2007_000042.jpg", "JPEGImages/2007_000042.jpg is missing"),
        ("voc", "SegmentationClass/2007_000033.png", "SegmentationClass/2007_000033.png is missing"),
    ],
)
def test_what_is_missing_is_named_with_what_is_expected(name, gone, message, request):
    root = request.getfixturevalue(name)
    path = root / gone
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    with pytest.raises(DatasetError, match=message):
        open_dataset(name, root)


@pytest.mark.parametrize("name", ["camvid", "cityscapes", "voc", "folder"])
def test_no_folder_and_an_empty_folder_are_named(name, tmp_path):
    with pytest.raises(DatasetError, match=f"{name} needs the folder"):
        open_dataset(name)
    with pytest.raises(DatasetError, match=r"there is no folder .*nowhere"):
        open_dataset(name, tmp_path / "nowhere")
    (tmp_path / "val").mkdir()
    with pytest.raises(DatasetError, match=r"there is no (image|folder).*; expected: "):
        open_dataset(name, tmp_path)


def test_two_images_of_one_name_are_refused(camvid):
    write(camvid / "val" / "0016E5_07961.jpg", IMAGE)
    with pytest.raises(DatasetError, match="3 images but 2 names"):
        open_dataset("camvid", camvid)


def test_a_broken_image_costs_that_image_alone(camvid):
    path = camvid / "val" / "0016E5_07959.png"
    path.write_bytes(path.read_bytes()[:50])
    dataset = open_dataset("camvid", camvid)
    assert len(dataset) == 2
    with pytest.raises(DatasetError, match=r"cannot read .*0016E5_07959\.png"):
        dataset[0]
    assert dataset[1].image.shape == (4, 6, 3)


def test_labels_that_do_not_fit_are_named(camvid):
    folder = camvid / "valannot"
    write(folder / "0016E5_07959.png", label(3)[:, :5])
    write(folder / "0016E5_07961.png", label(0, 12, 200))
    dataset = open_dataset("camvid", camvid)
    with pytest.raises(DatasetError, match=r"0016E5_07959.png is of size \(4, 5\), its image \(4, 6\)"):
        dataset[0]
    with pytest.raises(DatasetError, match=r"0016E5_07961.png holds the ids \[12, 200\]; camvid knows"):
        dataset[1]


@pytest.mark.parametrize("name", ["camvid", "cityscapes", "voc"])
def test_datasets_travel_to_workers_and_end_when_iterated(name, request):
    dataset = open_dataset(name, request.getfixturevalue(name))
    copy = pickle.loads(pickle.dumps(dataset))
    assert copy.ids == dataset.ids
    np.testing.assert_array_equal(copy[-1].label, dataset[1].label)
    assert len(list(dataset)) == len(dataset) == 2
    assert (dataset.facts(0), dataset.options, dataset.split) == ({}, {}, "val")
    assert len(dataset.class_names) == len(set(dataset.class_colors))


def test_names_and_options_are_checked(tmp_path):
    assert set(DATASETS) == {"camvid", "cityscapes", "voc", "folder", "scenes", "digits"}
    with pytest.raises(InputError, match=r"no dataset 'kitti'; choose one of camvid, "):
        open_dataset("kitti")
    with pytest.raises(InputError, match="folder has no option size; it has none"):
        open_dataset("folder", tmp_path, size=3)


def test_the_real_camvid(camvid_root):
    assert len(open_dataset("camvid", camvid_root, "train")) == 367
    dataset = open_dataset("camvid", camvid_root)
    assert len(dataset) == 101
    sample = dataset[0]
    assert sample.image.shape == (360, 480, 3)
    # Sky is in the upper half and road in the lower one.
    assert np.nonzero(sample.label == 0)[0].mean() < 180 < np.nonzero(sample.label == 3)[0].mean()


@pytest.mark.parametrize("split", ["../secret", "val/../../secret", "{}/secret"])
def test_a_split_that_leads_out_of_the_folder_is_refused(camvid, split):
    (camvid / "inside" / "val").mkdir(parents=True)
    for folder in ("secret", "secretannot"):
        write(camvid / folder / "one.png", label(0))
    with pytest.raises(DatasetError, match="leads out of it"):
        open_dataset("camvid", camvid / "inside", split.format(camvid))


def test_a_list_that_names_files_elsewhere_is_refused(voc):
    write(voc.parent / "secret.jpg", IMAGE)
    write(voc.parent / "secret.png", label(0))
    (voc / "ImageSets/Segmentation/val.txt").write_text("../../secret\n")
    with pytest.raises(DatasetError, match="leads out of it"):
        open_dataset("voc", voc)
