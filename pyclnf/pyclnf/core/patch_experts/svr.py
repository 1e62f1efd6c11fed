"""Support vector regression patch experts of the classical CLM."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ... import _core
from ...io import SVRFile
from ..arrays import frozen
from .base import Float32Array, check_support


class SVRExperts:
    """The SVR experts of one scale; see :class:`~pyclnf.core.patch_experts.base.PatchExperts`.

    Raises
    ------
    ValueError
        A template has another area or input than the compiled banks know.

    References
    ----------
    Saragih, Lucey, Cohn: Deformable Model Fitting by Regularized Landmark Mean-Shift. IJCV 2011.
    """

    def __init__(self, data: SVRFile) -> None:
        self.scale = float(data.scale)
        self.centres = frozen(data.centres, np.float64)
        self.visibility = frozen(data.visibility, np.uint8)
        self.confidence = frozen(
            [
                [0.0 if e is None else sum(m.confidence for m in e.modalities) for e in view]
                for view in data.experts
            ],
            np.float32,
        )
        for view, experts in enumerate(data.experts):
            for landmark, expert in enumerate(experts):
                for template in expert.modalities:
                    height, width = template.weights.shape
                    check_support(width, height, view, landmark)
                if any(m.kind not in (0, 1) for m in expert.modalities):
                    raise ValueError(f"landmark {landmark} in view {view} looks at an unknown kind of input")
        self._experts = data.experts
        self._banks: dict[int, _core.SvrBank] = {}

    def responses(
        self,
        grey: npt.NDArray[np.uint8],
        shape: Float32Array,
        to_image: Float32Array,
        window: int,
        view: int,
        out: Float32Array,
        threads: int = 1,
    ) -> None:
        """Fill `out`; see :meth:`PatchExperts.responses <pyclnf.core.patch_experts.base.PatchExperts.responses>`."""
        bank = self._banks.get(view)
        if bank is None:
            bank = self._banks.setdefault(view, self._bank(view))
        bank.responses(grey, shape, float(to_image[0, 0]), float(-to_image[0, 1]), window, out, threads)

    def _bank(self, view: int) -> _core.SvrBank:
        bank = _core.SvrBank(self.visibility.shape[1])
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
        return bank
