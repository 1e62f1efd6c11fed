"""Warps a face to the reference frame of the action-unit models and blacks out what is not face."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pyclnf.geometry import align_similarity
from pyclnf.image import Frame, Picture, to_grey, warp_affine_u8
from pyfaceau.alignment.face_mask import black_out, rasterise

# OpenFace 2.2: Face_utils.cpp. Points that move little with expression; 30 (tip of the nose bridge) is not
# among them.
RIGID_POINTS = np.array(
    [1, 2, 3, 4, 12, 13, 14, 15, 27, 28, 29, 31, 32, 33, 34, 35, 36, 39, 40, 41, 42, 45, 46, 47]
)
# Jaw ends and eyebrows: moved up so that the mask keeps the forehead.
RAISED_POINTS = np.array([0, 16, *range(17, 27)])
RAISE = 30 / 0.7  # in millimetres of the face model

# OpenFace 2.2: FaceAnalyserParameters. The action-unit models were trained on this size and scale.
AU_SIZE = 112
AU_SCALE = 0.7

LARGEST_SIZE = 4096  # px; each face of this size takes 48 MB and most of a second

N_POINTS = 68


class ShapeModel(Protocol):
    """What the aligner needs of a point distribution model."""

    @property
    def mean(self) -> NDArray[np.float32]:
        """Mean shape (3n,), all x, then y, then z, in millimetres."""


@dataclass(frozen=True, eq=False)
class AlignedFace:
    """A face in the reference frame.

    Attributes
    ----------
    image : ndarray of shape (size, size, 3) or, if grey, (size, size), uint8
        Aligned face in the channel order of the frame.
    matrix : ndarray of shape (2, 3), float32
        Maps frame pixels to pixels of `image`.
    landmarks : ndarray of shape (68, 2), float32
        The landmarks in pixels of `image`.
    """

    image: NDArray[np.uint8]
    matrix: NDArray[np.float32]
    landmarks: NDArray[np.float32]


class FaceAligner:
    """Similarity alignment of faces by their rigid landmarks, as OpenFace's face analyser does it.

    Parameters
    ----------
    pdm : PDM
        68-point model; its unrotated mean shape is the reference.
    triangulation : ndarray of shape (t, 3), int
        Triangles that cover the face (`tris_68_full.txt`).
    size : int, optional
        Side of the aligned face in pixels, at most 4096.
    scale : float, optional
        Pixels per millimetre; by default 0.7 in 112 px and in proportion for other sizes, as for OpenFace's
        ``-simsize``.
    mask : bool, optional
        Black out everything outside the triangles.
    grey : bool, optional
        Return grey images.

    Raises
    ------
    ValueError
        If an argument has the wrong shape or is not positive, or the size is too large.

    Notes
    -----
    An aligner holds buffers: use one per thread.
    """

    def __init__(
        self,
        pdm: ShapeModel,
        triangulation: NDArray[np.integer[Any]],
        *,
        size: int = AU_SIZE,
        scale: float | None = None,
        mask: bool = True,
        grey: bool = False,
    ) -> None:
        if pdm.mean.size != 3 * N_POINTS:
            raise ValueError(f"the face model must have {N_POINTS} points, got {pdm.mean.size // 3}")
        if triangulation.ndim != 2 or triangulation.shape[1] != 3:
            raise ValueError(f"triangulation must have shape (t, 3), got {triangulation.shape}")
        if triangulation.size and not 0 <= triangulation.min() <= triangulation.max() < N_POINTS:
            raise ValueError(f"triangulation names points outside 0..{N_POINTS - 1}")
        if not 1 <= size <= LARGEST_SIZE:
            raise ValueError(
                f"the size of aligned faces must be positive and at most {LARGEST_SIZE} px, got {size}"
            )
        if scale is not None and not 0 < scale < math.inf:
            raise ValueError(f"the scale of aligned faces must be a positive number, got {scale}")
        self.size = size
        self.scale = size * AU_SCALE / AU_SIZE if scale is None else scale
        self.mask = mask
        self.grey = grey
        self._triangles = np.ascontiguousarray(triangulation, np.int32)
        mean_xy = pdm.mean[: 2 * N_POINTS].reshape(2, N_POINTS).T
        self._reference = np.ascontiguousarray((mean_xy * np.float32(self.scale))[RIGID_POINTS])
        self._mask_buffer = np.empty((size, size), np.uint8)

    def align(
        self,
        frame: Frame,
        landmarks: NDArray[np.float32],
        params_global: NDArray[np.float32],
    ) -> AlignedFace:
        """Cut the face out of a frame.

        Parameters
        ----------
        frame : ndarray of shape (H, W, 3), uint8, or Picture
            Colour image; of a picture, only the part around the face is made.
        landmarks : ndarray of shape (68, 2), float32
            Detected landmarks, x and y in pixels.
        params_global : ndarray of shape (6,), float32
            Parameters of the model fitted to these landmarks (`PDM.fit_landmarks`); the translation goes to
            the middle of the aligned face.

        Returns
        -------
        AlignedFace
            Its arrays are new and belong to the caller.

        Raises
        ------
        ValueError
            If the frame is not (H, W, 3) uint8, or the landmarks are not (68, 2) and finite.
        """
        if not isinstance(frame, Picture) and (
            frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8
        ):
            raise ValueError(f"frame must be (H, W, 3) uint8, got {frame.shape} {frame.dtype}")
        points = np.asarray(landmarks, np.float32)
        if points.shape != (N_POINTS, 2) or not np.isfinite(points).all():
            raise ValueError(
                f"landmarks must be finite and of shape ({N_POINTS}, 2), got shape {points.shape}"
            )
        matrix = self.warp_matrix(points, params_global)
        aligned_points = transform(points, matrix)
        image = warp_affine_u8(frame, matrix, (self.size, self.size))
        if self.mask:
            black_out(image, self.face_mask(aligned_points))
        return AlignedFace(to_grey(image) if self.grey else image, matrix, aligned_points)

    def warp_matrix(
        self, landmarks: NDArray[np.float32], params_global: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Transform from the frame to the aligned face.

        Parameters
        ----------
        landmarks : ndarray of shape (68, 2), float32
            In pixels of the frame.
        params_global : ndarray of shape (6,), float32
            See `align`.

        Returns
        -------
        ndarray of shape (2, 3), float32
        """
        matrix = np.empty((2, 3), np.float32)
        matrix[:, :2] = align_similarity(landmarks[RIGID_POINTS], self._reference)
        # The origin of the model, not the mean of the landmarks, comes to lie in the middle. The second
        # product is exact before it is added: the reference is compiled with fused multiply-add, and one
        # rounding more moves the 1/32 px grid of the warp, hence single pixels.
        tx, ty = np.asarray(params_global[4:6], np.float32)
        origin = matrix[:, 0] * tx + matrix[:, 1].astype(np.float64) * float(ty)
        matrix[:, 2] = np.float32(self.size // 2) - origin.astype(np.float32)
        return matrix

    def face_mask(self, aligned_landmarks: NDArray[np.float32]) -> NDArray[np.uint8]:
        """Mask of the face in the aligned image.

        Parameters
        ----------
        aligned_landmarks : ndarray of shape (68, 2), float32
            In pixels of the aligned image.

        Returns
        -------
        ndarray of shape (size, size), uint8
            1 inside the face including its outline, 0 outside. A buffer that the next call overwrites.
        """
        corners = np.array(aligned_landmarks, np.float32, order="C")
        corners[RAISED_POINTS, 1] = corners[RAISED_POINTS, 1].astype(np.float64) - RAISE * self.scale
        rasterise(corners, self._triangles, self._mask_buffer)
        return self._mask_buffer


def transform(points: NDArray[np.float32], matrix: NDArray[np.float32]) -> NDArray[np.float32]:
    """Apply an affine map to points.

    Parameters
    ----------
    points : ndarray of shape (n, 2), float32
    matrix : ndarray of shape (2, 3), float32

    Returns
    -------
    ndarray of shape (n, 2), float32
        The products are summed in double, as OpenCV does; in single precision the outline of the mask moves
        now and then by a pixel.
    """
    linear = points.astype(np.float64) @ matrix[:, :2].astype(np.float64).T
    moved: NDArray[np.float32] = linear.astype(np.float32) + matrix[:, 2]
    return moved
