import numpy as np
import pytest
from PIL import Image

from routeviz.datasets.images import read_image, read_label
from routeviz.errors import DatasetError

RED, GREEN = (255, 0, 0), (0, 255, 0)


def saved(path, picture, **options):
    picture.save(path, **options)
    return path


def test_exif_orientation_is_applied(tmp_path):
    picture = Image.new("RGB", (3, 2), RED)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    picture.putpixel((0, 0), GREEN)
    image = read_image(saved(tmp_path / "a.png", picture, exif=exif))
    assert image.shape == (3, 2, 3)
    assert tuple(image[0, 1]) == GREEN


def test_grey_palette_and_two_level_pictures_become_rgb(tmp_path):
    grey = Image.new("L", (2, 2), 77)
    palette = Image.new("P", (2, 2), 1)
    palette.putpalette([0, 0, 0, *GREEN])
    for picture, color in ((grey, (77, 77, 77)), (palette, GREEN), (Image.new("1", (2, 2), 1), (255, 255, 255))):
        image = read_image(saved(tmp_path / "a.png", picture))
        assert image.dtype == np.uint8
        assert (image == color).all()


def test_transparent_pixels_show_white(tmp_path):
    picture = Image.new("RGBA", (3, 1), (*RED, 255))
    picture.putpixel((1, 0), (*RED, 0))
    picture.putpixel((2, 0), (*RED, 51))  # a fifth of red on white
    image = read_image(saved(tmp_path / "a.png", picture))
    np.testing.assert_array_equal(image[0], [RED, (255, 255, 255), (255, 204, 204)])
    palette = Image.new("P", (1, 1), 1)
    palette.putpalette([0, 0, 0, *GREEN])
    image = read_image(saved(tmp_path / "b.png", palette, transparency=1))
    assert tuple(image[0, 0]) == (255, 255, 255)


def test_sixteen_bits_are_scaled_and_not_cut(tmp_path):
    values = np.array([[0, 257, 128 * 257, 65535]], np.uint16)
    for suffix in ("png", "tif"):
        image = read_image(saved(tmp_path / f"a.{suffix}", Image.fromarray(values)))
        np.testing.assert_array_equal(image[0], [[0] * 3, [1] * 3, [128] * 3, [255] * 3])


def test_cmyk_becomes_rgb(tmp_path):
    image = read_image(saved(tmp_path / "a.tif", Image.new("CMYK", (2, 2), (0, 255, 255, 0))))
    assert (image == RED).all()


def test_the_array_can_be_written_to(tmp_path):
    assert read_image(saved(tmp_path / "a.png", Image.new("RGB", (2, 2)))).flags.writeable


def test_too_many_pixels_are_refused(tmp_path, monkeypatch):
    path = saved(tmp_path / "a.png", Image.new("L", (30, 30)))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 899)
    with pytest.raises(DatasetError, match=r"cannot read .*a\.png"):
        read_image(path)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(DatasetError, match=r"cannot read .*a\.png"):
        read_image(path)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 900)
    assert read_image(path).shape == (30, 30, 3)


def test_what_is_no_picture_is_refused(tmp_path):
    text = tmp_path / "a.png"
    text.write_text("no picture")
    cut = saved(tmp_path / "b.jpg", Image.effect_noise((64, 64), 90).convert("RGB"))
    cut.write_bytes(cut.read_bytes()[:900])
    floating = saved(tmp_path / "c.tif", Image.new("F", (2, 2), 0.5))
    for path in (text, cut, floating, tmp_path / "gone.png", tmp_path):
        with pytest.raises(DatasetError, match=f"cannot read {path}"):
            read_image(path)


def test_label_ids_are_kept(tmp_path):
    ids = np.array([[0, 3, 255]], np.uint8)
    palette = Image.fromarray(ids)
    palette.putpalette([9, 9, 9] * 256)
    sixteen = Image.fromarray(ids.astype(np.uint16))
    for name, picture in {"grey": Image.fromarray(ids), "palette": palette, "sixteen": sixteen}.items():
        label = read_label(saved(tmp_path / f"{name}.png", picture))
        assert label.dtype == np.uint8
        np.testing.assert_array_equal(label, ids)
    two = read_label(saved(tmp_path / "two.png", Image.fromarray(ids > 3)))
    np.testing.assert_array_equal(two, [[0, 0, 1]])


def test_labels_in_colours_or_with_ids_beyond_a_byte_are_refused(tmp_path):
    with pytest.raises(DatasetError, match="one channel of class ids, this file is RGB"):
        read_label(saved(tmp_path / "a.png", Image.new("RGB", (2, 2))))
    with pytest.raises(DatasetError, match="this file holds 0 to 26001"):
        read_label(saved(tmp_path / "b.png", Image.fromarray(np.array([[0, 26001]], np.uint16))))


def test_a_picture_of_a_kind_that_starts_a_program_is_refused_whatever_it_is_called(tmp_path, monkeypatch):
    monkeypatch.setattr("PIL.EpsImagePlugin.Ghostscript", lambda *_: pytest.fail("Ghostscript was started"))
    path = tmp_path / "a.png"
    path.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 40 40\nshowpage\n%%EOF\n")
    with pytest.raises(DatasetError, match="cannot identify"):
        read_image(path)
