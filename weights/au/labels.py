"""Labels from MediaPipe's blendshapes, and the bookkeeping of subjects."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]

#: Intensities (17) and presences (18) that are trained, OpenFace's lists.
INTENSITIES = ("AU01", "AU02", "AU04", "AU05", "AU06", "AU07", "AU09", "AU10", "AU12", "AU14", "AU15", "AU17",
               "AU20", "AU23", "AU25", "AU26", "AU45")  # fmt: skip
PRESENCES = (*INTENSITIES[:16], "AU28", "AU45")

#: Action unit -> blendshapes that are summed (left and right together). MediaPipe leaves cheekSquint and
#: noseSneer near zero; their tiny values still move with the face and are scaled up like the others.
BLENDSHAPES: dict[str, tuple[str, ...]] = {
    "AU01": ("browInnerUp",),
    "AU02": ("browOuterUp",),
    "AU04": ("browDown",),
    "AU05": ("eyeWide",),
    "AU06": ("cheekSquint",),
    "AU07": ("eyeSquint",),
    "AU09": ("noseSneer",),
    "AU10": ("mouthUpperUp",),
    "AU12": ("mouthSmile",),
    "AU14": ("mouthDimple",),
    "AU15": ("mouthFrown",),
    "AU17": ("mouthShrugLower",),
    "AU20": ("mouthStretch",),
    "AU23": ("mouthPress",),
    "AU25": ("jawOpen", "mouthLowerDown", "mouthUpperUp"),
    "AU26": ("jawOpen",),
    "AU28": ("mouthRollLower", "mouthRollUpper"),
    "AU45": ("eyeBlink",),
}


def from_blendshapes(blendshapes: F64, names: tuple[str, ...]) -> F64:
    """Sum blendshapes to (n, 18), in the order of `PRESENCES`; NaN rows stay NaN."""
    base = [name.removesuffix("Left").removesuffix("Right") for name in names]
    columns = [[i for i, name in enumerate(base) if name in BLENDSHAPES[au]] for au in PRESENCES]
    return np.stack([blendshapes[:, c].sum(axis=1) for c in columns], axis=1)


def activity(blendshapes: F64, names: tuple[str, ...]) -> F64:
    """Return what is learnt: the root of the sums, since MediaPipe's values rise steeply with the movement."""
    return np.asarray(np.sqrt(np.maximum(from_blendshapes(blendshapes, names), 0.0)))


def is_calm(sums: F64) -> NDArray[np.bool_]:
    """Which of the sums (n, 18) are of faces at rest: shut mouth, open eyes, no smile, frown or raised brow."""
    limits = {"AU01": 0.25, "AU02": 0.6, "AU04": 0.5, "AU10": 0.15, "AU12": 0.5, "AU25": 0.2, "AU45": 0.6}
    high = [sums[:, PRESENCES.index(name)] > limit for name, limit in limits.items()]
    return np.asarray(~np.any(high, axis=0))


def evened(relative: F64, subjects: NDArray[np.str_]) -> F64:
    """Relative labels (n, k) with the movement of lively and calm subjects made more alike.

    Each is divided by the square root of the subject's spread, which counts as at least 0.3 of the usual one:
    below it there is noise.
    """
    index, count = subject_index(subjects)
    power = np.stack([np.bincount(index, column**2) / count for column in relative.T], axis=1)
    spread = np.sqrt(power)
    spread = np.maximum(spread, 0.3 * np.median(spread, axis=0))
    return np.asarray(relative / np.sqrt(spread[index]))


def subject_index(subjects: NDArray[np.str_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the number of the subject of each row, and how many rows each subject has."""
    _, index, count = np.unique(subjects, return_inverse=True, return_counts=True)
    return index, count


def subject_means(values: NDArray[np.floating], subjects: NDArray[np.str_]) -> NDArray[np.floating]:
    """Mean of its subject for every row of `values` (n, k)."""
    index, count = subject_index(subjects)
    total = np.zeros((len(count), values.shape[1]), values.dtype)
    np.add.at(total, index, values)
    return total[index] / count[index][:, None].astype(values.dtype)


def subject_rest(values: F64, subjects: NDArray[np.str_], quantile: float = 0.2) -> F64:
    """Low quantile of its subject for every row: what counts as the person's neutral face."""
    index, count = subject_index(subjects)
    rest = np.stack([np.quantile(values[index == i], quantile, axis=0) for i in range(len(count))])
    return np.asarray(rest[index])
