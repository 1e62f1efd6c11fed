"""Where a head points, by the anatomy of heads: the open pack's pose.

The open shape model follows a face so closely that a nod passes for a longer or shorter face, and the pose that is
fitted together with the shape hardly moves. Here the landmarks are what counts: they are compared with the mean of
scanned heads under every pose, and where heads differ from each other a point counts less. This is
generalised least squares, without bias whoever the person is as long as persons differ as the scanned heads do.
"""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt

from .errors import MissingModelError, ModelFileError
from .geometry import matrix_to_euler
from .io.archive import read_archive
from .open_arrays import HEAD_FILE, beside

Float64Array = npt.NDArray[np.float64]
_ARRAYS: Final = ("points", "precision")
_TRIALS: Final = 25
_DIAGONAL: Final = np.diag_indices(6)
_SMALL_STEP: Final = (
    1e-3  # radians, and shares of the distance: after such a step the error left is a tenth of it
)


class _Pinhole(Protocol):
    """What is used of a camera, px."""

    @property
    def fx(self) -> float: ...
    @property
    def fy(self) -> float: ...
    @property
    def cx(self) -> float: ...
    @property
    def cy(self) -> float: ...


class HeadAnatomy:
    """Mean and spread of heads' landmarks, from a file written by ``weights.landmarks.heads``.

    Parameters
    ----------
    arrays : mapping of str to ndarray
        ``points`` (n, 3), mm: mean head, x right, y down, z away. ``precision`` (2 n, 2 n), mm**-2: inverse covariance
        of what a frontal head's points differ by in the picture, x and y of a point side by side.

    Raises
    ------
    ValueError
        If the arrays are none of such.
    """

    def __init__(self, arrays: dict[str, npt.NDArray[Any]]) -> None:
        missing = [name for name in _ARRAYS if name not in arrays]
        if missing:
            raise ValueError(f"the heads' anatomy lacks {', '.join(missing)}")
        if any(arrays[name].dtype.kind != "f" for name in _ARRAYS):
            raise ValueError("the heads' anatomy is not of floating point")
        self._points = np.array(arrays["points"], np.float64, order="C")
        precision = np.array(arrays["precision"], np.float64)
        n = len(self._points)
        if self._points.shape != (n, 3) or n < 3 or precision.shape != (2 * n, 2 * n):
            raise ValueError(
                f"the heads' anatomy has {self._points.shape} points and {precision.shape} weights"
            )
        if not (np.isfinite(self._points).all() and np.isfinite(precision).all()):
            raise ValueError("the heads' anatomy has numbers that are not finite")
        try:
            self._root = np.ascontiguousarray(np.linalg.cholesky((precision + precision.T) / 2).T)
        except np.linalg.LinAlgError as error:
            raise ValueError("the heads' weights are not positive definite") from error

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> HeadAnatomy:
        """Read the anatomy; ModelFileError if the file is none."""
        try:
            return cls(read_archive(path, _ARRAYS))
        except FileNotFoundError:
            raise MissingModelError([path]) from None
        except OSError as error:
            raise ModelFileError(path, None, f"cannot be read ({error.strerror or error})") from error
        except ValueError as error:
            raise ModelFileError(path, 0, f"not the anatomy of heads: {error}") from error

    @property
    def n_points(self) -> int:
        """Number of landmarks."""
        return len(self._points)

    def pose(
        self, landmarks: npt.ArrayLike, camera: _Pinhole, rotation: npt.ArrayLike, translation: npt.ArrayLike
    ) -> Float64Array:
        """Position and orientation of a head in camera space.

        Parameters
        ----------
        landmarks : array_like, shape (n, 2)
            px, finite.
        camera : Camera
        rotation : array_like, shape (3, 3)
        translation : array_like, shape (3,)
            Where to start; the result hardly depends on it.

        Returns
        -------
        ndarray, shape (6,), float64
            Tx, Ty, Tz in mm; pitch, yaw, roll in radians. NaN where the points are no picture of a head.

        Notes
        -----
        Levenberg's and Marquardt's method on whitened distances, measured in mm at the head's depth and turned upright
        by the head's roll.
        """
        points = np.asarray(landmarks, np.float64)
        focal, middle = np.array([camera.fx, camera.fy]), np.array([camera.cx, camera.cy])
        turn, place = np.asarray(rotation, np.float64), np.asarray(translation, np.float64)
        depth, roll = place[2], np.arctan2(turn[1, 0], turn[0, 0])
        upright = np.array([[np.cos(roll), np.sin(roll)], [-np.sin(roll), np.cos(roll)]])
        rays = (points - middle) / focal
        damping = 1e-6
        with np.errstate(all="ignore"):  # what is not finite is refused below
            residual, slope = self._whitened(rays, depth, upright, turn, place)
            cost = float(residual @ residual)
            for _ in range(_TRIALS):
                gram = slope.T @ slope
                gram[_DIAGONAL] *= 1 + damping
                try:
                    step = np.linalg.solve(gram, slope.T @ residual)
                except np.linalg.LinAlgError:
                    break
                turned, placed = _rotation(step[:3]) @ turn, place + step[3:] * depth
                if np.abs(step).max() < _SMALL_STEP:
                    turn, place = turned, placed
                    break
                tried, new_slope = self._whitened(rays, depth, upright, turned, placed)
                new = float(tried @ tried)
                if new <= cost and placed[2] > 0:
                    turn, place, residual, slope, cost = turned, placed, tried, new_slope, new
                    damping /= 10
                else:
                    damping *= 10
                if damping > 1e6:
                    break
            pose = np.concatenate([place, matrix_to_euler(turn)])
        return pose if np.isfinite(pose).all() and np.isfinite(cost) else np.full(6, np.nan)

    def _whitened(
        self, rays: Float64Array, unit: float, upright: Float64Array, turn: Float64Array, place: Float64Array
    ) -> tuple[Float64Array, Float64Array]:
        """Whitened distances (2 n,) and their slopes (2 n, 6) by a turn and a move; moves count in parts of `unit`."""
        moved = self._points @ turn.T
        x, y, z = moved.T
        depth = z + place[2]
        seen = (moved[:, :2] + place[:2]) / depth[:, None]
        out = np.zeros((len(rays), 2, 7))
        # slope of a point in space, less what its depth changes
        out[:, 1, 0], out[:, 0, 1], out[:, 0, 2], out[:, 1, 2] = -z, z, -y, x
        out[:, :, 0] -= seen * y[:, None]
        out[:, :, 1] += seen * x[:, None]
        out[:, 0, 3] = out[:, 1, 4] = unit
        out[:, :, 5] = -seen * unit
        out *= (unit / depth)[:, None, None]
        out[:, :, 6] = (rays - seen) * unit
        white = self._root @ (upright @ out).reshape(2 * len(rays), 7)
        return white[:, 6], white[:, :6]


def _rotation(vector: Float64Array) -> Float64Array:
    """Rotation matrix of a rotation vector (Rodrigues)."""
    angle = float(np.linalg.norm(vector))
    if not angle > 1e-12:
        return np.eye(3)
    x, y, z = vector / angle
    skew = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.asarray(np.eye(3) + np.sin(angle) * skew + (1 - np.cos(angle)) * (skew @ skew))


@functools.lru_cache(maxsize=4)
def _loaded(path: Path, changed: int, size: int) -> HeadAnatomy:
    return HeadAnatomy.from_file(path)


def anatomy_beside(main_file: Path) -> HeadAnatomy | None:
    """Return the heads' anatomy beside a model's main file, loaded once for as long as the file stays the same."""
    path = beside(main_file, HEAD_FILE)
    if path is None:
        return None
    state = path.stat()
    return _loaded(path, state.st_mtime_ns, state.st_size)
