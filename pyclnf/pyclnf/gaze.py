"""Gaze direction from the eye models, an eyeball of average size and the head pose; or from the open eye network."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .core.model import LandmarkModel
from .core.pdm import PDM
from .fit import FaceFit, PartFit
from .geometry import euler_to_matrix
from .image import Frame
from .open_eyes import eyes_beside, open_gaze
from .pose import Camera, landmarks_3d

Float64Array = npt.NDArray[np.float64]

# OpenFace 2.2: GazeEstimation.cpp
EYEBALL_RADIUS = 12.0  # mm
EYEBALL_OFFSET = (0.0, -3.5, 7.0)  # mm, from the middle of the eye corners, in the head's frame
IRIS_POINTS = slice(0, 8)  # of the eye model
EYE_CORNERS = ((36, 39), (42, 45))  # face landmarks: image left, then image right


@dataclass(frozen=True, eq=False)
class Gaze:
    """Where both eyes look.

    Attributes
    ----------
    directions : ndarray, shape (2, 3), float64
        Unit vectors in camera space (x right, y down, z away from the camera): the eye of landmarks 36-41, then of
        42-47.
    angles : ndarray, shape (2,), float64
        Horizontal and vertical angle of the mean direction in radians; 0 means into the camera.
    landmarks : ndarray, shape (56, 2), float32
        Eye landmarks in px: 28 points per eye.
    landmarks_3d : ndarray, shape (56, 3), float64
        The same in camera space, mm.
    opening, confidence : ndarray, shape (2,), float64, or None
        Of each eye: distance of its lids in mm, and 0 to 1 for how far its gaze can be trusted. None where the eyes
        were found by OpenFace's eye models, which do not tell.

    Examples
    --------
    See :func:`estimate_gaze`.
    """

    directions: Float64Array
    angles: Float64Array
    landmarks: npt.NDArray[np.float32]
    landmarks_3d: Float64Array
    opening: Float64Array | None = None
    confidence: Float64Array | None = None

    def __repr__(self) -> str:
        across, down = np.degrees(self.angles)
        return f"<Gaze {across:.1f} deg across, {down:.1f} deg down>"


def estimate_gaze(
    model: LandmarkModel,
    fit: FaceFit,
    pose: npt.ArrayLike,
    camera: Camera,
    image: Frame | None = None,
) -> Gaze | None:
    """Gaze of a fitted face.

    Parameters
    ----------
    model : LandmarkModel
        That made the fit.
    fit : FaceFit
    pose : array_like, shape (6,)
        Of the head, from :func:`~pyclnf.head_pose`.
    camera : Camera
    image : ndarray, shape (rows, cols[, 3]), uint8, or Picture, optional
        Picture of the fit, which the open pack's eye network looks at; OpenFace's eye models do not need it.

    Returns
    -------
    Gaze or None
        None if the model has neither eye models nor an eye network, or has a network and `image` is not given.
        Directions and angles are NaN where the pose is, or where the fit of the
        face or of an eye has no scale.

    Examples
    --------
    >>> import numpy as np
    >>> from pyclnf import CLNF, Camera, estimate_gaze, head_pose
    >>> clnf, camera = CLNF("open"), Camera.for_size(320, 240)
    >>> fit = clnf.fit(np.zeros((240, 320), np.uint8), box=(100, 60, 120, 130))
    >>> pose = head_pose(clnf.model.pdm, fit.params_global, fit.params_local, fit.landmarks, camera)
    >>> estimate_gaze(clnf.model, fit, pose, camera) is None  # the open pack's eyes need the image
    True

    References
    ----------
    OpenFace 2.2, ``GazeEstimation.cpp``, ``EstimateGaze``.
    """
    eyes = fit.eyes
    if eyes is None:
        return None if image is None else _by_network(model, fit, camera, image)
    pdms = {p.name: p.model.pdm for p in model.parts}
    head = euler_to_matrix(np.asarray(pose, dtype=np.float64)[3:])
    face = landmarks_3d(model.pdm, fit.params_global, fit.params_local, fit.landmarks, camera)
    points = [_eye_3d(eye, pdms, camera) for eye in eyes]
    with np.errstate(invalid="ignore"):  # NaN stays NaN
        directions = np.stack(
            [
                _direction(eye, face[list(corners)].mean(axis=0), head)
                for eye, corners in zip(points, EYE_CORNERS, strict=True)
            ]
        )
    return Gaze(
        directions,
        _angles(directions),
        np.concatenate([eye.landmarks for eye in eyes]),
        np.concatenate(points),
    )


def _by_network(model: LandmarkModel, fit: FaceFit, camera: Camera, image: Frame) -> Gaze | None:
    """Gaze by the eye network beside the model; None without one."""
    network = eyes_beside(model.path)
    found = None if network is None else open_gaze(network, image, fit.landmarks, fit.params_global, camera)
    if found is None:
        return None
    angles = _angles(found.directions)
    return Gaze(
        found.directions, angles, found.landmarks, found.landmarks_3d, found.opening, found.confidence
    )


def _angles(directions: Float64Array) -> Float64Array:
    mean = directions.mean(axis=0)
    return np.array([np.arctan2(mean[0], -mean[2]), np.arctan2(mean[1], -mean[2])])


def _eye_3d(eye: PartFit, pdms: dict[str, PDM], camera: Camera) -> Float64Array:
    return landmarks_3d(pdms[eye.name], eye.params_global, eye.params_local, eye.landmarks, camera)


def _direction(eye: Float64Array, corners: Float64Array, head: Float64Array) -> Float64Array:
    """From the eyeball's centre to where the ray through the iris enters the eyeball."""
    iris = eye[IRIS_POINTS].mean(axis=0)
    ray = iris / np.linalg.norm(iris)
    centre = corners + head @ np.array(EYEBALL_OFFSET)
    along = float(ray @ centre)
    discriminant = along * along - (float(centre @ centre) - EYEBALL_RADIUS**2)
    # A ray that misses the eyeball is given this point, not this direction, as in the reference.
    hit = (along - np.sqrt(discriminant)) * ray if discriminant >= 0 else np.array([0.0, 0.0, -1.0])
    gaze = hit - centre
    out: Float64Array = gaze / np.linalg.norm(gaze)
    return out
