"""The models of an analysis: pyclnf's store, plus the open AU models that ship with pyfaceau."""

from __future__ import annotations

import os
from pathlib import Path

from pyclnf.models import ModelSet, ModelStore, resolve_models

__all__ = ["OPEN_AU_FOLDER", "ModelSet", "ModelStore", "choose_models"]

OPEN_AU_FOLDER = Path(__file__).parent / "models_open"


def choose_models(
    models: str | os.PathLike[str] = "auto", landmarks: str | os.PathLike[str] = "ceclm"
) -> ModelSet:
    """Choose the models of an analysis; see `pyclnf.models.resolve_models`.

    Parameters
    ----------
    models : {"auto", "openface", "open"} or path-like
        A set by name, or a folder with OpenFace's files.
    landmarks : {"ceclm", "clnf"} or path-like
        Landmark model of that set, or the path of any main landmark description.

    Returns
    -------
    ModelSet

    Raises
    ------
    MissingModelError
        Names the missing files and the command that installs them.
    ValueError
        Unknown name.
    """
    return resolve_models(models, landmarks, OPEN_AU_FOLDER)
