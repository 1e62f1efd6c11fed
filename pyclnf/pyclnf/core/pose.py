"""Head pose and 3D landmarks from a fit and a pinhole camera."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .. import _core
from .geometry import euler_to_matrix, matrix_to_euler
from .pdm import PDM

Float64Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Camera:
    """Pinhole camera without distortion; all values in px.

    Attributes
    ----------
    fx, fy : float
        Focal lengths.
    cx, cy : float
        Optical centre.
    """

    fx: float
    fy: float
    cx: float
    cy: float

    @classmethod
    def for_size(
        cls,
        width: int,
        height: int,
        *,
        fx: float | None = None,
        fy: float | None = None,
        cx: float | None = None,
        cy: float | None = None,
    ) -> Camera:
        """Camera of a frame size; what is not given is guessed as OpenFace does (``SequenceCapture.cpp``)."""
        guess = (500.0 * (width / 640.0) + 500.0 * (height / 480.0)) / 2.0
        if fx is None:
            fx = fy = guess
        if cx is None:
            cx, cy = width / 2.0, height / 2.0
        return cls(fx, fx if fy is None else fy, cx, height / 2.0 if cy is None else cy)


def landmarks_3d(
    pdm: PDM,
    params_global: npt.ArrayLike,
    params_local: npt.ArrayLike,
    landmarks: npt.ArrayLike,
    camera: Camera,
) -> Float64Array:
    """Landmarks in camera space.

    Parameters
    ----------
    pdm : PDM
        Of the face, or of an eye.
    params_global, params_local : array_like
        Its fit.
    landmarks : array_like, shape (n, 2)
        The fitted landmarks, px.
    camera : Camera

    Returns
    -------
    ndarray, shape (n, 3), float64
        x right, y down, z away from the camera, mm.

    References
    ----------
    OpenFace 2.2, ``LandmarkDetectorModel.cpp``, ``GetShape``.
    """
    g = np.asarray(params_global, dtype=np.float64)
    points = np.asarray(landmarks, dtype=np.float64)
    depth = camera.fx / g[0] + pdm.shape_3d(params_local).astype(np.float64) @ euler_to_matrix(g[1:4])[2]
    out = np.empty((len(points), 3))
    out[:, 0] = depth * (points[:, 0] - camera.cx) / camera.fx
    out[:, 1] = depth * (points[:, 1] - camera.cy) / camera.fy
    out[:, 2] = depth
    return out


def head_pose(
    pdm: PDM,
    params_global: npt.ArrayLike,
    params_local: npt.ArrayLike,
    landmarks: npt.ArrayLike,
    camera: Camera,
) -> Float64Array:
    """Head position and orientation in camera space, by perspective-n-point on all landmarks.

    Parameters
    ----------
    pdm : PDM
    params_global, params_local : array_like
        Fit of the face.
    landmarks : array_like, shape (n, 2)
        The fitted landmarks, px.
    camera : Camera

    Returns
    -------
    ndarray, shape (6,), float64
        Tx, Ty, Tz in mm; pitch, yaw, roll in radians, about the axes of the camera (OpenFace's ``pose_*`` columns).
        NaN where the fit has no scale or holds values that are not finite.

    References
    ----------
    OpenFace 2.2, ``LandmarkDetectorFunc.cpp``, ``GetPose``.
    """
    g = np.asarray(params_global, dtype=np.float64)
    points = np.asarray(landmarks, dtype=np.float64)
    if g[0] == 0 or not (np.isfinite(g).all() and np.isfinite(points).all()):
        return np.full(6, np.nan)
    depth = camera.fx / g[0]
    start = ((g[4] - camera.cx) * depth / camera.fx, (g[5] - camera.cy) * depth / camera.fy, depth)
    # The reference starts from the Euler angles read as a rotation vector.
    rotation, translation = _core.solve_pnp(
        pdm.shape_3d(params_local), points, (camera.fx, camera.fy, camera.cx, camera.cy), tuple(g[1:4]), start
    )
    return np.concatenate([translation, matrix_to_euler(rotation)])
