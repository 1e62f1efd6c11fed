"""Head pose and 3D landmarks from a fit and a pinhole camera."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ._kernels import kernels
from .core.model import LandmarkModel
from .core.pdm import PDM
from .geometry import euler_to_matrix, matrix_to_euler
from .open_head import anatomy_beside

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

    Raises
    ------
    ValueError
        If a value is not finite, or a focal length not positive.

    Examples
    --------
    >>> from pyclnf import Camera
    >>> Camera.for_size(640, 480)
    Camera(fx=500.0, fy=500.0, cx=320.0, cy=240.0)
    """

    fx: float
    fy: float
    cx: float
    cy: float

    def __post_init__(self) -> None:
        values = (self.fx, self.fy, self.cx, self.cy)
        if not np.isfinite(values).all() or self.fx <= 0 or self.fy <= 0:
            raise ValueError(f"a camera needs finite values and positive focal lengths, got {self}")

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
        """Make the camera of a frame size; what is not given is guessed as OpenFace does.

        Parameters
        ----------
        width, height : int
            Of the frames, px.
        fx, fy : float, optional
            One that is not given equals the other; without both, a field of view usual for webcams is assumed.
        cx, cy : float, optional
            Half the width, half the height by default.

        Returns
        -------
        Camera

        Raises
        ------
        ValueError
            If a size or a focal length is not positive, or a value is not finite.

        References
        ----------
        OpenFace 2.2, ``SequenceCapture.cpp``.
        """
        if not (width > 0 and height > 0):
            raise ValueError(f"a frame must be larger than 0 px, got {width} x {height}")
        guess = (500.0 * (width / 640.0) + 500.0 * (height / 480.0)) / 2.0
        given = [value for value in (fx, fy) if value is not None]
        other = given[0] if given else guess
        return cls(
            other if fx is None else fx,
            other if fy is None else fy,
            width / 2.0 if cx is None else cx,
            height / 2.0 if cy is None else cy,
        )


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
        x right, y down, z away from the camera, mm. NaN where the fit has no scale or holds values that are not finite.

    Examples
    --------
    >>> import numpy as np
    >>> from pyclnf import PDM, Camera, landmarks_3d
    >>> from pyclnf.models import open_model_path
    >>> pdm = PDM.from_file(open_model_path().parent / "pdm_68_open.txt")
    >>> params_global, params_local = np.array([0.5, 0, 0, 0, 320, 240]), np.zeros(pdm.n_modes)
    >>> landmarks = pdm.project(params_global, params_local)
    >>> landmarks_3d(pdm, params_global, params_local, landmarks, Camera.for_size(640, 480)).shape
    (68, 3)

    References
    ----------
    OpenFace 2.2, ``LandmarkDetectorModel.cpp``, ``GetShape``.
    """
    g = np.asarray(params_global, dtype=np.float64)
    points = np.asarray(landmarks, dtype=np.float64)
    if g[0] == 0 or not (np.isfinite(g).all() and np.isfinite(points).all()):
        return np.full((len(points), 3), np.nan)
    depth = camera.fx / g[0] + pdm.shape_3d(params_local).astype(np.float64) @ euler_to_matrix(g[1:4])[2]
    out = np.empty((len(points), 3))
    out[:, 0] = depth * (points[:, 0] - camera.cx) / camera.fx
    out[:, 1] = depth * (points[:, 1] - camera.cy) / camera.fy
    out[:, 2] = depth
    return out


def head_pose(
    model: LandmarkModel | PDM,
    params_global: npt.ArrayLike,
    params_local: npt.ArrayLike,
    landmarks: npt.ArrayLike,
    camera: Camera,
) -> Float64Array:
    """Head position and orientation in camera space, by perspective-n-point on all landmarks.

    Parameters
    ----------
    model : LandmarkModel or PDM
        That made the fit. The open pack's model knows how heads differ and weighs the landmarks by it (see
        :mod:`pyclnf.open_head`). With a shape model alone, and with OpenFace's models, the fitted shape is posed.
    params_global, params_local : array_like
        Fit of the face.
    landmarks : array_like, shape (n, 2)
        The fitted landmarks, px.
    camera : Camera

    Returns
    -------
    ndarray, shape (6,), float64
        Tx, Ty, Tz in mm; pitch, yaw, roll in radians, about the axes of the camera (OpenFace's ``pose_*`` columns).
        NaN where the fit has no scale or holds values that are not finite, and where all landmarks are one point.

    Examples
    --------
    >>> import numpy as np
    >>> from pyclnf import Camera, LandmarkModel, head_pose
    >>> from pyclnf.models import open_model_path
    >>> model = LandmarkModel.load(open_model_path())
    >>> params_global, params_local = np.array([0.5, 0, 0.2, 0, 320, 240]), np.zeros(model.pdm.n_modes)
    >>> landmarks = model.pdm.project(params_global, params_local)
    >>> pose = head_pose(model, params_global, params_local, landmarks, Camera.for_size(640, 480))
    >>> bool(800 < pose[2] < 1200)  # about a metre away
    True

    References
    ----------
    OpenFace 2.2, ``LandmarkDetectorFunc.cpp``, ``GetPose``.
    """
    g = np.asarray(params_global, dtype=np.float64)
    points = np.asarray(landmarks, dtype=np.float64)
    if g[0] == 0 or not (np.isfinite(g).all() and np.isfinite(points).all()):
        return np.full(6, np.nan)
    if (points == points[:1]).all():
        return np.full(6, np.nan)  # seen from infinitely far
    depth = camera.fx / g[0]
    start = ((g[4] - camera.cx) * depth / camera.fx, (g[5] - camera.cy) * depth / camera.fy, depth)
    anatomy = anatomy_beside(model.path) if isinstance(model, LandmarkModel) else None
    if anatomy is not None:
        return anatomy.pose(points, camera, euler_to_matrix(g[1:4]), start)
    pdm = model.pdm if isinstance(model, LandmarkModel) else model
    # The reference starts from the Euler angles read as a rotation vector.
    rotation, translation = kernels.solve_pnp(
        pdm.shape_3d(params_local), points, (camera.fx, camera.fy, camera.cx, camera.cy), tuple(g[1:4]), start
    )
    pose = np.concatenate([translation, matrix_to_euler(rotation)])
    return pose if np.isfinite(pose).all() else np.full(6, np.nan)
