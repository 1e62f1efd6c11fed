"""The public function: checks an image, then hands it to dlib's FHOG."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyfhog.kernels import extract

#: Values per cell: 18 signed and 9 unsigned orientations, 4 texture energies.
FEATURES_PER_CELL = 31

# dlib drops the outer ring of cells, so fewer than three leave nothing.
_MIN_CELLS = 3


def fhog_shape(
    height: int,
    width: int,
    cell_size: int = 8,
    filter_rows_padding: int = 1,
    filter_cols_padding: int = 1,
) -> tuple[int, int, int]:
    """Shape of the array that `extract_fhog` returns for an image of this size.

    Parameters
    ----------
    height, width : int
        Image size in pixels.
    cell_size, filter_rows_padding, filter_cols_padding : int
        As in `extract_fhog`.

    Returns
    -------
    tuple of int
        Rows, columns, 31.

    Raises
    ------
    ValueError
        If an argument is not positive, or the image has fewer than three cells along an axis.

    Examples
    --------
    >>> fhog_shape(112, 112)
    (12, 12, 31)
    """
    arguments = {
        "cell_size": cell_size,
        "filter_rows_padding": filter_rows_padding,
        "filter_cols_padding": filter_cols_padding,
    }
    for name, value in arguments.items():
        if operator.index(value) < 1:
            raise ValueError(f"{name} must be a positive whole number, got {value}")
    # dlib counts a last cell that is at least half full.
    cells = [int(size / cell_size + 0.5) for size in (height, width)]
    if min(cells) < _MIN_CELLS:
        raise ValueError(
            f"image of {height} x {width} px is too small: FHOG needs at least {_MIN_CELLS} cells of "
            f"{cell_size} px along each axis; enlarge the image or choose a smaller cell_size"
        )
    return cells[0] - 3 + filter_rows_padding, cells[1] - 3 + filter_cols_padding, FEATURES_PER_CELL


def extract_fhog(
    image: NDArray[Any],
    cell_size: int = 8,
    filter_rows_padding: int = 1,
    filter_cols_padding: int = 1,
    out: NDArray[np.float32] | None = None,
    *,
    num_bins: int = FEATURES_PER_CELL,
) -> NDArray[np.float32]:
    """FHOG features of an image, as `dlib::extract_fhog_features` computes them.

    Parameters
    ----------
    image : ndarray of shape (H, W) or (H, W, 3), uint8 or float32
        Grey image, or colour image with channels in the order **blue, green, red** as OpenCV reads them.
        In colour images the channel with the strongest gradient counts at each pixel; the order matters
        only where two channels tie. float32 values must be finite and within 0..255; like dlib, FHOG works
        on whole grey levels, so fractions are cut off.
    cell_size : int, optional
        Side of a cell in pixels.
    filter_rows_padding, filter_cols_padding : int, optional
        Size of a filter that will be applied to the features: the result grows by ``filter_rows_padding - 1``
        rows and ``filter_cols_padding - 1`` columns of zeros, half of them on each side.
    out : ndarray of shape ``fhog_shape(...)``, float32, C-contiguous, optional
        Where to write the features; saves the allocation.
    num_bins : int, optional
        31, for scripts that name it; FHOG has no other number.

    Returns
    -------
    ndarray of shape (H', W', 31), float32
        ``H' = round(H / cell_size) - 2 + filter_rows_padding - 1`` rows of cells (the outer ring is dropped),
        `W'` alike. Per cell: 18 orientations with sign, 9 without, 4 texture energies. Values lie in 0..0.4
        and, for texture, 0..0.85. This is `out` if that was given.

    Raises
    ------
    TypeError
        If `image` is not an array of dtype uint8 or float32, or `out` not a writable C-contiguous float32
        array.
    ValueError
        If the image is empty, too small, of another shape, not finite or outside 0..255, if `out` has another
        shape, or if a size is not positive.

    Notes
    -----
    The global interpreter lock is released during the computation. Any view whose rows are packed (a crop of
    a C-contiguous image, for instance) is read in place; other layouts are copied.

    References
    ----------
    .. [1] P. Felzenszwalb, R. Girshick, D. McAllester, D. Ramanan, "Object Detection with Discriminatively
           Trained Part Based Models", IEEE TPAMI 32(9), 2010.

    Examples
    --------
    >>> import numpy as np
    >>> extract_fhog(np.zeros((112, 112, 3), np.uint8)).shape
    (12, 12, 31)
    """
    if num_bins != FEATURES_PER_CELL:
        raise ValueError(
            f"FHOG has {FEATURES_PER_CELL} values in each cell, so num_bins cannot be {num_bins}"
        )
    pixels = _checked_image(image)
    shape = fhog_shape(pixels.shape[0], pixels.shape[1], cell_size, filter_rows_padding, filter_cols_padding)
    if out is None:
        out = np.empty(shape, np.float32)
    else:
        _check_out(out, shape)
    extract(pixels, cell_size, filter_rows_padding, filter_cols_padding, out)
    return out


def extract_fhog_features(image: NDArray[Any], cell_size: int = 8) -> NDArray[np.float64]:
    """FHOG features as one vector, as in pyfhog 0.1; new code uses `extract_fhog`.

    Parameters
    ----------
    image : ndarray of shape (H, W) or (H, W, 3), uint8 or float32
        Channels in the order blue, green, red.
    cell_size : int, optional
        Side of a cell in pixels.

    Returns
    -------
    ndarray of shape (H' W' 31,), float64
        The values of `extract_fhog` in the order rows, columns, values of a cell.

    Raises
    ------
    TypeError, ValueError
        As `extract_fhog`.

    Examples
    --------
    >>> import numpy as np
    >>> from pyfhog import extract_fhog_features
    >>> extract_fhog_features(np.zeros((112, 112), np.uint8)).shape
    (4464,)
    """
    return extract_fhog(image, cell_size).ravel().astype(np.float64)


def _checked_image(image: NDArray[Any]) -> NDArray[np.uint8]:
    """Return the image as uint8 with packed rows, or say what is wrong with it."""
    if not isinstance(image, np.ndarray):
        raise TypeError(f"image must be a numpy array, got {type(image).__name__}")
    image = np.asarray(image)  # not numpy.matrix, which stays two-dimensional whatever is done to it
    if image.dtype not in (np.uint8, np.float32):
        raise TypeError(f"image must be uint8 or float32, got {image.dtype}; convert it to 0..255 first")
    if image.size == 0:
        raise ValueError(f"image is empty (shape {image.shape})")
    if image.ndim == 3 and image.shape[2] == 1:
        image = image[:, :, 0]
    if image.ndim != 2 and not (image.ndim == 3 and image.shape[2] == 3):
        raise ValueError(f"image must have shape (H, W) or (H, W, 3), got {image.shape}")
    if image.dtype == np.float32:
        return _whole_levels(image)
    pixel_strides = (1,) if image.ndim == 2 else (image.shape[2], 1)
    packed = image.strides[1:] == pixel_strides and image.strides[0] >= image.shape[1] * pixel_strides[0]
    return image if packed else np.ascontiguousarray(image)


def _whole_levels(image: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Cut a float image to whole grey levels, refusing values that are no grey levels."""
    lowest, highest = float(image.min()), float(image.max())
    if not (np.isfinite(lowest) and np.isfinite(highest)):
        raise ValueError("image holds NaN or infinite values")
    if lowest < 0 or highest > 255:
        raise ValueError(f"float32 image must lie within 0..255, got {lowest:g}..{highest:g}")
    levels = image.astype(np.uint8, order="C")
    if highest <= 1 and not np.array_equal(levels, image):
        raise ValueError("float32 image lies within 0..1, FHOG expects grey levels: multiply it by 255")
    return levels


def _check_out(out: NDArray[np.float32], shape: tuple[int, int, int]) -> None:
    """Refuse a buffer that the result cannot be written to."""
    if not isinstance(out, np.ndarray) or out.dtype != np.float32:
        raise TypeError("out must be a float32 numpy array")
    if out.shape != shape:
        raise ValueError(f"out must have shape {shape}, got {out.shape}")
    if not (out.flags.c_contiguous and out.flags.writeable):
        raise TypeError("out must be C-contiguous and writable")
