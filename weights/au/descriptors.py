"""Descriptors of training faces, made by the very code that runs in the pipeline."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pyclnf import PDM
from pyclnf.io import read_triangulation
from pyfaceau.alignment import FaceAligner
from pyfaceau.features import FrameDescriptor
from weights.landmarks.data import MIRROR_68

F32 = NDArray[np.float32]


class Describer:
    """HOG and geometry (4702,) of a face from its picture and 68 points."""

    def __init__(self, pdm: Path, triangulation: Path) -> None:
        self._pdm = PDM.from_file(pdm)
        self._aligner = FaceAligner(self._pdm, read_triangulation(triangulation))
        self._descriptor = FrameDescriptor(self._pdm)
        self.size = self._descriptor.size

    def __call__(self, image: NDArray[np.uint8], points: NDArray[np.floating]) -> F32:
        """Descriptor of one face; `points` (68, 2) in pixels of `image`."""
        landmarks = np.ascontiguousarray(points, np.float32)
        params_global, params_local = self._pdm.fit_landmarks(landmarks)
        face = self._aligner.align(image, landmarks, params_global)
        return self._descriptor.compute(self._descriptor.hog(face.image), params_local).astype(np.float32)

    def varied(
        self, image: NDArray[np.uint8], points: NDArray[np.floating], rng: np.random.Generator, noise: float
    ) -> F32:
        """Descriptors (2, 4702) of the face and of its mirror image.

        The points carry noise as a tracker's do: `noise` (in outer-eye distances) for every point alone and
        two thirds of it for all of them together.
        """
        size = float(np.linalg.norm(points[45] - points[36])) * noise

        def shaken(p: NDArray[np.floating]) -> NDArray[np.floating]:
            return p + rng.normal(0, size, p.shape) + rng.normal(0, 0.67 * size, (1, 2))

        flipped = np.array(points, np.float64)
        flipped[:, 0] = image.shape[1] - 1 - flipped[:, 0]
        mirror_image = np.ascontiguousarray(image[:, ::-1])
        return np.stack([self(image, shaken(points)), self(mirror_image, shaken(flipped[MIRROR_68]))])
