"""Where the checkpoints and logs that come with routeviz lie: in a checkout, or inside an installed package."""

from pathlib import Path

from routeviz.errors import InputError

_PACKAGE = Path(__file__).parent


def bundled_data(part: str = "") -> Path:
    """Find what comes with routeviz.

    Parameters
    ----------
    part : str
        A path below it, such as ``"checkpoints/scenes"``.

    Raises
    ------
    InputError
        Where this installation does not have that part.
    """
    for home in (_PACKAGE / "_data", _PACKAGE.parent / "data"):
        if (home / part).exists():
            return home / part
    raise InputError(f"this installation has no bundled {part or 'data'}: install routeviz from a complete checkout")
