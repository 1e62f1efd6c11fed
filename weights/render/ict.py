"""The ICT-FaceKit Light face model: geometry, shapes and their relation to action units."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]

#: Facial action unit -> the expression shapes that make it (both sides together), after the
#: correspondence that the ICT-FaceKit documentation gives. AU10 uses the lip raiser itself
#: (mouthUpperUp), which is the visible movement; AU25 and AU26 are measured on the mesh.
AU_SHAPES: dict[str, tuple[str, ...]] = {
    "AU01": ("browInnerUp_L", "browInnerUp_R"),
    "AU02": ("browOuterUp_L", "browOuterUp_R"),
    "AU04": ("browDown_L", "browDown_R"),
    "AU05": ("eyeWide_L", "eyeWide_R"),
    "AU06": ("cheekSquint_L", "cheekSquint_R"),
    "AU07": ("eyeSquint_L", "eyeSquint_R"),
    "AU09": ("noseSneer_L", "noseSneer_R"),
    "AU10": ("mouthUpperUp_L", "mouthUpperUp_R"),
    "AU12": ("mouthSmile_L", "mouthSmile_R"),
    "AU14": ("mouthDimple_L", "mouthDimple_R"),
    "AU15": ("mouthFrown_L", "mouthFrown_R"),
    "AU17": ("mouthShrugLower",),
    "AU20": ("mouthStretch_L", "mouthStretch_R"),
    "AU23": ("mouthPress_L", "mouthPress_R"),
    "AU26": ("jawOpen",),
    "AU28": ("mouthRollLower", "mouthRollUpper"),
    "AU45": ("eyeBlink_L", "eyeBlink_R"),
}

#: Materials that are drawn, by how they are coloured.
SKIN = ("M_Face", "M_BackHead")
EYES = ("M_ScleraLeft", "M_IrisLeft", "M_ScleraRight", "M_IrisRight")
MOUTH = ("M_GumsTongue", "M_Teeth")

#: Lip gap (mesh units, cm) that counts as AU25 of intensity 5.
FULL_LIP_GAP = 1.5

_INNER_LIPS = ((61, 67), (62, 66), (63, 65))
#: Shapes that part the lips or close them again; the others thicken or roll lips that stay shut.
_LIP_PARTERS = (
    "jawOpen", "mouthClose", "mouthLowerDown_L", "mouthLowerDown_R", "mouthUpperUp_L", "mouthUpperUp_R",
    "noseSneer_L", "noseSneer_R", "mouthFunnel", "mouthSmile_L", "mouthSmile_R",
)  # fmt: skip


@dataclass(frozen=True)
class ICTModel:
    """ICT-FaceKit in image convention: x right, y down, z away from the viewer, centimetres.

    Attributes
    ----------
    neutral : (n, 3) array
    identity : (100, n, 3) array
    expression : (53, n, 3) array
    names : names of the expression shapes
    triangles : (t, 3) int32 array, triangles of the drawn materials
    triangle_kind : (t,) int8 array, 0 skin, 1 eye, 2 gums and tongue, 3 teeth
    landmark_vertices : (68,) array, iBUG order
    """

    neutral: F64
    identity: F64
    expression: F64
    names: tuple[str, ...]
    triangles: NDArray[np.int32]
    triangle_kind: NDArray[np.int8]
    landmark_vertices: NDArray[np.int64]

    def shape(self, identity: F64, weights: F64) -> F64:
        """Vertices (n, 3) for identity coefficients and expression weights."""
        k = len(identity)
        out = self.neutral + np.tensordot(identity, self.identity[:k], 1)
        active = np.flatnonzero(weights)
        return out + np.tensordot(weights[active], self.expression[active], 1)

    def weights(self, **named: float) -> F64:
        """Weight vector from names; a name without ``_L``/``_R`` sets both sides."""
        out = np.zeros(len(self.names))
        for name, value in named.items():
            hit = [
                i
                for i, n in enumerate(self.names)
                if n == name or (n[:-2] == name and n[-2:] in ("_L", "_R"))
            ]
            if not hit:
                raise KeyError(f"no expression shape {name!r}")
            out[hit] = value
        return out

    def lip_gap(self, vertices: F64) -> float:
        """Mean distance of the inner lips (landmarks 61-67, 62-66, 63-65), cm."""
        points = vertices[self.landmark_vertices]
        return float(np.mean([np.linalg.norm(points[a] - points[b]) for a, b in _INNER_LIPS]))

    def au_intensities(self, identity: F64, weights: F64) -> dict[str, float]:
        """Intensities 0-5 of the action units that the weights make, by construction.

        A weight of 1 counts as intensity 5. AU25 is the distance of the inner lips beyond that of
        the neutral face, 1.5 cm counting as 5, made by the shapes that part lips: the jaw, the lip
        raisers and lowerers, and a little by the smile.
        """
        out = {}
        for au, shapes in AU_SHAPES.items():
            out[au] = float(5.0 * np.mean([weights[self.names.index(s)] for s in shapes]))
        parting = np.where(np.isin(self.names, _LIP_PARTERS), weights, 0.0)
        gap = self.lip_gap(self.shape(identity, parting)) - self.lip_gap(self.shape(identity, 0 * weights))
        out["AU25"] = float(np.clip(5.0 * gap / FULL_LIP_GAP, 0.0, 5.0))
        return dict(sorted(out.items()))


def load_ict(path: str | Path, identities: int = 60) -> ICTModel:
    """Read ``ict_facekit_light.npz``, keeping the first `identities` modes and the drawn materials."""
    with np.load(path, allow_pickle=False) as data:
        neutral = data["neutral"].astype(np.float64)
        identity = data["identity"][:identities].astype(np.float64)
        expression = data["expression"].astype(np.float64)
        names = tuple(str(n) for n in data["expression_names"])
        faces, material = data["faces"], data["face_material"]
        materials = [str(n) for n in data["material_names"]]
        landmarks = data["landmark_vertices"].astype(np.int64)
    kinds = {**dict.fromkeys(SKIN, 0), **dict.fromkeys(EYES, 1), "M_GumsTongue": 2, "M_Teeth": 3}
    triangles, kind = [], []
    for name, code in kinds.items():
        chosen = faces[material == materials.index(name)]
        quads = chosen[chosen[:, 3] >= 0]
        part = np.concatenate([chosen[:, :3], quads[:, [0, 2, 3]]])
        triangles.append(part)
        kind.append(np.full(len(part), code, np.int8))
    flip = np.array([1.0, -1.0, -1.0])
    return ICTModel(
        neutral * flip,
        identity * flip,
        expression * flip,
        names,
        np.ascontiguousarray(np.concatenate(triangles), np.int32),
        np.concatenate(kind),
        landmarks,
    )
