"""The parts of UnityEyes 2: eye region with its shape PCA and subdivision, eyeball and textures.

Millimetres; x right, y down, z away from the camera; the eyeball's centre is the origin and the eye looks to -z.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]
F32 = NDArray[np.float32]
Ints = NDArray[np.int32]
# The files are in metres with x right, y away and z up.
_AXES = np.array([[1000.0, 0, 0], [0, 0, 1000.0], [0, -1000.0, 0]])
_OBJECT, _VERTICES, _FACES, _UV = 0x4000, 0x4110, 0x4120, 0x4140
_CONTAINERS = (0x4D4D, 0x3D3D, 0x4100)


def _to_camera(points: F64) -> F64:
    return np.asarray(points @ _AXES)


def read_3ds(path: Path) -> tuple[F64, Ints, F64]:
    """Vertices (n, 3), triangles (t, 3) and texture coordinates (n, 2) of the one object of a .3ds file, as stored."""
    content = path.read_bytes()
    found: dict[int, NDArray[np.generic]] = {}

    def walk(at: int, end: int) -> None:
        while at + 6 <= end:
            kind, length = struct.unpack_from("<HI", content, at)
            if length < 6 or at + length > end:
                raise ValueError(f"{path}: a chunk ends beyond its parent")
            body = at + 6
            if kind in _CONTAINERS:
                walk(body, at + length)
            elif kind == _OBJECT:
                walk(content.index(0, body) + 1, at + length)
            elif kind in (_VERTICES, _FACES, _UV):
                (count,) = struct.unpack_from("<H", content, body)
                layout, width = {_VERTICES: ("<f4", 3), _FACES: ("<u2", 4), _UV: ("<f4", 2)}[kind]
                found[kind] = np.frombuffer(content, layout, count * width, body + 2).reshape(-1, width)
            at += length

    walk(0, len(content))
    faces = np.ascontiguousarray(found[_FACES][:, :3], np.int32)
    return found[_VERTICES].astype(np.float64), faces, found[_UV].astype(np.float64)


@dataclass(frozen=True)
class EyeParts:
    """Meshes and textures.

    Attributes
    ----------
    mean, components, spread : (229, 3), (k, 229, 3), (k,) shape model of the region, mm
    subdivide : (872, 229) vertices of the fine region from the coarse ones
    region_triangles, region_uv : of the fine region
    ball, ball_triangles, ball_uv : eyeball
    skins : names of the skin textures
    """

    mean: F64
    components: F64
    spread: F64
    subdivide: F64
    region_triangles: Ints
    region_uv: F64
    ball: F64
    ball_triangles: Ints
    ball_uv: F64
    skins: dict[str, F32]
    skins_down: dict[str, F32]
    irises: dict[str, F32]


def _padded(text: str, kind: type) -> NDArray[np.generic]:
    rows = [[kind(v) for v in line.split(",") if v.strip()] for line in text.split()]
    width = max(map(len, rows))
    return np.array([row + [kind(0)] * (width - len(row)) for row in rows])


def load_parts(folder: Path, texture_size: int = 512) -> EyeParts:
    """Read everything from a folder of the form of ``../shared/data/unityeyes2``; textures become grey."""
    _, _, coarse_uv = read_3ds(folder / "eye_region.3ds")
    resources = folder / "Resources"
    mean = np.loadtxt(resources / "ShapePCA/mesh_mean.txt")
    components = np.loadtxt(resources / "ShapePCA/pca_components.txt").T.reshape(-1, len(mean), 3)
    spread = np.loadtxt(resources / "ShapePCA/transformed_std.txt")
    data = resources / "SubdivData"
    index = _padded((data / "new_v_idxs_eye_region.txt").read_text(), int).astype(int)
    weight = _padded((data / "new_v_weights_eye_region.txt").read_text(), float)
    subdivide = np.zeros((len(index), len(mean)))
    np.add.at(subdivide, (np.arange(len(index))[:, None], index), weight)
    triangles = np.loadtxt(data / "new_tris_eye_region.txt", dtype=np.int32).reshape(-1, 3)
    ball, ball_triangles, ball_uv = read_3ds(folder / "Eyeball/eyeball.3ds")

    def grey(path: Path) -> F32:
        image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        if image is None:
            raise FileNotFoundError(f"{path}: not a readable image")
        return np.asarray(
            cv2.resize(image, (texture_size, texture_size), interpolation=cv2.INTER_AREA), np.float32
        )

    skins = sorted((resources / "SkinTextures").glob("*_color.jpg"))
    return EyeParts(
        _to_camera(mean), components @ _AXES, spread, subdivide, triangles, subdivide @ coarse_uv,
        _to_camera(ball), ball_triangles, ball_uv,
        {path.name[:3]: grey(path) for path in skins},
        {path.name[:3]: grey(path.with_name(path.stem + "_look_down.jpg")) for path in skins},
        {path.stem: grey(path) for path in sorted((resources / "IrisTextures").glob("*.png"))},
    )  # fmt: skip
