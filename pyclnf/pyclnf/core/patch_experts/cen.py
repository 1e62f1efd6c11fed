"""Convolutional expert network (CEN) patch experts."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..._kernels import kernels
from ...io import CENExpert, CENFile
from .base import Fill, Float32Array, PatchExperts, check_support

_Layers = list[tuple[Float32Array, Float32Array, int]]


class CENExperts(PatchExperts):
    """The CENs of one scale.

    Mirrored pairs share one network: in view 0 it serves both landmarks at once; in the other views an empty expert is
    replaced by its mirror landmark's expert in the mirror view, on a flipped area.

    Parameters
    ----------
    data : CENFile
        Weights may be views of a memory-mapped file; they are used in place.
    mirror_landmarks, mirror_views : ndarray, optional
        Override those of the file. OpenFace keeps one pair for all scales: that of the last file read.

    Raises
    ------
    ValueError
        An expert has another area than the compiled banks know, or serves a landmark that does not exist.

    References
    ----------
    Zadeh, Baltrusaitis, Morency: Convolutional Experts Constrained Local Model for Facial Landmark Detection.
    CVPRW 2017.
    """

    def __init__(
        self,
        data: CENFile,
        mirror_landmarks: npt.NDArray[np.int32] | None = None,
        mirror_views: npt.NDArray[np.int32] | None = None,
    ) -> None:
        super().__init__(data, [[e.confidence for e in view] for view in data.experts])
        self.mirror_landmarks = data.mirror_landmarks if mirror_landmarks is None else mirror_landmarks
        self.mirror_views = data.mirror_views if mirror_views is None else mirror_views
        for view, experts in enumerate(data.experts):
            for landmark, expert in enumerate(experts):
                if expert.layers:
                    check_support(expert.width, expert.height, view, landmark)
        self._experts = data.experts
        for view in range(len(self.centres)):
            self.tasks(view)

    def tasks(self, view: int) -> list[tuple[CENExpert, list[tuple[int, bool]]]]:
        """List which expert serves which landmarks of a view, and whether the area is mirrored."""
        served: dict[
            int, tuple[int, CENExpert, bool]
        ] = {}  # landmark: whose expert, the expert, on a mirrored area
        for landmark in (int(i) for i in np.flatnonzero(self.visibility[view])):
            expert, partner = self._experts[view][landmark], int(self.mirror_landmarks[landmark])
            if not 0 <= partner < len(self._experts[view]) and (view == 0 or not expert.layers):
                raise ValueError(f"landmark {landmark} mirrors landmark {partner}, which does not exist")
            if view == 0:
                # A pair is done at once; should both have experts, the later one serves both.
                if expert.layers:
                    served[partner] = (landmark, expert, True)
                    served[landmark] = (landmark, expert, False)
            elif expert.layers:
                served[landmark] = (landmark, expert, False)
            else:
                other = int(self.mirror_views[view])
                mirrored = self._experts[other][partner] if 0 <= other < len(self._experts) else None
                if mirrored is None or not mirrored.layers:
                    raise ValueError(
                        f"landmark {landmark} has neither an expert nor a mirrored one in view {view}"
                    )
                served[landmark] = (landmark, mirrored, True)
        out: dict[int, tuple[CENExpert, list[tuple[int, bool]]]] = {}
        for landmark, (owner, expert, mirror) in served.items():
            out.setdefault(owner, (expert, []))[1].append((landmark, mirror))
        return list(out.values())

    def _bank(self, view: int) -> Fill:
        bank = kernels.CenBank(self.visibility.shape[1])
        for expert, targets in self.tasks(view):
            bank.add(_layers(expert), targets)
        return bank.responses


def _layers(expert: CENExpert) -> _Layers:
    """Weights, bias and activation per layer; input 0 of the first layer is the constant 1, so it joins the bias."""
    layers: _Layers = []
    for k, layer in enumerate(expert.layers):
        bias = layer.bias + layer.weight[:, 0] if k == 0 else layer.bias
        activation = layer.activation if layer.activation in (0, 2) else 1
        layers.append((layer.weight, np.ascontiguousarray(bias, dtype=np.float32), activation))
    return layers
