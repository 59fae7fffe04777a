"""Datasets by name."""

import inspect
from pathlib import Path
from typing import Any

from routeviz.datasets.camvid import CamVid
from routeviz.datasets.cityscapes import Cityscapes
from routeviz.datasets.digits import Digits
from routeviz.datasets.folder import Folder
from routeviz.datasets.scenes import Scenes
from routeviz.datasets.voc import Voc
from routeviz.errors import InputError

DATASETS = {dataset.name: dataset for dataset in (CamVid, Cityscapes, Voc, Folder, Scenes, Digits)}


def open_dataset(name: str, root: str | Path | None = None, split: str = "val", **options: Any):
    """Open a dataset; its layout is checked, no image is decoded.

    Parameters
    ----------
    name : str
        A key of ``DATASETS``.
    root : str or Path, optional
        The dataset's folder; `scenes` and `digits` need none.
    split : str
        Which part of it, such as ``train`` or ``val``.
    **options
        The dataset's own settings, see its class.

    Returns
    -------
    dataset
        With ``__len__``, ``__getitem__(index) -> Sample``, ``facts(index)``, ``name``, ``ids``, ``class_names``,
        ``class_colors``, ``ignore_index``, ``root``, ``split`` and ``options``.

    Raises
    ------
    InputError
        There is no dataset of this name, or it has no such option.
    DatasetError
        The folder does not have the dataset's layout.
    """
    if name not in DATASETS:
        raise InputError(f"there is no dataset {name!r}; choose one of {', '.join(DATASETS)}")
    dataset = DATASETS[name]
    known = [option for option in inspect.signature(dataset).parameters if option not in ("root", "split")]
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise InputError(f"{name} has no option {', '.join(unknown)}; it has {', '.join(known) or 'none'}")
    return dataset(root, split, **options)
