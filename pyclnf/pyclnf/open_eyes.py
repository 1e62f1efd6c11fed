"""Gaze, eye landmarks and eye opening by the open pack's small network, which sees both eyes at once.

One network serves both eyes: the eye at the left of the picture is mirrored. Input is a grey window around the
eye that follows
the head's roll and size, and where the head points; output are the gaze, 28 points, the opening of the lids and how far
the gaze can be trusted. Everything is a handful of NumPy products.
"""

from __future__ import annotations

import functools
import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ._kernels import kernels
from .errors import MissingModelError, ModelFileError
from .geometry import euler_to_matrix
from .image import Frame, part_of, to_grey
from .io.archive import read_archive
from .open_arrays import EYES_FILE, beside

Float32Array = npt.NDArray[np.float32]
Float64Array = npt.NDArray[np.float64]

WINDOW: Final = (32, 48)  # rows, columns of the network's input
WINDOW_WIDTH: Final = 37.0  # mm of the shape model that its columns span
CORNERS: Final = ((36, 39), (42, 45))  # face landmarks at the corners of the eyes, image left first
OUTER: Final = (36, 45)
POINTS: Final = 28
OUTPUTS: Final = 2 + 2 * POINTS + 2  # gaze, points, opening, logit of the confidence
POINT_UNIT: Final = 10.0  # window px that a point's output of 1 means
OPENING_UNIT: Final = 10.0  # mm that an opening's output of 1 means
#: Side in px and stride of each convolution, and the picture (rows, columns) that the last one leaves.
CONVOLUTIONS: Final = ((5, 2), (3, 2), (3, 1), (3, 1))
LAST_PICTURE: Final = (2, 6)
_SMALLEST_SPREAD = 1.0  # grey levels: a window flatter than this is not stretched
_FINE_STEP = 1.6  # px of the picture to a window's px above which four samples are averaged
_LEAST_CONFIDENCE = 1e-3
_SCALES = (1e-3, 1e3)  # px a millimetre: what makes windows that can be cut out
_BORDER = 512  # px by which a picture's border is repeated at most
ARRAYS: Final = (
    *(f"{part}{k + 1}" for k in range(len(CONVOLUTIONS)) for part in ("conv", "bias")),
    *("dense1", "offset1", "dense2", "offset2", "centre", "share"),
)
# Mirrored index of each of the 28 points: iris and lids run from the left over the top, the pupil from its lower left.
MIRROR: Final[npt.NDArray[np.intp]] = np.array(
    [(4 - i) % 8 for i in range(8)]
    + [14, 13, 12, 11, 10, 9, 8, 19, 18, 17, 16, 15]
    + [20 + (2 - i) % 8 for i in range(8)]
)


@dataclass(frozen=True, eq=False)
class EyesFound:
    """What the network sees; the eye at the left of the picture comes first.

    Attributes
    ----------
    directions : ndarray, shape (2, 3), float64
        Unit vectors of gaze, camera axes, as if the camera looked straight at the face: z = -1 is towards the camera.
    landmarks : ndarray, shape (2, 28, 2), float32
        Iris, lids and pupil in px, in OpenFace's order.
    opening : ndarray, shape (2,), float64
        Distance of the lids in mm of the shape model, 0 for a shut eye.
    confidence : ndarray, shape (2,), float64
        0 to 1; low for eyes that are shut, hidden or not there.
    """

    directions: Float64Array
    landmarks: Float32Array
    opening: Float64Array
    confidence: Float64Array


@dataclass(frozen=True, eq=False)
class EyeFrames:
    """Where the windows of both eyes lie: ``image = centre + axes @ window``, window px from its middle.

    Attributes
    ----------
    centres : ndarray, shape (2, 2), float64
    axes : ndarray, shape (2, 2, 2), float64
        The left eye's is mirrored.
    roll : float
        Angle of the head's horizontal axis in the picture, radians.
    """

    centres: Float64Array
    axes: Float64Array
    roll: float


