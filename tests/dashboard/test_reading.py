"""Nothing outside the folders that the dashboard was started with is read, whatever a log or a link says."""

import pytest
from PIL import Image

import routeviz as rv
from routeviz.dashboard import caches
from routeviz.dashboard.collection import of_log
from routeviz.dashboard.settings import Settings
from routeviz.dashboard.shelf import find

SECRET = (201, 33, 77)


@pytest.fixture
def made(shelf_folder, tmp_path, monkeypatch):
    """A log that says of its pictures whatever it is told to, in a folder beside one with a secret picture."""
    log = rv.load_log(shelf_folder / "logs" / "scenes")
    given, secret = tmp_path / "given", tmp_path / "secret"
    for folder in (given / "pictures", secret, tmp_path / "secretannot"):
        folder.mkdir(parents=True)
    picture = Image.new("RGB", (96, 64), SECRET)
    ids = [f"{number}.png" for number in range(len(log))]
    for name in ids:
        picture.save(secret / name)
        Image.new("L", (96, 64)).save(tmp_path / "secretannot" / name)
        Image.new("RGB", (96, 64)).save(given / "pictures" / name)

    def make(**dataset):
        names = [name.removesuffix(".png") for name in ids] if dataset["name"] == "camvid" else ids
        source = log.source | {"dataset": dataset}
        rv.RouteLog(log.gates, log.images.assign(id=names), log.space, source).save(given / "log")
        settings = Settings(folders=(given,), jobs=tmp_path / "jobs")
        for name, value in settings.to_environment().items():
            monkeypatch.setenv(name, value)
        (item,) = find([given])
        return of_log(item, [item], settings)

    return make


@pytest.mark.parametrize(
    "dataset",
    [
        {"name": "folder", "root": "{top}/secret"},
        {"name": "folder", "root": "{top}/given/../secret"},
        {"name": "folder", "root": "{top}/given/way_out"},
        {"name": "camvid", "root": "{top}/given", "split": "../secret"},
        {"name": "camvid", "root": "{top}/given", "split": "{top}/secret"},
    ],
)
def test_a_log_cannot_name_pictures_elsewhere(made, tmp_path, dataset):
    (tmp_path / "given" / "way_out").symlink_to(tmp_path / "secret")
    collection = made(**{part: text.format(top=tmp_path) for part, text in dataset.items()})
    assert collection.dataset is None
    assert collection.sample(0) is None
    assert collection.no_pictures


def test_a_picture_that_is_a_link_elsewhere_is_not_shown_and_one_within_is(made, open_app, tmp_path):
    pictures = tmp_path / "given" / "pictures"
    for number, target in enumerate((tmp_path / "secret" / "0.png", pictures / "3.png")):
        (pictures / f"{number}.png").unlink()
        (pictures / f"{number}.png").symlink_to(target)
    collection = made(name="folder", root=str(pictures))
    assert (collection.sample(1).image == 0).all()
    with pytest.raises(rv.DatasetError, match=r"the link .*0\.png leads out of the folders"):
        collection.sample(0)
    with pytest.raises(rv.DatasetError, match="leads out"):
        caches.thumbnail(collection.dataset_key, 0, collection.dataset)
    app = open_app(tmp_path / "given", image="0.png", gallery="true")
    assert not app.exception
    assert "leads out of the folders" in str([part.proto for part in app.get("bidi_component")])
