"""Carries the action-unit models over to a shape model whose mean alone has moved, exactly.

``python -m weights.train au-recentre --landmarks-before FOLDER``. Shapes have other parameters then, all moved by the
same vector, which is folded into the constants of the static models; the running median takes it off the dynamic ones.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pyclnf.io import PDMFile, read_pdm
from pyfaceau.prediction.files import AUModel, read_au_models

from .carry import carried
from .labels import F64
from .predictors import Predictor, write_predictor

LOG = logging.getLogger(__name__)
REPOSITORY = Path(__file__).parents[2]
PDM = "pdm_68_open.txt"
LARGEST_REST = 1e-3  # mm


def moved_by(before: PDMFile, after: PDMFile) -> F64:
    """Return what the mean has moved by, in parameters (m,); ValueError if more than the mean has changed."""
    if not (
        np.array_equal(before.basis, after.basis) and np.array_equal(before.eigenvalues, after.eigenvalues)
    ):
        raise ValueError("the shape models have other modes: use au-carry")
    basis, difference = before.basis.astype(np.float64), after.mean.astype(np.float64) - before.mean
    local = np.linalg.lstsq(basis, difference, rcond=None)[0]
    rest = float(np.abs(basis @ local - difference).max())
    if rest > LARGEST_REST:
        raise ValueError(f"the mean has left the space of the modes by {rest:.2g} mm: use au-carry")
    return np.asarray(local)


def recentred(model: AUModel, moved: F64, basis: F64) -> AUModel:
    """Give a model that scores faces with new parameters as ``model`` did with ``new + moved``."""
    return carried(model, np.vstack([np.eye(len(moved)), moved]), basis)


def main(arguments: Sequence[str] | None = None) -> None:
    """Carry the models over and write them in place."""
    parser = argparse.ArgumentParser(prog="python -m weights.train au-recentre", description=__doc__)
    parser.add_argument("--landmarks-before", type=Path, required=True, help="pack that they are for")
    parser.add_argument("--landmarks", type=Path, default=REPOSITORY / "pyclnf/pyclnf/models_open")
    parser.add_argument("--out", type=Path, default=REPOSITORY / "pyfaceau/pyfaceau/models_open")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    before = read_pdm(options.landmarks_before / PDM)
    moved = moved_by(before, read_pdm(options.landmarks / PDM))
    for model in read_au_models(options.out / "main_static_svms.txt").models:
        new = recentred(model, moved, before.basis.astype(np.float64))
        predictor = Predictor(new.name, new.intensity, new.dynamic, new.weights, new.bias)
        write_predictor(options.out / predictor.file, predictor, new.means)
        kind = "intensity" if new.intensity else "presence"
        LOG.info("%s, %s: constant %.3f, before %.3f", new.name, kind, new.bias, model.bias)


if __name__ == "__main__":
    main()
