"""The product's fitter on experts that are still in memory, one pass at a time, for training and for judging."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pyclnf.config import ORIENTATIONS, FitParameters
from pyclnf.core.initialisation import fit_in_image
from pyclnf.core.model import LandmarkModel
from pyclnf.core.optimizer import FitState
from pyclnf.core.optimizer import Fitter as ProductFitter
from pyclnf.core.patch_experts import CENExperts
from pyclnf.io import EarlyTermination

from .pdm import ShapeModel

Array = NDArray[np.float64]
# OpenFace 2.2: LandmarkDetectorParameters, after the correction for CE-CLM. No parts, and no validator.
PARAMETERS = FitParameters(sigma=2.25, regularisation=22.5, validate=False, use_parts=False)
WINDOWS_INIT = PARAMETERS.windows_init
HYPOTHESES = ORIENTATIONS


class Fitter:
    """CE-CLM of a shape model and patch experts.

    Parameters
    ----------
    model : ShapeModel
    experts : sequence of CENExperts
        Coarse to fine; the first few scales are enough for passes that use no others.
    early : EarlyTermination, optional
        With it, `fit_box` stops at the first convincing starting pose.
    """

    def __init__(
        self, model: ShapeModel, experts: Sequence[CENExperts], early: EarlyTermination | None = None
    ) -> None:
        self.model = model
        self._fitter = ProductFitter(
            LandmarkModel(
                path=Path("in memory"),
                pdm=model.pdm(),
                scales=tuple(experts),
                parts=(),
                validator=None,
                early_termination=early,
                files=(),
            ),
            PARAMETERS,
        )

    def project(self, fit: FitState) -> Array:
        """Image points (68, 2) of a fit."""
        return self._fitter.model.pdm.project(fit.params_global, fit.params_local).astype(np.float64)

    def from_box(self, box: Sequence[float], euler: Sequence[float]) -> FitState:
        """Pose of the mean shape, turned by ``euler``, that fills a box (x, y, w, h)."""
        self._fitter.reset()
        self._fitter.start(box, euler)
        return self._fitter.present

    def run(self, image: NDArray[np.uint8], fit: FitState, windows: Sequence[int]) -> bool:
        """One pass over the scales whose window is not 0, from `fit`, which receives the result."""
        self._fitter.present = fit
        return self._fitter.detect(image, tuple(windows))

    def fit_box(self, image: NDArray[np.uint8], box: Sequence[float], multi: bool = True) -> FitState:
        """Fit a face in a box from all starting poses (early termination) or from the frontal one."""
        self._fitter.reset()
        fit_in_image(self._fitter, image, box, multi)
        return copy(self._fitter.present)
