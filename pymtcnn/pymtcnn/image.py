"""The image at the door: every accepted kind of array becomes (H, W, 3) BGR."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["as_bgr"]


def as_bgr(image: NDArray[Any]) -> NDArray[np.uint8] | NDArray[np.float32]:
    """Check an image and bring it into the form the detector works on.

    Parameters
    ----------
    image : ndarray, shape (H, W), (H, W, 1), (H, W, 3) or (H, W, 4)
        Grey, BGR or BGRA pixels: uint8, uint16 (divided by 256 and rounded half to even, at most 255, as
        OpenFace does) or float32/float64 on the scale 0..255. Alpha is ignored.

    Returns
    -------
    ndarray of uint8 or float32, shape (H, W, 3)
        BGR pixels, C-contiguous; the input itself where nothing had to change.

    Raises
    ------
    TypeError
        `image` is not an array, or has another dtype.
    ValueError
        `image` is empty, has another shape, or holds values that are not finite.
    """
    if not isinstance(image, np.ndarray):
        raise TypeError(
            f"image must be a NumPy array, not {type(image).__name__}; "
            "a failed cv2.imread or an exhausted video gives None"
        )
    image = np.asarray(image)  # not numpy.matrix, which stays two-dimensional whatever is done to it
    if image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] not in (1, 3, 4)):
        forms = "(H, W) or (H, W, 1) grey, (H, W, 3) BGR or (H, W, 4) BGRA"
        raise ValueError(f"image has shape {image.shape}; pass {forms}")
    if image.size == 0:
        raise ValueError(f"image is empty (shape {image.shape})")
    if image.ndim == 3 and image.shape[2] == 4:
        image = image[:, :, :3]
    pixels: NDArray[Any]
    if image.dtype == np.uint8:
        pixels = image
    elif image.dtype == np.uint16:
        # Exact: dividing by a power of two rounds nothing, rint is OpenCV's half-to-even.
        pixels = np.minimum(np.rint(image * np.float32(1 / 256)), 255).astype(np.uint8)
    elif image.dtype in (np.float32, np.float64):
        pixels = image.astype(np.float32, copy=False)
        if not np.isfinite(pixels).all():
            raise ValueError("image holds nan or infinite values")
    else:
        raise TypeError(f"image has dtype {image.dtype}; pass uint8, uint16, or float32 on the scale 0..255")
    if pixels.ndim == 2 or pixels.shape[2] == 1:
        pixels = np.broadcast_to(pixels.reshape(*pixels.shape[:2], 1), (*pixels.shape[:2], 3))
    return np.require(pixels, requirements=("C", "A"))
