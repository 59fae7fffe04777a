import numpy as np
import pytest

from routeviz.errors import InputError
from routeviz.metrics import confusion, iou, mean_iou, pixel_accuracy

LABEL = np.array([[0, 0, 1, 1], [0, 2, 2, 9]], np.uint8)
PREDICTION = np.array([[0, 1, 1, 1], [0, 2, 0, 2]], np.int64)
#                predicted:  0  1  2
MATRIX = np.array([[2, 1, 0], [0, 2, 0], [1, 0, 1]])


def test_confusion_counts_label_by_prediction_and_leaves_ignored_pixels_out():
    counts = confusion(LABEL, PREDICTION, 3, 9)
    assert counts.dtype == np.int64
    np.testing.assert_array_equal(counts, MATRIX)


def test_scores_by_hand():
    # class 0: hit 2, labelled 3, predicted 3; class 1: hit 2, labelled 2, predicted 3; class 2: hit 1, labelled 2, 1
    np.testing.assert_allclose(iou(MATRIX), [2 / 4, 2 / 3, 1 / 2])
    assert mean_iou(MATRIX) == pytest.approx((1 / 2 + 2 / 3 + 1 / 2) / 3)
    assert pixel_accuracy(MATRIX) == pytest.approx(5 / 7)


def test_a_class_absent_from_the_label_has_no_iou_and_leaves_the_mean():
    counts = confusion(np.array([[0, 0, 0, 0]]), np.array([[0, 0, 0, 1]]), 3, None)
    np.testing.assert_array_equal(iou(counts), [3 / 4, np.nan, np.nan])
    assert mean_iou(counts) == 3 / 4


def test_matrices_of_several_images_add_up():
    whole = confusion(LABEL, PREDICTION, 3, 9)
    rows = [confusion(LABEL[i : i + 1], PREDICTION[i : i + 1], 3, 9) for i in range(2)]
    np.testing.assert_array_equal(rows[0] + rows[1], whole)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int64])
def test_many_classes_do_not_overflow_a_small_type(dtype):
    label = np.full((2, 2), 120, dtype)
    assert confusion(label, label, 121, None)[120, 120] == 4


def test_nothing_labelled_is_no_number_and_no_warning():
    counts = confusion(np.full((2, 3), 255, np.uint8), np.full((2, 3), 77), 3, 255)
    assert not counts.any()
    assert np.isnan(iou(counts)).all()
    assert np.isnan(mean_iou(counts))
    assert np.isnan(pixel_accuracy(counts))


def test_a_negative_ignore_index_is_no_class():
    counts = confusion(np.array([[-1, 0]]), np.array([[0, 0]]), 2, -1)
    np.testing.assert_array_equal(counts, [[1, 0], [0, 0]])


@pytest.mark.parametrize(
    ("label", "prediction", "message"),
    [
        (np.zeros((2, 3), int), np.zeros((3, 2), int), r"\(2, 3\).*\(3, 2\)"),
        (np.array([[0, 7, 3]]), np.zeros((1, 3), int), r"ids \[3, 7\]; valid are 0 to 2 and 255"),
        (np.array([[0, -1]]), np.zeros((1, 2), int), r"ids \[-1\]"),
        (np.zeros((1, 2), int), np.array([[0, 3]]), "prediction holds ids from 0 to 3; valid are 0 to 2"),
        (np.zeros((1, 2), int), np.array([[-1, 0]]), "prediction holds ids from -1 to 0"),
        (np.zeros((1, 2)), np.zeros((1, 2), int), "integers, given float64"),
        (np.zeros((1, 2, 1), int), np.zeros((1, 2, 1), int), r"\(height, width\)"),
    ],
)
def test_what_cannot_be_compared_is_refused(label, prediction, message):
    with pytest.raises(InputError, match=message):
        confusion(label, prediction, 3, 255)
