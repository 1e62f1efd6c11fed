"""Carries the action-unit models over to a shape model with the same shapes but another mean or other modes, exactly.

``python -m weights.train au-recentre --landmarks-before FOLDER``. A shape has other parameters then, and the old ones
are a linear map of them, which is folded into the weights and the constants of the static models; the running median
takes constants off the dynamic ones.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pyclnf.io import PDMFile, read_pdm
from pyfaceau.prediction.files import read_au_models

from .carry import carried
from .labels import F64
from .predictors import Predictor, write_predictor

LOG = logging.getLogger(__name__)
REPOSITORY = Path(__file__).parents[2]
PDM = "pdm_68_open.txt"
LARGEST_REST, LARGEST_REST_MM = 1e-5, 1e-3  # of modes, which have unit length, and of the mean


def parameter_map(before: PDMFile, after: PDMFile) -> F64:
    """Map (m + 1, m) from new shape parameters and a constant to old ones; ValueError if the shapes are others."""
    old, new = before.basis.astype(np.float64), after.basis.astype(np.float64)
    wanted = np.column_stack([new, after.mean.astype(np.float64) - before.mean])
    mapping = np.linalg.lstsq(old, wanted, rcond=None)[0]
    rest = np.abs(old @ mapping - wanted).max(axis=0)
    if rest[:-1].max() > LARGEST_REST or rest[-1] > LARGEST_REST_MM:
        raise ValueError("the shape models have other shapes: use au-carry")
    return np.asarray(mapping.T)


def main(arguments: Sequence[str] | None = None) -> None:
    """Carry the models over and write them in place."""
    parser = argparse.ArgumentParser(prog="python -m weights.train au-recentre", description=__doc__)
    parser.add_argument("--landmarks-before", type=Path, required=True, help="pack that they are for")
    parser.add_argument("--landmarks", type=Path, default=REPOSITORY / "pyclnf/pyclnf/models_open")
    parser.add_argument("--out", type=Path, default=REPOSITORY / "pyfaceau/pyfaceau/models_open")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    before = read_pdm(options.landmarks_before / PDM)
    mapping = parameter_map(before, read_pdm(options.landmarks / PDM))
    for view in ("dynamic", "static"):
        for model in read_au_models(options.out / f"main_{view}_svms.txt").models:
            new = carried(model, mapping, before.basis.astype(np.float64))
            cutoff = -1.0 if new.cutoff is None else new.cutoff
            predictor = Predictor(new.name, new.intensity, new.dynamic, new.weights, new.bias, cutoff)
            write_predictor(options.out / predictor.file, predictor, new.means)
            LOG.info("%s: constant %.3f, before %.3f", predictor.file, new.bias, model.bias)


if __name__ == "__main__":
    main()
