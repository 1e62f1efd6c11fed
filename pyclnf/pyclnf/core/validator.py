"""Detection validator, which rates whether landmarks enclose an aligned face."""

from __future__ import annotations

import os

import numpy as np
import numpy.typing as npt

from .._kernels import kernels
from ..errors import ModelFileError
from ..io import ConvLayer, FullyConnected, MaxPool, ReLU, ValidatorFile, read_validator
from ..io import ValidatorView as ViewData
from .arrays import frozen

Float32Array = npt.NDArray[np.float32]

MARGIN = 3.0  # px around the landmarks. OpenFace 2.2: LandmarkDetectionValidator.cpp, Check


class DetectionValidator:
    """Convolutional network that rates how well landmarks sit on a face.

    Parameters
    ----------
    data : ValidatorFile

    Raises
    ------
    ValueError
        If its views have different numbers of landmarks, or layers that the compiled network cannot run.

    References
    ----------
    OpenFace 2.2, ``LandmarkDetectionValidator.cpp``.
    """

    def __init__(self, data: ValidatorFile) -> None:
        self.orientations = frozen(data.orientations, np.float64)
        self.n_points = len(data.views[0].warp.destination)
        if any(len(view.warp.destination) != self.n_points for view in data.views):
            raise ValueError("views of the validator have different numbers of landmarks")
        self._views = tuple(_network(view, self.n_points) for view in data.views)

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> DetectionValidator:
        """Read a validator in OpenFace's format.

        Raises
        ------
        pyclnf.errors.MissingModelError, pyclnf.errors.ModelFileError
            If the file is not there, is malformed, or holds a network that cannot be run.
        """
        data = read_validator(path)
        try:
            return cls(data)
        except ValueError as error:
            raise ModelFileError(path, None, str(error)) from error

    def view_of(self, rotation: npt.ArrayLike) -> int:
        """Index of the view nearest to pitch, yaw, roll in radians."""
        difference = self.orientations - np.asarray(rotation, dtype=np.float64).reshape(3)
        return int(np.argmin((difference * difference).sum(axis=1)))

    def certainty(
        self, rotation: npt.ArrayLike, grey: npt.NDArray[np.uint8], landmarks: Float32Array
    ) -> float:
        """Certainty that the landmarks are right.

        Parameters
        ----------
        rotation : array_like, shape (3,)
            Pitch, yaw, roll of the fit, radians.
        grey : ndarray, shape (rows, cols), uint8
        landmarks : ndarray, shape (2n,), float32
            All x, then all y, in px.

        Returns
        -------
        float
            0 to 1, in steps of the network's bins; 0 where the landmarks enclose no part of the image.
        """
        x, y = landmarks.reshape(2, -1)
        if not np.isfinite(landmarks).all():
            return 0.0
        rows, cols = grey.shape
        x0, x1 = _clip(x.min() - MARGIN, cols), _clip(x.max() + MARGIN, cols)
        y0, y1 = _clip(y.min() - MARGIN, rows), _clip(y.max() + MARGIN, rows)
        if x1 - x0 <= 1 or y1 - y0 <= 1:
            return 0.0
        shifted = landmarks - np.repeat(np.array([x0, y0], np.float32), x.size)
        output = self._views[self.view_of(rotation)].forward(grey[y0:y1, x0:x1], shifted)
        bins = output.size
        return float(np.float32(1.0 - (int(np.argmax(output)) + 0.5) / bins))


def _clip(value: float, size: int) -> int:
    return int(min(max(int(value), 0), size - 1))


def _network(data: ViewData, n_points: int) -> kernels.ValidatorView:
    warp = data.warp
    rows, cols = warp.pixel_triangle.shape
    # Masked pixels are numbered down the columns.
    index = np.arange(rows * cols, dtype=np.int32).reshape(rows, cols).T[warp.mask.T]
    view = kernels.ValidatorView(
        rows,
        cols,
        float(warp.min_x),
        float(warp.min_y),
        np.ascontiguousarray(warp.triangles, np.int32),
        np.ascontiguousarray(index),
        np.ascontiguousarray(warp.pixel_triangle.reshape(-1)[index]),
        np.ascontiguousarray(warp.alpha, np.float32),
        np.ascontiguousarray(warp.beta, np.float32),
        np.ascontiguousarray(data.mean, np.float32).reshape(-1),
        np.ascontiguousarray(data.std, np.float32).reshape(-1),
        n_points,
    )
    size, maps = (rows, cols), 1
    for k, layer in enumerate(data.layers):
        relu = k + 1 < len(data.layers) and isinstance(data.layers[k + 1], ReLU)
        if isinstance(layer, ConvLayer):
            view.add_convolution(np.ascontiguousarray(layer.kernels.transpose(1, 0, 2, 3)), layer.bias, relu)
            maps = layer.kernels.shape[1]
            size = (size[0] - layer.kernels.shape[2] + 1, size[1] - layer.kernels.shape[3] + 1)
        elif isinstance(layer, MaxPool):
            view.add_max_pool()
            size = ((size[0] + 1) // 2, (size[1] + 1) // 2)
        elif isinstance(layer, FullyConnected):
            # The file flattens each map by columns; the network here by rows.
            weights = layer.weight.reshape(maps, size[1], size[0], -1).transpose(3, 0, 2, 1)
            view.add_fully_connected(
                np.ascontiguousarray(weights.reshape(weights.shape[0], -1)), layer.bias.reshape(-1), relu
            )
            maps, size = layer.bias.size, (1, 1)
        elif k == 0 or not isinstance(data.layers[k - 1], ConvLayer | FullyConnected):
            raise ValueError("a ReLU that follows neither a convolution nor a fully connected layer")
    return view
