"""Writes predictors, lists and descriptions in OpenFace's form."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pyclnf.io import atomic_write

from .labels import F64

#: (is an intensity, is dynamic) -> type number at the start of a predictor file.
_KIND = {(True, False): 0, (True, True): 1, (False, False): 4, (False, True): 5}


@dataclass(frozen=True)
class Predictor:
    """One linear model in units of the raw descriptor; `cutoff` only for dynamic intensities."""

    name: str
    intensity: bool
    dynamic: bool
    weights: F64
    bias: float
    cutoff: float = -1.0

    @property
    def file(self) -> str:
        """Path below the folder of the models."""
        kind = "svr" if self.intensity else "svm"
        view = "dynamic" if self.dynamic else "static"
        return f"{kind}_open/{self.name}_{view}.dat"


def write_predictor(path: Path, predictor: Predictor, means: F64) -> None:
    """Write one predictor; the classes of a presence are 1 for a positive score and 0 otherwise."""
    body = [struct.pack("<i", _KIND[predictor.intensity, predictor.dynamic])]
    if predictor.intensity and predictor.dynamic:
        body.append(struct.pack("<d", predictor.cutoff))
    for matrix in (means.reshape(1, -1), predictor.weights.reshape(-1, 1)):
        body.append(struct.pack("<iii", *matrix.shape, 6) + matrix.astype("<f8").tobytes())
    body.append(struct.pack("<d", predictor.bias))
    if not predictor.intensity:
        body.append(struct.pack("<dd", 1.0, 0.0))
    with atomic_write(path) as file:
        file.write(b"".join(body))


def write_models(
    folder: Path, predictors: Sequence[Predictor], means: dict[bool, F64], pdm: str, triangulation: str
) -> None:
    """Write predictors, ``AU_all_*.txt`` lists and ``main_*_svms.txt`` descriptions.

    Parameters
    ----------
    folder : Path
    predictors : all four kinds
    means : means (4702,) of static (False) and dynamic (True) predictors
    pdm : file name in `folder`, or "pyclnf:" and the name of a file of the landmark pack
    triangulation : file name in `folder`
    """
    for predictor in predictors:
        write_predictor(folder / predictor.file, predictor, means[predictor.dynamic])
    for dynamic, view, stem in ((True, "dynamic", "AU_all_best"), (False, "static", "AU_all_static")):
        chosen = sorted((p for p in predictors if p.dynamic == dynamic), key=lambda p: (p.intensity, p.name))
        lines = [f"{p.file} {p.name}" for p in chosen]
        with atomic_write(folder / f"{stem}.txt") as file:
            file.write(("\n".join(lines) + "\n").encode())
        main = f"AUPredictor {stem}.txt\nPDM {pdm}\nTriangulation {triangulation}\n"
        with atomic_write(folder / f"main_{view}_svms.txt") as file:
            file.write(main.encode())
