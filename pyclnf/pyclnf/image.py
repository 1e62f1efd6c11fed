"""Images as the landmark code wants them: 8-bit, grey, sampled on OpenCV's fixed-point grid."""

from __future__ import annotations

from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
import numpy.typing as npt

from ._kernels import kernels

LARGEST_SIDE = 8192  # px of a warped image; one of this size takes seconds


@runtime_checkable
class Picture(Protocol):
    """A frame whose pixels are made when they are asked for, such as a decoder's.

    Attributes
    ----------
    shape : tuple of int
        Rows, columns, 3.
    """

    @property
    def shape(self) -> tuple[int, int, int]:
        """Rows, columns, 3."""

    def part(self, x0: int, y0: int, x1: int, y1: int) -> npt.NDArray[np.uint8]:
        """Return rows y0 to y1 and columns x0 to x1, which lie inside.

        Returns
        -------
        ndarray, shape (y1 - y0, x1 - x0, 3), uint8
            BGR, with contiguous pixels; not to be written to.
        """


Frame: TypeAlias = npt.NDArray[Any] | Picture


def part_of(frame: Frame, x0: int, y0: int, x1: int, y1: int) -> npt.NDArray[Any]:
    """Cut out of an array, or have made, a part that lies inside; see :meth:`Picture.part`."""
    return frame[y0:y1, x0:x1] if isinstance(frame, np.ndarray) else frame.part(x0, y0, x1, y1)


def whole(frame: Frame) -> npt.NDArray[Any]:
    """Return all of a frame as an array."""
    return frame if isinstance(frame, np.ndarray) else frame.part(0, 0, frame.shape[1], frame.shape[0])


def to_uint8(image: npt.NDArray[np.generic]) -> npt.NDArray[np.uint8]:
    """Return an 8-bit image; 16-bit values are divided by 256 and rounded half to even, as OpenFace does.

    Parameters
    ----------
    image : ndarray, shape (rows, cols) or (rows, cols, channels), uint8 or uint16
        Any image. A trailing axis of one channel is dropped.

    Returns
    -------
    ndarray, uint8
        Shape (rows, cols) or (rows, cols, 3 or 4).

    Raises
    ------
    TypeError
        If the image is not an array, or neither 8- nor 16-bit.
    ValueError
        If it is empty or has another number of axes or channels.
    """
    if not isinstance(image, np.ndarray):
        raise TypeError(f"image must be a NumPy array, got {type(image).__name__}")
    image = np.asarray(image)  # not numpy.matrix, which stays two-dimensional whatever is done to it
    if image.size == 0:
        raise ValueError(
            f"image is empty (shape {image.shape}): was it read from a file that does not exist?"
        )
    if image.ndim == 3 and image.shape[2] == 1:
        image = image[:, :, 0]
    if image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] not in (3, 4)):
        raise ValueError(
            f"image must be (rows, cols), (rows, cols, 3) or (rows, cols, 4), got shape {image.shape}"
        )
    if image.dtype == np.uint16:
        return np.minimum(np.rint(image.astype(np.float64) / 256.0), 255.0).astype(np.uint8)
    if image.dtype != np.uint8:
        raise TypeError(
            f"image must be uint8 or uint16, got a {image.dtype} array; scale it to 0..255 and convert"
        )
    return image  # type: ignore[return-value]


def to_grey(image: npt.NDArray[np.generic]) -> npt.NDArray[np.uint8]:
    """Grey image of a BGR, BGRA or grey frame, with OpenCV 4's fixed-point weights.

    Parameters
    ----------
    image : ndarray, shape (rows, cols), (rows, cols, 3) or (rows, cols, 4), uint8 or uint16
        A frame in OpenCV's channel order.

    Returns
    -------
    ndarray, shape (rows, cols), uint8, C-contiguous
    """
    frame = to_uint8(image)
    if frame.ndim == 2:
        return np.ascontiguousarray(frame)
    packed = frame.strides[1:] == (frame.shape[2], 1)
    return kernels.to_grey(frame if packed else np.ascontiguousarray(frame))


def warp_affine_u8(image: Frame, matrix: npt.ArrayLike, size: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """Warp an 8-bit image by a forward affine map: bilinear, 1/32 px grid, black outside.

    Parameters
    ----------
    image : ndarray, shape (rows, cols) or (rows, cols, channels), uint8, or Picture
        At most four channels. Of a picture only the part that the output shows is made.
    matrix : array_like, shape (2, 3)
        Takes input pixels (x, y, 1) to output pixels.
    size : (width, height)
        Of the output, in px.

    Returns
    -------
    ndarray, shape (height, width[, channels]), uint8
        Equal to ``cv2.warpAffine(image, matrix, size)`` of OpenCV 4.6, whatever OpenCV is installed. Black where the
        matrix or its inverse is not finite.

    Raises
    ------
    ValueError
        If a side of the output is not between 1 and 8192 px.
    """
    m = np.asarray(matrix, dtype=np.float64).reshape(2, 3)
    width, height = (int(n) for n in size)
    if not (0 < width <= LARGEST_SIDE and 0 < height <= LARGEST_SIDE):
        raise ValueError(f"the size must be from 1 to {LARGEST_SIDE} px, got {width} x {height}")
    det = m[0, 0] * m[1, 1] - m[0, 1] * m[1, 0]
    d = 1.0 / det if det != 0 else 0.0
    a00, a11, a01, a10 = m[1, 1] * d, m[0, 0] * d, -m[0, 1] * d, -m[1, 0] * d
    inverse = np.array(
        [[a00, a01, -a00 * m[0, 2] - a01 * m[1, 2]], [a10, a11, -a10 * m[0, 2] - a11 * m[1, 2]]]
    )
    if isinstance(image, np.ndarray) or not isinstance(image, Picture):
        image = np.asarray(image)
    if not np.isfinite(inverse).all():
        return np.zeros((height, width, *image.shape[2:]), np.uint8)
    left, top, right, bottom = _shown(inverse, (width, height), image.shape)
    if right <= left or bottom <= top:
        return np.zeros((height, width, *image.shape[2:]), np.uint8)
    part = part_of(image, left, top, right, bottom)
    frame = part[:, :, None] if part.ndim == 2 else part
    if frame.strides[2] != 1:
        frame = np.ascontiguousarray(frame)
    out: npt.NDArray[np.uint8] = kernels.warp_inverse_u8(frame, inverse, width, height, left, top)
    return out[:, :, 0] if part.ndim == 2 else out


def _shown(
    inverse: npt.NDArray[np.float64], size: tuple[int, int], shape: tuple[int, ...]
) -> tuple[int, int, int, int]:
    """Part of an image of this shape that an output of this size shows: x0, y0, x1, y1."""
    corners = inverse @ np.array(
        [[0, size[0], 0, size[0]], [0, 0, size[1], size[1]], [1, 1, 1, 1]], np.float64
    )
    low = np.clip(np.floor(corners.min(axis=1)) - 2, 0, (shape[1], shape[0]))
    high = np.clip(np.ceil(corners.max(axis=1)) + 3, 0, (shape[1], shape[0]))
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])
