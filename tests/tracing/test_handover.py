import pickle

import numpy as np
import pytest

from routeviz.tracing import handover
from routeviz.tracing.handover import Parcel, Slots
from routeviz.tracing.reading import read_ahead


def test_what_is_taken_is_what_was_put_and_stays_when_the_slot_is_used_again():
    slots = Slots(2)
    thing = {"image": np.arange(24, dtype=np.uint8).reshape(2, 4, 3), "label": None, "name": "a", "empty": np.zeros(0)}
    thing["view"] = thing["image"][::-1, ::2]
    found = slots.put(1, thing)
    assert isinstance(found, Parcel)
    taken = slots.take(found)
    slots.put(1, {"image": np.full((2, 4, 3), 255, np.uint8)})
    assert taken.keys() == thing.keys()
    for name in ("image", "empty", "view"):
        assert taken[name].dtype == thing[name].dtype
        assert taken[name].tolist() == thing[name].tolist()
    taken["image"][:] = 0  # its own, and not read-only


def test_what_is_too_large_or_has_no_slots_goes_as_it_is(monkeypatch):
    monkeypatch.setattr(handover, "SLOT_BYTES", 8)
    slots, large = Slots(1), np.zeros(9, np.uint8)
    assert slots.put(0, large) is large
    assert slots.take(large) is large
    elsewhere, small = pickle.loads(pickle.dumps(slots)), np.zeros(8, np.uint8)
    assert isinstance(slots.put(0, small), Parcel)
    assert elsewhere.put(0, small) is small


@pytest.mark.parametrize(("workers", "ahead"), [(1, 1), (3, 2)])
def test_slots_are_not_written_to_before_they_are_read(pictures, workers, ahead):
    dataset = pictures(60)
    readings = read_ahead(dataset, iter(range(60)), resize=None, workers=workers, ahead=ahead)
    for index, reading in enumerate(readings):
        assert reading.index == index
        assert np.array_equal(reading.image, dataset[index].image)
        assert np.array_equal(reading.label, dataset[index].label)
