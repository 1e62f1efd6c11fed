"""Landmark errors on held-out people: mean error / outer-eye distance after removing the constant shift."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .data import KeypointSet
from .prepare import Labels

Array = NDArray[np.float64]
LOST = 0.1  # an image counts as lost above this error
REGIONS = {"jaw": slice(0, 17), "brows": slice(17, 27), "nose": slice(27, 36), "eyes": slice(36, 48),
           "mouth": slice(48, 68)}  # fmt: skip


@dataclass(frozen=True)
class ErrorReport:
    """Errors relative to the outer-eye distance: per image, and means by region."""

    per_image: Array
    regions: dict[str, float]
    offset: Array

    def line(self) -> str:
        """One line for a model card."""
        parts = " ".join(f"{name} {value:.4f}" for name, value in self.regions.items())
        return (
            f"mean {self.per_image.mean():.4f} median {np.median(self.per_image):.4f} "
            f"lost {int((self.per_image > LOST).sum())}/{len(self.per_image)} | {parts}"
        )


def landmark_error(predicted: Array, annotated: Array) -> ErrorReport:
    """Compare (n, 68, 2) px with annotations; the model's own median offset is subtracted first."""
    size = np.linalg.norm(annotated[:, 45] - annotated[:, 36], axis=1)
    difference = (predicted - annotated) / size[:, None, None]
    offset = np.median(difference.reshape(-1, 2), axis=0)
    error = np.linalg.norm(difference - offset, axis=2)
    return ErrorReport(
        error.mean(axis=1), {name: float(error[:, part].mean()) for name, part in REGIONS.items()}, offset
    )


def jittered_box(points: Array, rng: np.random.Generator, spread: float) -> tuple[float, ...]:
    """Bounding box (x, y, w, h) of landmarks, disturbed in place and size like a detector's."""
    low, high = points.min(axis=0), points.max(axis=0)
    size = high - low
    centre = (low + high) / 2 + rng.normal(size=2) * spread * size.mean()
    size = size * np.exp(rng.normal() * spread)
    return (*(centre - size / 2).tolist(), *size.tolist())


def predict(
    fit: Callable[[NDArray[np.uint8], tuple[float, ...]], Array],
    data: KeypointSet, labels: Labels, chosen: Sequence[int], spread: float = 0.06, seed: int = 5,
) -> Array:  # fmt: skip
    """Run ``fit(grey image, box) -> (68, 2)`` on chosen crops from boxes made of the labels."""
    rng = np.random.default_rng(seed)
    boxes = [jittered_box(labels.corrected[index], rng, spread) for index in chosen]
    return np.array([fit(data.grey(index), box) for index, box in zip(chosen, boxes, strict=True)])
