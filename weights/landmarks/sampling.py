"""Areas of interest around landmarks, sampled as the fitter samples them, with the fitter's own errors simulated."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pyclnf import _core
from pyclnf.oracle import align_similarity, euler_to_matrix

from .geometry import rotations_to_euler
from .pdm import ShapeModel

Array = NDArray[np.float64]
SUPPORT = 11  # side of a patch expert's input


@dataclass(frozen=True)
class FittedFaces:
    """PDM fits of N annotated faces: true points and the model's parameters."""

    points: Array
    scale: Array
    euler: Array
    shift: Array
    local: Array


@dataclass(frozen=True)
class Jitter:
    """Standard deviations of the simulated fitting errors."""

    angle: tuple[float, float, float] = (0.05, 0.09, 0.05)
    scale: float = 0.04
    local_low: float = 0.3
    local_high: float = 1.1


NO_JITTER = Jitter((0.0, 0.0, 0.0), 0.0, 1.0, 1.0)


def sample_areas(
    image: NDArray[np.uint8], centres: Array, ref_to_image: Array, side: int
) -> NDArray[np.float32]:
    """Areas (n, side, side) around ``centres`` as the fitter samples them: zero outside the image."""
    a, b = float(ref_to_image[0, 0]), float(ref_to_image[1, 0])
    grey = np.ascontiguousarray(image)
    return np.stack([_core.sample_area(grey, x, y, a, b, side, False) for x, y in centres.tolist()])


def simulated_frame(
    model: ShapeModel,
    faces: FittedFaces,
    index: int,
    patch_scale: float,
    jitter: Jitter,
    rng: np.random.Generator,
) -> Array:
    """Reference-to-image matrix (2, 2) of a fit that is slightly wrong about pose, size and local shape."""
    local = faces.local[index] * rng.uniform(jitter.local_low, jitter.local_high)
    limit = 3.0 * np.sqrt(model.eigenvalues)
    shape = model.shapes(np.clip(local, -limit, limit)[None])[0]
    euler = faces.euler[index] + rng.normal(size=3) * jitter.angle
    scale = faces.scale[index] * np.exp(rng.normal() * jitter.scale)
    seen = scale * shape @ euler_to_matrix(euler)[:2].T
    return np.asarray(np.linalg.inv(align_similarity(seen, patch_scale * shape[:, :2])))


def photometric(image: NDArray[np.uint8], rng: np.random.Generator) -> tuple[NDArray[np.uint8], float]:
    """Random size, gamma, blur and noise; returns the new image and its size factor."""
    import cv2

    factor = float(np.exp(rng.uniform(np.log(0.7), np.log(2.2))))
    method = cv2.INTER_AREA if factor < 1 else (cv2.INTER_CUBIC if rng.random() < 0.5 else cv2.INTER_LINEAR)
    width, height = max(2, round(image.shape[1] * factor)), max(2, round(image.shape[0] * factor))
    resized = cv2.resize(image, (width, height), interpolation=method).astype(np.float32)
    out: NDArray[np.float32] = 255.0 * (np.clip(resized, 0, 255) / 255.0) ** float(
        np.exp(rng.normal() * 0.25)
    )
    if rng.random() < 0.3:
        out = np.asarray(cv2.GaussianBlur(out, (0, 0), float(rng.uniform(0.4, 1.0))), dtype=np.float32)
    if rng.random() < 0.5:  # uneven light: a linear ramp of gain
        angle, strength = rng.uniform(0, 2 * np.pi), rng.uniform(0, 0.5)
        yy, xx = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
        out *= (1.0 + strength * (np.cos(angle) * xx + np.sin(angle) * yy)).astype(np.float32)
    out += rng.normal(size=out.shape).astype(np.float32) * rng.uniform(0.0, 5.0)
    return np.clip(np.rint(out), 0, 255).astype(np.uint8), factor


def resized_points(points: Array, factor_x: float, factor_y: float) -> Array:
    """Points after an image resize, pixel centres at integers."""
    return np.asarray((points + 0.5) * np.array([factor_x, factor_y]) - 0.5)


def fitted_faces(model: ShapeModel, points: Array, regularisation: float = 2.0) -> FittedFaces:
    """Fit the PDM to every annotation."""
    from .pdm import fit_points

    scale, rotation, shift, local = fit_points(model, points, regularisation)
    return FittedFaces(points, scale, rotations_to_euler(rotation), shift, local)
