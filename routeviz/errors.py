"""The errors that routeviz raises for bad input: one line saying what was given, what is valid and what to do."""

from collections.abc import Sequence
from difflib import get_close_matches


class RoutevizError(Exception):
    """Base of every error that a user can mend; the command line prints its message and exits with 2."""


class InputError(RoutevizError, ValueError):
    """An argument has a value, type or shape that cannot be used."""


class CheckpointError(RoutevizError):
    """A checkpoint cannot be read, or its weights fit no configuration."""


class LogError(RoutevizError):
    """A route log is missing, incomplete, foreign or of another schema version."""


class DatasetError(RoutevizError):
    """A dataset's folder does not have the layout it should have, or one of its files cannot be read."""


class CostError(RoutevizError):
    """A cost was asked for that the network or the convention does not define."""


class WriteError(RoutevizError):
    """A file cannot be written: its folder is missing or read-only, or the disk is full."""


class NonFiniteError(RoutevizError):
    """Numbers in a network became NaN or infinite; `image` is the position in the batch of the first such image."""

    def __init__(self, message: str, *, image: int = 0) -> None:
        super().__init__(message)
        self.image = image


def one_line(error: BaseException) -> str:
    """First line of an error's text, cut and free of control characters; its kind where it says nothing."""
    text = str(error).strip().partition("\n")[0][:160]
    return "".join(char for char in text if char.isprintable()) or type(error).__name__


def place_of(image_id: str, ids: Sequence[str], of: str) -> int:
    """Position of an image's id among the ids of a log or dataset; InputError names those that are most like it."""
    if image_id not in ids:
        near = get_close_matches(image_id, ids, n=3) or ids[:3]
        raise InputError(f"{of} has no image {image_id!r}; there are {len(ids)}, such as {', '.join(near)}")
    return ids.index(image_id)
