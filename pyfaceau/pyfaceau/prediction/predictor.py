"""Applies all action-unit models to a feature vector in one matrix product."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pyfaceau.kernels import form_of
from pyfaceau.prediction.files import AUModel, read_au_models

if TYPE_CHECKING:
    from pyfaceau.prediction.linear import multiply
else:
    _form = form_of("pyfaceau.prediction.linear")
    multiply = _form.multiply

Floats = NDArray[np.float64]


class AUPredictor:
    """All action-unit models as one matrix.

    The score of model i for a feature vector x with running median m is ``W[i] @ (x - means[i]) +
    bias[i]``, minus ``W[i] @ m`` if the model is dynamic. `project` gives the part that depends on the
    frame and `rest` the part that depends on the median, so a score with another median needs neither the
    frame nor its features again.

    Parameters
    ----------
    models : sequence of AUModel
        Their means must have one size.

    Attributes
    ----------
    intensity_names, presence_names : tuple of str
        "AU01_r", ... and "AU01_c", ..., sorted.
    n_features : int
        Length of the feature vector.
    any_dynamic : bool
        Whether any model subtracts the running median.
    cutoffs : ndarray of shape (n_intensities,), float64
        Quantile that counts as rest; NaN where there is no such correction (static models, cutoff -1).
    """

    def __init__(self, models: Sequence[AUModel]) -> None:
        ordered = sorted(models, key=lambda m: (m.suffix, m.name))
        intensities = [m for m in ordered if m.intensity]
        presences = [m for m in ordered if not m.intensity]
        self.intensity_names = tuple(m.column for m in intensities)
        self.presence_names = tuple(m.column for m in presences)
        self.any_dynamic = any(m.dynamic for m in models)
        self.cutoffs = np.array([_cutoff(m) for m in intensities], float)
        self._positive = np.array([m.positive for m in presences], float)
        self._negative = np.array([m.negative for m in presences], float)

        ordered = [*intensities, *presences]
        self.n_features = ordered[0].weights.size
        self._weights = np.array([m.weights for m in ordered])
        means = _means_by_class(models)
        self._bias = np.array([m.bias - means[m.suffix, m.intensity, m.dynamic] @ m.weights for m in ordered])
        self._dynamic_rows = np.flatnonzero([m.dynamic for m in ordered])
        self._dynamic_weights = self._weights[self._dynamic_rows]

    @classmethod
    def from_files(cls, main_file: str | os.PathLike[str]) -> AUPredictor:
        """Read the models that a main description names.

        Parameters
        ----------
        main_file : path-like
            `main_dynamic_svms.txt` or a file like it.

        Returns
        -------
        AUPredictor

        Raises
        ------
        MissingModelError, ModelFileError
            As `read_au_models`.
        """
        return cls(read_au_models(main_file).models)

    def project(self, features: Floats) -> Floats:
        """Scores of a frame before the running median is taken into account.

        Parameters
        ----------
        features : ndarray of shape (n_features,), float64
            Feature vector.

        Returns
        -------
        ndarray of shape (n_intensities + n_presences,), float64
        """
        scores = np.empty(len(self._bias))
        multiply(self._weights, features, scores)
        scores += self._bias
        return scores

    def rest(self, median: Floats) -> Floats:
        """Compute what the running median takes off the scores.

        Parameters
        ----------
        median : ndarray of shape (n_features,), float64
            Running median of the feature vectors.

        Returns
        -------
        ndarray of shape (n_intensities + n_presences,), float64
            0 for static models.
        """
        rest = np.zeros(len(self._bias))
        if self.any_dynamic:
            part = np.empty(len(self._dynamic_rows))
            multiply(self._dynamic_weights, median, part)
            rest[self._dynamic_rows] = part
        return rest

    def split(self, scores: Floats) -> tuple[Floats, Floats]:
        """Turn scores into intensities and presences.

        Parameters
        ----------
        scores : ndarray of shape (..., n_intensities + n_presences), float64
            ``project(features) - rest(median)``.

        Returns
        -------
        intensities : ndarray of shape (..., n_intensities), float64
            Not clipped.
        presences : ndarray of shape (..., n_presences), float64
            Class values of the models, 0 or 1.
        """
        n = len(self.intensity_names)
        return scores[..., :n], np.where(scores[..., n:] > 0, self._positive, self._negative)


def _cutoff(model: AUModel) -> float:
    """Quantile of the rest correction, NaN for none."""
    without = not model.dynamic or model.cutoff is None or model.cutoff == -1
    return float("nan") if without else float(model.cutoff or 0.0)


def _means_by_class(models: Sequence[AUModel]) -> dict[tuple[str, bool, bool], Floats]:
    """Means of each of the four classes: those of its first file serve them all, as in OpenFace."""
    means: dict[tuple[str, bool, bool], Floats] = {}
    for model in models:
        means.setdefault((model.suffix, model.intensity, model.dynamic), model.means)
    return means