def eye_frames(landmarks: npt.ArrayLike, scale: float, head: Float64Array) -> EyeFrames:
    """Windows of both eyes of a face.

    Parameters
    ----------
    landmarks : array_like, shape (68, 2)
    scale : float
        px a millimetre of the shape model.
    head : ndarray, shape (3, 3)
        Rotation of the head.
    """
    points = np.asarray(landmarks, np.float64)
    roll = float(np.arctan2(head[1, 0], head[0, 0]))
    step = scale * WINDOW_WIDTH / WINDOW[1]
    cos, sin = np.cos(roll) * step, np.sin(roll) * step
    axes = np.array([[[-cos, -sin], [-sin, cos]], [[cos, -sin], [sin, cos]]])
    centres = np.array([(points[a] + points[b]) / 2 for a, b in CORNERS])
    return EyeFrames(centres, axes, roll)


def sample_windows(image: Frame, frames: EyeFrames) -> Float32Array:
    """Windows (n, 32, 48) of a grey or BGR image, 8-bit; what lies outside it repeats its border.

    Bilinear on OpenCV's grid of 1/32 px. Where the picture has much finer pixels than the window, four samples are
    averaged for each.
    """
    first = frames.axes[0]
    fine = 1 if math.hypot(first[0, 0], first[1, 0]) < _FINE_STEP else 2
    rows, cols = WINDOW[0] * fine, WINDOW[1] * fine
    axes = frames.axes / fine
    corner = np.array([(1 - cols) / 2, (1 - rows) / 2])
    reach = np.abs(axes) @ -corner
    part, x0, y0 = _surroundings(
        image, (frames.centres - reach).min(axis=0) - 1, (frames.centres + reach).max(axis=0) + 2
    )
    grey = to_grey(part)[:, :, None]
    start = frames.centres + axes @ corner - np.array([x0, y0])
    inverse = np.concatenate([axes, start[:, :, None]], axis=2)
    out = np.array(
        [kernels.warp_inverse_u8(grey, matrix, cols, rows)[:, :, 0] for matrix in inverse], np.float32
    )
    if fine == 2:
        out = out[:, ::2, ::2] + out[:, 1::2, ::2] + out[:, ::2, 1::2] + out[:, 1::2, 1::2]
        out *= np.float32(0.25)
    return out


def _surroundings(
    image: Frame, low: Float64Array, high: Float64Array
) -> tuple[npt.NDArray[np.uint8], int, int]:
    """Part of an image around a box, x and y, with its border repeated where the box sticks out; its first pixel."""
    (height, width), (left, top), (right, bottom) = image.shape[:2], low.tolist(), high.tolist()
    x0, y0 = (min(max(int(v), 0), n - 1) for v, n in ((left, width), (top, height)))
    x1, y1 = (max(min(int(v) + 1, n), k + 1) for v, n, k in ((right, width, x0), (bottom, height, y0)))
    part = part_of(image, x0, y0, x1, y1)
    if left >= 0 and top >= 0 and right < width and bottom < height:
        return part, x0, y0
    before = [min(max(k - math.floor(v), 0), _BORDER) for k, v in ((y0, top), (x0, left))]
    after = [min(max(int(v) + 1 - k, 0), _BORDER) for k, v in ((y1, bottom), (x1, right))]
    sides = list(zip(before, after, strict=True))
    padded = np.pad(part, [*sides, *[(0, 0)] * (part.ndim - 2)], mode="edge")
    return padded, x0 - before[1], y0 - before[0]


def standardised(windows: Float32Array) -> Float32Array:
    """Windows (n, rows, cols) with zero mean and unit spread each."""
    flat = windows.reshape(len(windows), -1)
    flat = flat - flat.mean(axis=1, keepdims=True, dtype=np.float32)
    spread = np.sqrt(np.einsum("ij,ij->i", flat, flat) / flat.shape[1])
    return np.asarray(flat / np.maximum(spread, _SMALLEST_SPREAD)[:, None], np.float32).reshape(windows.shape)


