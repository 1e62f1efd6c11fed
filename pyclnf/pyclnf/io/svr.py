"""SVR patch experts (text, `svr_patches_*.txt`): linear templates on grey values and gradients."""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .text import TextReader
from .views import PatchFile, read_head

_EXPERT_TAG = 3
_MODALITY_TAG = 2
_MODALITY_TOKENS = 8  # tag, kind, three numbers, matrix header


@dataclass(frozen=True, eq=False)
class SVRModality:
    """One linear template.

    Attributes
    ----------
    kind : int
        0 grey values, 1 gradient magnitude.
    confidence, scaling, bias : float
        The logistic regressor on top of the template's correlation.
    weights : ndarray, shape (height, width), float32
        The template as used; the file holds its transpose.
    """

    kind: int
    confidence: float
    scaling: float
    bias: float
    weights: npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class SVRExpert:
    """One landmark's templates in one view; `width` and `height` are the support area in px."""

    width: int
    height: int
    modalities: tuple[SVRModality, ...]


@dataclass(frozen=True, eq=False)
class SVRFile(PatchFile):
    """All SVR experts of one scale; scale, centres and visibility are those of `PatchFile`.

    Attributes
    ----------
    experts : tuple of tuple of SVRExpert
        By view, then landmark.
    """

    experts: tuple[tuple[SVRExpert, ...], ...]


def read_svr(path: str | os.PathLike[str]) -> SVRFile:
    """Read the SVR experts of one scale.

    Parameters
    ----------
    path : path-like
        Text file in OpenFace's SVR format.

    Returns
    -------
    SVRFile

    Raises
    ------
    MissingModelError, ModelFileError
        No such file; or it is truncated or malformed.
    """
    reader = TextReader(path)
    head = read_head(reader)
    n_views, n_landmarks = head.visibility.shape
    experts = tuple(tuple(_read_expert(reader) for _ in range(n_landmarks)) for _ in range(n_views))
    reader.expect_end()
    return SVRFile(head.scale, head.centres, head.visibility, experts)


def _read_expert(reader: TextReader) -> SVRExpert:
    reader.tag(_EXPERT_TAG, "an SVR expert")
    width, height = reader.i32("an expert's width"), reader.i32("an expert's height")
    n_modalities = reader.count("modalities", _MODALITY_TOKENS)
    return SVRExpert(width, height, tuple(_read_modality(reader, width, height) for _ in range(n_modalities)))


def _read_modality(reader: TextReader, width: int, height: int) -> SVRModality:
    reader.tag(_MODALITY_TAG, "an SVR template")
    kind = reader.i32("a template's kind")
    confidence, scaling, bias = reader.f64s(3, "a template's confidence, scaling and bias")
    stored = reader.matrix(np.float32, width, height, "a template")
    return SVRModality(kind, float(confidence), float(scaling), float(bias), np.ascontiguousarray(stored.T))
