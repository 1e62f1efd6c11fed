"""Cutoffs at which the first pass of a starting pose is good enough to stop trying others."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .evaluate import jittered_box
from .fitting import HYPOTHESES, WINDOWS_INIT, Fitter
from .sampling import FittedFaces

Array = NDArray[np.float64]
LOG = logging.getLogger(__name__)
# a first pass is good when its mean error, in outer-eye distances, is below this
GOOD_ERROR = 0.09
# share of wrong first passes that may slip through
FALSE_ACCEPT = 0.02


def first_pass_scores(
    fitter: Fitter, faces: FittedFaces, images: Sequence[NDArray[np.uint8]], seed: int
) -> tuple[Array, NDArray[np.int64], Array]:
    """Likelihood, view and error of the coarse pass, from frontal and turned starts in disturbed boxes."""
    rng = np.random.default_rng(seed)
    likelihood, view, error = [], [], []
    for index, truth in enumerate(faces.points):
        size = np.linalg.norm(truth[45] - truth[36])
        for start in (HYPOTHESES[0], HYPOTHESES[int(rng.integers(1, len(HYPOTHESES)))]):
            box = jittered_box(truth, rng, float(rng.choice([0.05, 0.2])))
            fit = fitter.from_box(box, start)
            fitter.run(images[index], fit, (WINDOWS_INIT[0], 0, 0, 0))
            likelihood.append(fit.likelihood)
            view.append(fit.view)
            error.append(float(np.linalg.norm(fitter.project(fit) - truth, axis=1).mean() / size))
    return np.array(likelihood), np.array(view), np.array(error)


def calibrate(likelihood: Array, view: NDArray[np.int64], error: Array) -> Array:
    """Weights, biases and cutoffs (3, 3): the cutoff lets ``FALSE_ACCEPT`` of the wrong passes through.

    Side views are mirror images of each other and share their numbers.
    """
    table = np.zeros((3, 3))
    table[0] = 1.0
    for views in ((0,), (1, 2)):
        own = np.isin(view, views)
        good = own & (error < GOOD_ERROR)
        wrong = own & (error >= 1.5 * GOOD_ERROR)
        cutoff = float(np.quantile(likelihood[wrong], 1.0 - FALSE_ACCEPT))
        cutoff = min(cutoff, float(np.quantile(likelihood[good], 0.5)))
        table[2, list(views)] = cutoff
        LOG.info(
            "views %s: cutoff %.3f accepts %.1f %% of good and %.1f %% of wrong first passes", views, cutoff,
            100 * (likelihood[good] > cutoff).mean(), 100 * (likelihood[wrong] > cutoff).mean(),
        )  # fmt: skip
    return table


def write_table(table: Array, path: Path) -> None:
    """Write weights, biases and cutoffs in OpenFace's text layout."""
    path.write_text("\n".join(" ".join(f"{value:.3f}" for value in row) for row in table) + "\n")