def head_inputs(head: Float64Array, roll: float) -> Float32Array:
    """Where the head points, sideways and down, in each eye's window (2, 2)."""
    forward = -head[:, 2]
    x = np.cos(roll) * forward[0] + np.sin(roll) * forward[1]
    y = -np.sin(roll) * forward[0] + np.cos(roll) * forward[1]
    return np.array([[-x, y], [x, y]], np.float32)


class OpenEyes:
    """The network of a file written by ``weights.eyes``.

    Parameters
    ----------
    arrays : mapping of str to ndarray
        Convolutions ``conv1`` (a, 25), ``conv2`` (b, 9 a), ``conv3`` (c, 9 b), ``conv4`` (d, 9 c) with columns
        ordered channel, row, column; dense layers ``dense1`` (12 d + 2, k) and ``dense2`` (k, 60); their biases;
        ``centre`` (2,), the gaze that a window of an eye that looks into the lens gives on average; ``share`` (),
        how much of an eye's direction is its own.

    Raises
    ------
    ValueError
        If the arrays do not make a network.
    """

    def __init__(self, arrays: dict[str, npt.NDArray[Any]]) -> None:
        missing = [name for name in ARRAYS if name not in arrays]
        if missing:
            raise ValueError(f"the eye network lacks {', '.join(missing)}")
        self._arrays = {name: np.array(arrays[name], np.float32, order="C") for name in ARRAYS}
        if any(not np.isfinite(a).all() for a in self._arrays.values()):
            raise ValueError("the eye network has numbers that are not finite")
        a = self._arrays
        shapes: dict[str, tuple[int, ...]] = {"centre": (2,), "share": ()}
        inputs = 1
        for k, (side, _) in enumerate(CONVOLUTIONS, start=1):
            width = a[f"bias{k}"].size
            shapes[f"conv{k}"], shapes[f"bias{k}"] = (width, inputs * side * side), (width,)
            inputs = width
        pixels = LAST_PICTURE[0] * LAST_PICTURE[1]
        hidden = a["offset1"].size
        shapes["dense1"], shapes["offset1"] = (pixels * inputs + 2, hidden), (hidden,)
        shapes["dense2"], shapes["offset2"] = (hidden, OUTPUTS), (OUTPUTS,)
        for name, shape in shapes.items():
            if a[name].shape != shape:
                raise ValueError(f"the eye network's {name} is {a[name].shape}, not {shape}")
        self._kernels = [
            (_by_pixel(a[f"conv{k}"], side), a[f"bias{k}"], side, step)
            for k, (side, step) in enumerate(CONVOLUTIONS, start=1)
        ]
        # the file has the first dense layer's rows by channel, then pixel
        dense = a["dense1"][:-2].reshape(inputs, pixels, -1)
        self._dense = np.ascontiguousarray(dense.transpose(1, 0, 2)).reshape(pixels * inputs, -1)

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> OpenEyes:
        """Read a network; ModelFileError if the file is not one."""
        try:
            return cls(read_archive(path, ARRAYS))
        except FileNotFoundError:
            raise MissingModelError([path]) from None
        except OSError as error:
            raise ModelFileError(path, None, f"cannot be read ({error.strerror or error})") from error
        except ValueError as error:
            raise ModelFileError(path, 0, f"not an eye network: {error}") from error

    def outputs(self, windows: Float32Array, heads: Float32Array) -> Float32Array:
        """Raw outputs (n, 60) of windows (n, 32, 48), standardised here, and head directions (n, 2)."""
        a = self._arrays
        return np.asarray(self.hidden(windows, heads) @ a["dense2"] + a["offset2"], np.float32)

    def hidden(self, windows: Float32Array, heads: Float32Array) -> Float32Array:
        """Values (n, k) of the layer before the last."""
        a = self._arrays
        x = standardised(windows)[..., None]
        for kernel, bias, side, step in self._kernels:
            x = _convolved(x, kernel, bias, side, step)
        flat = kernels.sgemm(x.reshape(len(x), -1), self._dense) + heads @ a["dense1"][-2:] + a["offset1"]
        return np.asarray(np.maximum(flat, 0), np.float32)

    def __call__(
        self,
        image: Frame,
        landmarks: npt.ArrayLike,
        params_global: npt.ArrayLike,
        head: Float64Array | None = None,
    ) -> EyesFound:
        """Look at both eyes of a fitted face.

        Parameters
        ----------
        image : ndarray, shape (rows, cols[, 3]), uint8
            Grey or BGR.
        landmarks : array_like, shape (68, 2)
        params_global : array_like, shape (6,)
            Scale, Euler angles and place of the fit.
        head : ndarray, shape (3, 3), optional
            Rotation of the head as if the camera looked straight at it; by default that of the fit.
        """
        pose = np.asarray(params_global, np.float64)
        head = euler_to_matrix(pose[1:4]) if head is None else head
        frames = eye_frames(landmarks, min(max(float(pose[0]), _SCALES[0]), _SCALES[1]), head)
        out = self.outputs(sample_windows(image, frames), head_inputs(head, frames.roll)).astype(np.float64)
        confidence = 1.0 / (1.0 + np.exp(-np.clip(out[:, -1], -30, 30)))
        directions = joint_directions(
            out[:, :2] - self._arrays["centre"], confidence, float(self._arrays["share"])
        )
        cos, sin = np.cos(frames.roll), np.sin(frames.roll)
        x, y = directions[:, 0].copy(), directions[:, 1].copy()
        directions[:, 0], directions[:, 1] = cos * x - sin * y, sin * x + cos * y
        offsets = out[:, 2 : 2 + 2 * POINTS].reshape(2, POINTS, 2) * POINT_UNIT
        points = frames.centres[:, None] + offsets @ frames.axes.transpose(0, 2, 1)
        points[0] = points[0][MIRROR]
        opening = np.maximum(out[:, -2], 0.0) * OPENING_UNIT
        return EyesFound(directions, points.astype(np.float32), opening, confidence)


