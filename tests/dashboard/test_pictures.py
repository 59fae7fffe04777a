import base64
import io
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from PIL import Image

from routeviz.dashboard import pictures


def opened(uri):
    head, data = uri.split(",", 1)
    return head, np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))


def test_a_label_map_comes_back_in_the_datasets_colours():
    label = np.array([[0, 1], [2, 255]], np.uint8)
    picture = pictures.coloured(label, pictures.palette(3, [(1, 2, 3), (4, 5, 6), (7, 8, 9)]))
    assert picture.tolist() == [[[1, 2, 3], [4, 5, 6]], [[7, 8, 9], list(pictures.IGNORED)]]
    head, back = opened(pictures.chart(picture))
    assert head == "data:image/png;base64"
    assert np.array_equal(back, picture)


def test_classes_without_colours_get_different_ones():
    assert len({tuple(colour) for colour in pictures.palette(40)[:40].tolist()}) == 40


@pytest.mark.parametrize("size", [(100, 4000), (40, 40), (1024, 2048)])
def test_pictures_fit_the_screen_and_keep_their_shape(size):
    shown = pictures.for_screen(np.zeros((*size, 3), np.uint8))
    assert shown.shape[1] <= pictures.SCREEN_WIDTH
    assert shown.shape[0] / shown.shape[1] == pytest.approx(size[0] / size[1], rel=0.05)


def test_thumbnails_have_one_size_and_keep_the_middle():
    image = np.zeros((60, 300, 3), np.uint8)
    image[:, 100:200] = 255
    head, picture = opened(pictures.thumbnail(image))
    assert head == "data:image/jpeg;base64"
    assert picture.shape == (pictures.THUMBNAIL[1], pictures.THUMBNAIL[0], 3)
    assert picture[:, 84].mean() > 240


def test_heat_runs_from_the_least_value_to_the_largest_and_keeps_squares():
    picture = pictures.heat(np.array([[0.0, 1.0]]), size=8)
    assert picture.shape == (4, 8, 3)
    assert (picture[:, :4] == picture[0, 0]).all()
    assert picture[0, 0].sum() < picture[0, -1].sum()
    assert len(np.unique(pictures.heat(np.full((3, 3), 5.0)).reshape(-1, 3), axis=0)) == 1


def test_a_histogram_has_its_bars_and_its_line_where_the_values_are():
    root = ET.fromstring(pictures.histogram_svg(np.array([0.05, 0.05, 0.95, np.nan]), 0.5, bins=10))
    bars = [float(bar.get("height")) for bar in root.iter("{http://www.w3.org/2000/svg}rect")]
    assert [index for index, tall in enumerate(bars) if tall] == [0, 9]
    assert bars[9] == pytest.approx(bars[0] / 2**0.5, abs=0.1)
    line = root.findall("{http://www.w3.org/2000/svg}path")[-1].get("d")
    assert line.startswith("M150.0 ")
