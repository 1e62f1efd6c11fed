"""Support vector regression patch experts of the classical CLM."""

from __future__ import annotations

import numpy as np

from ..._kernels import kernels
from ...io import SVRFile
from .base import Fill, PatchExperts, check_support


class SVRExperts(PatchExperts):
    """The SVR experts of one scale.

    Raises
    ------
    ValueError
        A template has another area or input than the compiled banks know.

    References
    ----------
    Saragih, Lucey, Cohn: Deformable Model Fitting by Regularized Landmark Mean-Shift. IJCV 2011.
    """

    def __init__(self, data: SVRFile) -> None:
        confidence = [
            [0.0 if e is None else sum(m.confidence for m in e.modalities) for e in view]
            for view in data.experts
        ]
        super().__init__(data, confidence)
        for view, experts in enumerate(data.experts):
            for landmark, expert in enumerate(experts):
                for template in expert.modalities:
                    height, width = template.weights.shape
                    check_support(width, height, view, landmark)
                if any(m.kind not in (0, 1) for m in expert.modalities):
                    raise ValueError(f"landmark {landmark} in view {view} looks at an unknown kind of input")
        self._experts = data.experts

    def _bank(self, view: int) -> Fill:
        bank = kernels.SvrBank(self.visibility.shape[1])
        for landmark in np.flatnonzero(self.visibility[view]):
            expert = self._experts[view][landmark]
            if expert is not None:
                modalities = [
                    (
                        np.ascontiguousarray(m.weights, np.float32),
                        float(m.scaling),
                        float(m.bias),
                        int(m.kind),
                    )
                    for m in expert.modalities
                ]
                bank.add(int(landmark), modalities)
        return bank.responses