@dataclass(frozen=True, eq=False)
class OpenGaze:
    """Gaze of a face in camera space, as :class:`~pyclnf.core.gaze.Gaze` has it, with what only the network knows.

    Attributes
    ----------
    directions : ndarray, shape (2, 3), float64
    landmarks : ndarray, shape (56, 2), float32
    landmarks_3d : ndarray, shape (56, 3), float64
    opening, confidence : ndarray, shape (2,), float64
        See :class:`EyesFound`.
    """

    directions: Float64Array
    landmarks: Float32Array
    landmarks_3d: Float64Array
    opening: Float64Array
    confidence: Float64Array


@functools.lru_cache(maxsize=4)
def _loaded(path: Path, changed: int, size: int) -> OpenEyes:
    return OpenEyes.from_file(path)


def eyes_beside(main_file: Path) -> OpenEyes | None:
    """Return the eye network beside a model's main file, loaded once for as long as the file stays the same."""
    path = beside(main_file, EYES_FILE)
    if path is None:
        return None
    state = path.stat()
    return _loaded(path, state.st_mtime_ns, state.st_size)


def open_gaze(
    eyes: OpenEyes,
    image: Frame,
    landmarks: npt.ArrayLike,
    params_global: npt.ArrayLike,
    camera: Any,
    pose: npt.ArrayLike | None = None,
) -> OpenGaze | None:
    """Gaze of a fitted face in camera space; None where the fit has no size.

    Parameters
    ----------
    eyes : OpenEyes
    image : ndarray, shape (rows, cols[, 3]), uint8
    landmarks : array_like, shape (68, 2)
    params_global : array_like, shape (6,)
    camera : Camera
        Its fx, fy, cx, cy in px.
    pose : array_like, shape (6,), optional
        Of the head in camera space; without it, the head points where the fit says.

    Notes
    -----
    A fit sees a face as if the camera looked straight at it, so directions are turned by the ray to the face.
    """
    points = np.asarray(landmarks, np.float64)
    scale = float(np.asarray(params_global, np.float64)[0])
    if not np.isfinite(points).all() or not scale > 0:
        return None
    head = None if pose is None else seen_along(points, camera, pose)
    if head is not None and not np.isfinite(head).all():
        head = None
    found = eyes(image, points, params_global, head)
    directions = found.directions @ _turn_to_eyes(points, camera).T
    depth = camera.fx / scale
    flat = found.landmarks.reshape(-1, 2).astype(np.float64)
    spatial = np.column_stack(
        [(flat[:, 0] - camera.cx) / camera.fx * depth, (flat[:, 1] - camera.cy) / camera.fy * depth,
         np.full(len(flat), depth)]
    )  # fmt: skip
    return OpenGaze(directions, found.landmarks.reshape(-1, 2), spatial, found.opening, found.confidence)


