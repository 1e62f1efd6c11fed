"""Point distribution model: a 3D shape basis seen through a weak-perspective camera."""

from __future__ import annotations

import os
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from .._kernels import kernels
from ..errors import ModelFileError
from ..geometry import euler_to_matrix
from ..io import PDMFile, read_pdm
from ..overlap import checked_box
from .arrays import frozen

Float32Array = npt.NDArray[np.float32]


def _f32(values: npt.ArrayLike, size: int, what: str) -> Float32Array:
    out = np.ascontiguousarray(values, dtype=np.float32).reshape(-1)
    if out.size != size:
        raise ValueError(f"{what} must hold {size} values, got {out.size}")
    return out


class Look(NamedTuple):
    """A shape as patch experts of one scale look at it.

    Attributes
    ----------
    base : ndarray, shape (2n,), float32
        Landmarks in the image: all x, then all y, px.
    to_reference, to_image : ndarray, shape (2, 2), float32
        See :meth:`PDM.reference_frame`.
    view : int
        The nearest view; the first of several equally near.
    box : tuple of float
        Least x and y, greatest x and y of the landmarks.
    """

    base: Float32Array
    to_reference: Float32Array
    to_image: Float32Array
    view: int
    box: tuple[float, float, float, float]


class PDM:
    """A 3D point distribution model.

    Global parameters are ``(scale [px/mm], pitch, yaw, roll [rad], tx, ty [px])``; a point of the shape
    ``mean + basis @ params_local`` is rotated, scaled and translated into the image (x right, y down, pixel centres at
    integers).

    Parameters
    ----------
    mean : array_like, shape (3n,)
        Mean shape in mm: all x, all y, all z.
    basis : array_like, shape (3n, m)
        Modes of variation, any number of them up to 122.
    eigenvalues : array_like, shape (m,)
        Variance of each mode.

    Notes
    -----
    A model does not change: its arrays are read-only copies, and threads can share it.

    Raises
    ------
    ValueError
        If the arrays do not fit together, hold values that are not finite, or variances that are not positive.

    Examples
    --------
    >>> from pyclnf import PDM
    >>> from pyclnf.models import open_model_path
    >>> pdm = PDM.from_file(open_model_path().parent / "pdm_68_open.txt")
    >>> params_global = pdm.params_from_box((100, 80, 120, 130))
    >>> landmarks = pdm.project(params_global, [0.0] * pdm.n_modes)
    >>> landmarks.shape
    (68, 2)
    >>> found, _ = pdm.fit_landmarks(landmarks)
    >>> bool(abs(found[0] - params_global[0]) < 1e-3)  # px/mm
    True

    References
    ----------
    OpenFace 2.2, ``LandmarkDetector/src/PDM.cpp``.
    """

    def __init__(self, mean: npt.ArrayLike, basis: npt.ArrayLike, eigenvalues: npt.ArrayLike) -> None:
        self.mean = frozen(mean, np.float32).reshape(-1)
        self.basis = frozen(basis, np.float32)
        self.eigenvalues = frozen(eigenvalues, np.float32).reshape(-1)
        if (
            self.basis.ndim != 2
            or self.basis.shape != (self.mean.size, self.eigenvalues.size)
            or self.mean.size % 3
        ):
            raise ValueError(
                f"a PDM needs mean (3n,), basis (3n, m) and eigenvalues (m,), got {self.mean.shape}, "
                f"{self.basis.shape} and {self.eigenvalues.shape}"
            )
        if not all(np.isfinite(array).all() for array in (self.mean, self.basis, self.eigenvalues)):
            raise ValueError("a PDM needs finite values")
        if not (self.eigenvalues > 0).all():
            raise ValueError("the variances of a PDM must be positive")
        self.compiled = kernels.ShapeModel(self.mean, np.ascontiguousarray(self.basis.T), self.eigenvalues)

    def __copy__(self) -> PDM:
        return self

    def __deepcopy__(self, memo: object) -> PDM:
        return self

    def __reduce__(self) -> tuple[type[PDM], tuple[Float32Array, Float32Array, Float32Array]]:
        return type(self), (self.mean, self.basis, self.eigenvalues)

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> PDM:
        """Read a model in OpenFace's text format.

        Raises
        ------
        pyclnf.errors.ModelFileError
            If the file is missing, truncated or malformed.
        """
        data = read_pdm(path)
        try:
            return cls.from_data(data)
        except ValueError as error:
            raise ModelFileError(path, None, str(error)) from error

    @classmethod
    def from_data(cls, data: PDMFile) -> PDM:
        """Make a model of a parsed file."""
        return cls(data.mean, data.basis, data.eigenvalues)

    @property
    def n_points(self) -> int:
        """Number of landmarks."""
        return self.mean.size // 3

    @property
    def n_modes(self) -> int:
        """Number of shape modes."""
        return self.eigenvalues.size

    @cached_property
    def mean_points(self) -> Float32Array:
        """Mean shape, (n, 3), mm; read-only."""
        return frozen(self.mean.reshape(3, -1).T, np.float32)

    def shape_3d(self, params_local: npt.ArrayLike) -> Float32Array:
        """Unrotated 3D shape, (n, 3), mm."""
        planar = self.compiled.shape_3d(_f32(params_local, self.n_modes, "params_local"))
        return np.ascontiguousarray(planar.reshape(3, -1).T)

    def project(self, params_global: npt.ArrayLike, params_local: npt.ArrayLike) -> Float32Array:
        """Landmarks in the image, (n, 2), px."""
        planar = self.project_planar(
            _f32(params_global, 6, "params_global"), _f32(params_local, self.n_modes, "params_local")
        )
        return np.ascontiguousarray(planar.reshape(2, -1).T)

    def project_planar(self, params_global: Float32Array, params_local: Float32Array) -> Float32Array:
        """Landmarks as the optimiser keeps them: (2n,), all x then all y."""
        out: Float32Array = self.compiled.project(params_global, params_local)
        return out

    def jacobian(
        self, params_global: npt.ArrayLike, params_local: npt.ArrayLike, rigid: bool = False
    ) -> Float32Array:
        """Differentiate the planar landmarks by the parameters.

        Returns
        -------
        ndarray, shape (2n, 6) if `rigid` else (2n, 6 + m), float32
            Columns: scale, three body-frame rotation increments, tx, ty, modes.
        """
        g, p = _f32(params_global, 6, "params_global"), _f32(params_local, self.n_modes, "params_local")
        out: Float32Array = self.compiled.jacobian(g, p, rigid)
        return out

    def updated(
        self, params_global: npt.ArrayLike, params_local: npt.ArrayLike, step: npt.ArrayLike
    ) -> tuple[Float32Array, Float32Array]:
        """Parameters after a step in the coordinates of :meth:`jacobian`; the rotation stays a rotation."""
        g, p = _f32(params_global, 6, "params_global"), _f32(params_local, self.n_modes, "params_local")
        out: tuple[Float32Array, Float32Array] = self.compiled.update(
            g, p, np.ascontiguousarray(step, dtype=np.float32).reshape(-1)
        )
        return out

    def params_from_box(
        self,
        box: npt.ArrayLike,
        params_local: npt.ArrayLike | None = None,
        rotation: npt.ArrayLike = (0.0, 0.0, 0.0),
    ) -> Float32Array:
        """Global parameters whose landmarks fill a box.

        Parameters
        ----------
        box : array_like, shape (4,)
            x, y, width, height in px, enclosing all landmarks (chin to eyebrows).
        params_local : array_like, shape (m,), optional
            Zero by default.
        rotation : array_like, shape (3,)
            Pitch, yaw, roll in radians.

        Returns
        -------
        ndarray, shape (6,), float32
            Of scale 0 if the shape has no extent.

        Raises
        ------
        ValueError
            If the box is not four finite numbers with a positive size.
        """
        x, y, width, height = (float(v) for v in checked_box(box))
        p = np.zeros(self.n_modes, np.float32) if params_local is None else params_local
        seen = (self.shape_3d(p) @ euler_to_matrix(rotation).astype(np.float32).T)[:, :2]
        low, high = seen.min(axis=0), seen.max(axis=0)
        extent = high - low
        with np.errstate(over="ignore", invalid="ignore"):  # boxes beyond float32 give infinities
            scale = (width / extent[0] + height / extent[1]) / 2.0 if (extent > 0).all() else 0.0
            centre = np.array([x + width / 2.0, y + height / 2.0]) - scale * (low + high) / 2.0
            return np.array(
                [scale, *np.asarray(rotation, dtype=np.float64).reshape(3), *centre], dtype=np.float32
            )

    def bounding_box(self, params_global: npt.ArrayLike, params_local: npt.ArrayLike) -> Float32Array:
        """Tight box of the landmarks: x, y, width, height in px."""
        points = self.project(params_global, params_local)
        low, high = points.min(axis=0), points.max(axis=0)
        return np.concatenate([low, high - low])

    def fit_landmarks(
        self, landmarks: npt.ArrayLike, rotation: npt.ArrayLike = (0.0, 0.0, 0.0)
    ) -> tuple[Float32Array, Float32Array]:
        """Parameters that explain 2D landmarks, by damped Gauss-Newton with the shape prior.

        Parameters
        ----------
        landmarks : array_like, shape (n, 2)
            In px. A point whose x is exactly 0 counts as not visible.
        rotation : array_like, shape (3,)
            Pitch, yaw, roll to start from, radians.

        Returns
        -------
        params_global : ndarray, shape (6,), float32
        params_local : ndarray, shape (m,), float32
            Not clamped to three standard deviations. Where a landmark is not finite, the global parameters are NaN and
            these 0.

        References
        ----------
        OpenFace 2.2, ``PDM::CalcParams``, with its stopping rule.
        """
        points = np.asarray(landmarks, dtype=np.float32)
        if points.shape != (self.n_points, 2):
            raise ValueError(f"landmarks must be ({self.n_points}, 2), got {points.shape}")
        if not np.isfinite(points).all():
            return np.full(6, np.nan, np.float32), np.zeros(self.n_modes, np.float32)
        return self.fit_planar(np.ascontiguousarray(points.T).reshape(-1), rotation)

    def fit_planar(
        self, landmarks: Float32Array, rotation: npt.ArrayLike = (0.0, 0.0, 0.0)
    ) -> tuple[Float32Array, Float32Array]:
        """Like :meth:`fit_landmarks`, for landmarks as (2n,), all x then all y."""
        out: tuple[Float32Array, Float32Array] = self.compiled.fit_landmarks(
            landmarks, np.ascontiguousarray(rotation, dtype=np.float32).reshape(-1)
        )
        return out

    def look(
        self,
        params_global: Float32Array,
        params_local: Float32Array,
        scale: float,
        centres: Float32Array,
    ) -> Look:
        """Everything that patch experts of a scale need to know of a shape, at once.

        Parameters
        ----------
        params_global : ndarray, shape (6,), float32
        params_local : ndarray, shape (m,), float32
        scale : float
            Of the reference frame, px/mm.
        centres : ndarray, shape (views, 3), float32
            Pitch, yaw, roll of the views, radians.
        """
        return Look(*self.compiled.look(params_global, params_local, scale, centres))

    def reference_frame(
        self, landmarks: Float32Array, params_local: Float32Array, scale: float
    ) -> tuple[Float32Array, Float32Array]:
        """Similarities between the image and the frame in which patch experts work.

        Parameters
        ----------
        landmarks : ndarray, shape (2n,), float32
            Planar landmarks, px.
        params_local : ndarray, shape (m,), float32
            Their shape, which the reference frame shows upright.
        scale : float
            Of the reference frame, px/mm.

        Returns
        -------
        to_reference, to_image : ndarray, shape (2, 2), float32
            :func:`~pyclnf.geometry.align_similarity` of the two shapes, and its inverse.
        """
        out: tuple[Float32Array, Float32Array] = self.compiled.reference_frame(landmarks, params_local, scale)
        return out
