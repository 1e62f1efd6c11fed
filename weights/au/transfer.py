"""Expressions of real faces on other people: calm photographs moved by blendshapes that MediaPipe saw elsewhere.

Random combinations of action units teach the models what each unit looks like; what faces really do when they
speak, smile and blink is learnt here, on many more people than the clips show.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from weights.render.ict import F64, ICTModel

from .labels import subject_rest
from .sources import Frame

#: Range of the factor on the driver's blendshapes, and how often a blink is added that few photographs show.
GAIN, BLINK_SHARE = (0.7, 1.7), 0.2


def shape_columns(model: ICTModel, names: Sequence[str]) -> list[int]:
    """Blendshape that drives each expression shape of the model, by its name."""
    columns = []
    for name in model.names:
        base, _, side = name.partition("_")
        # MediaPipe has one value for some pairs (inner brows, cheek puff)
        there = base + {"L": "Left", "R": "Right"}.get(side, "")
        columns.append(names.index(there if there in names else base))
    return columns


class Drivers:
    """Expression weights above each person's rest, from the blendshapes of real faces.

    Parameters
    ----------
    model : face model
    frames : faces whose expressions are used
    names : names of the blendshapes
    """

    def __init__(self, model: ICTModel, frames: Iterable[Frame], names: Sequence[str]) -> None:
        faces = [(frame.subject, frame.blendshapes) for frame in frames]
        subjects = np.array([subject for subject, _ in faces])
        values = np.array([blendshapes for _, blendshapes in faces])
        above = np.clip(values - subject_rest(values, subjects), 0.0, None)
        self._weights = above[:, shape_columns(model, names)]
        self._shape = {name: i for i, name in enumerate(model.names)}

    def __call__(self, rng: np.random.Generator) -> F64:
        """Draw the expression weights of one frame."""
        out = self._weights[rng.integers(len(self._weights))] * rng.uniform(*GAIN)
        # MediaPipe has no live cheek and nose shapes; cheeks rise with most smiles
        for side in "LR":
            smile = out[self._shape[f"mouthSmile_{side}"]]
            out[self._shape[f"cheekSquint_{side}"]] = smile * rng.uniform(0.0, 1.2)
        if rng.random() < BLINK_SHARE:
            out[[self._shape["eyeBlink_L"], self._shape["eyeBlink_R"]]] = rng.uniform(0.2, 1.0)
        return np.asarray(np.clip(out, 0.0, 1.1))