def seen_along(landmarks: npt.ArrayLike, camera: Any, pose: npt.ArrayLike) -> Float64Array:
    """Rotation (3, 3) of a head with a pose (6,) in camera space as if the camera looked straight at its eyes."""
    turn = _turn_to_eyes(np.asarray(landmarks, np.float64), camera)
    return np.asarray(turn.T @ euler_to_matrix(np.asarray(pose, np.float64)[3:]))


def _turn_to_eyes(points: Float64Array, camera: Any) -> Float64Array:
    corners = [points[list(pair)].mean(axis=0) for pair in CORNERS]
    middle = np.mean(corners, axis=0)
    ray = np.array([(middle[0] - camera.cx) / camera.fx, (middle[1] - camera.cy) / camera.fy, 1.0])
    return _turn_to(ray / np.linalg.norm(ray))


def _turn_to(ray: Float64Array) -> Float64Array:
    """Smallest rotation (3, 3) that takes the optical axis to a unit vector in front of the camera."""
    x, y, z = ray
    k = 1.0 / (1.0 + z)
    return np.array([[1 - k * x * x, -k * x * y, x], [-k * x * y, 1 - k * y * y, y], [-x, -y, z]])


def joint_directions(gaze: Float64Array, confidence: Float64Array, share: float) -> Float64Array:
    """Mix unit vectors (2, 3) from both windows' outputs (2, 2), the left mirrored; ``share`` of each is its own.

    Both together are weighted by the odds of the confidence, which grow with the inverse of the error's variance.
    """
    flat = np.clip(gaze * np.array([[-1.0, 1.0], [1.0, 1.0]]), -0.95, 0.95)
    z = -np.sqrt(np.maximum(1.0 - (flat**2).sum(axis=1), 0.05))
    each = np.column_stack([flat, z])
    odds = (confidence + _LEAST_CONFIDENCE) / (1.0 - confidence + _LEAST_CONFIDENCE)
    weight = odds / odds.sum()
    both = weight @ each
    # an eye that cannot be trusted takes over what the other sees
    own = share * 2 * np.minimum(weight, 0.5)
    mixed = own[:, None] * each + (1 - own[:, None]) * both
    return np.asarray(mixed / np.linalg.norm(mixed, axis=1, keepdims=True))


def _by_pixel(weight: Float32Array, size: int) -> Float32Array:
    """Kernels (k, c * size * size) as a matrix (size * size * c, k) whose rows run by pixel, then channel."""
    kernels = weight.reshape(len(weight), -1, size, size)
    return np.ascontiguousarray(kernels.transpose(2, 3, 1, 0)).reshape(-1, len(weight))


def _convolved(
    x: Float32Array, weight: Float32Array, bias: Float32Array, size: int, step: int
) -> Float32Array:
    """Convolve with stride and ReLU, without padding, channels last: (n, h, w, c) to (n, h', w', k)."""
    n, height, width, channels = x.shape
    h, w = (height - size) // step + 1, (width - size) // step + 1
    along = x.strides
    # the pixels of a kernel's row, with their channels, lie side by side
    rows = np.lib.stride_tricks.as_strided(
        x, (n, h, w, size, size * channels), (along[0], step * along[1], step * along[2], along[1], x.itemsize),
        writeable=False,
    )  # fmt: skip
    # the kernel's product: NumPy's wakes a thread a core for these, which then wait for work in loops
    out = kernels.sgemm(rows.reshape(n * h * w, size * size * channels), weight)
    out += bias
    return np.asarray(np.maximum(out, 0, out=out).reshape(n, h, w, -1))
