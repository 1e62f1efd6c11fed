"""Template matching of the last face in the next frame, to follow fast motion."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .._state import State, StateLike, StateReader, number, read_whole
from ..image import warp_affine_u8
from ..picture import U8, Grey, around
from .optimizer import FitState
from .pdm import PDM


@dataclass(frozen=True, eq=False)
class FaceTemplate:
    """The face of one frame, and how to find it in the next.

    Attributes
    ----------
    pixels : ndarray, shape (h, w), uint8
        Grey crop of the landmarks' bounding box.
    scale : float
        px/mm at which matching is done, if the face is larger.
    """

    pixels: U8
    scale: float

    @classmethod
    def of(cls, state: FitState, pdm: PDM, grey: Grey, scale: float) -> FaceTemplate | None:
        """Cut the template out of a frame; None if no part of the face is inside."""
        x, y, w, h = (int(v) for v in pdm.bounding_box(state.params_global, state.params_local))
        crop, _ = _cut(grey, x, y, w, h)
        return cls(crop.copy(), scale) if crop.size else None

    def state(self) -> State:
        """Copy everything, as plain arrays."""
        return {"pixels": self.pixels.copy(), "scale": number(self.scale)}

    @classmethod
    def from_state(cls, state: StateLike) -> FaceTemplate:
        """Make a template of what :meth:`state` returned.

        Raises
        ------
        KeyError, ValueError
            If an entry is missing, not as it must be, or unknown.
        """
        return read_whole(state, cls.read)

    @classmethod
    def read(cls, state: StateReader) -> FaceTemplate:
        """Like :meth:`from_state`, from entries that are read one by one."""
        pixels, scale = state.array("pixels", (None, None), np.uint8), state.number("scale")
        if pixels.size == 0:
            raise state.error("pixels", "must not be empty")
        if scale <= 0:
            raise state.error("scale", f"must be positive, got {scale}")
        return cls(pixels, scale)

    def shift(self, state: FitState, pdm: PDM, grey: Grey) -> None:
        """Translate the global parameters to the best match in twice the area around the last position.

        References
        ----------
        OpenFace 2.2, ``LandmarkDetectorFunc.cpp``, ``CorrectGlobalParametersVideo``.
        """
        x, y, w, h = (float(v) for v in pdm.bounding_box(state.params_global, state.params_local))
        region, (rx, ry) = _cut(grey, int(x - w / 2), int(y - h / 2), int(2 * w), int(2 * h))
        factor = min(self.scale / float(state.params_global[0]), 1.0) if state.params_global[0] > 0 else 1.0
        template = _resized(self.pixels, factor)
        region = _resized(region, factor)
        if template.size == 0 or any(r < t for r, t in zip(region.shape, template.shape, strict=True)):
            return
        row, col = np.unravel_index(int(np.argmax(_correlation(region, template))), _valid(region, template))
        g = state.params_global.copy()
        g[4] += np.float32(col / factor + rx - x)
        g[5] += np.float32(row / factor + ry - y)
        state.params_global = g


def _cut(grey: Grey, x: int, y: int, w: int, h: int) -> tuple[U8, tuple[int, int]]:
    x0, y0 = min(max(x, 0), grey.shape[1]), min(max(y, 0), grey.shape[0])
    x1, y1 = min(max(x + w, x0), grey.shape[1]), min(max(y + h, y0), grey.shape[0])
    return around(grey, x0, y0, x1, y1)[y0:y1, x0:x1], (x0, y0)


def _resized(image: U8, factor: float) -> U8:
    if factor >= 1.0 or image.size == 0:
        return image
    size = (max(round(image.shape[1] * factor), 1), max(round(image.shape[0] * factor), 1))
    # Half-pixel centres, as in cv2.resize.
    fx, fy = size[0] / image.shape[1], size[1] / image.shape[0]
    return warp_affine_u8(image, [[fx, 0.0, 0.5 * fx - 0.5], [0.0, fy, 0.5 * fy - 0.5]], size)


def _valid(region: U8, template: U8) -> tuple[int, int]:
    return region.shape[0] - template.shape[0] + 1, region.shape[1] - template.shape[1] + 1


def _correlation(region: U8, template: U8) -> npt.NDArray[np.float64]:
    """Normalised correlation coefficient at every offset (``TM_CCOEFF_NORMED``)."""
    t = template.astype(np.float64) - template.mean()
    r = region.astype(np.float64)
    shape = (region.shape[0] + template.shape[0], region.shape[1] + template.shape[1])
    rows, cols = _valid(region, template)
    spectrum = np.fft.rfft2(r, shape) * np.conj(np.fft.rfft2(t, shape))
    cross = np.fft.irfft2(spectrum, shape)[:rows, :cols]
    n = template.size
    total, squares = _box_sums(r, template.shape), _box_sums(r * r, template.shape)
    spread = np.maximum(squares - total * total / n, 0.0) * float((t * t).sum())
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(spread > 1e-9, cross / np.sqrt(spread), 0.0)


def _box_sums(values: npt.NDArray[np.float64], size: tuple[int, ...]) -> npt.NDArray[np.float64]:
    s = np.pad(values, ((1, 0), (1, 0))).cumsum(0).cumsum(1)
    h, w = size
    out: npt.NDArray[np.float64] = s[h:, w:] - s[:-h, w:] - s[h:, :-w] + s[:-h, :-w]
    return out
