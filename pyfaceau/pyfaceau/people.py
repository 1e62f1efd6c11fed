"""The action-unit stage of everyone in a sequence: one analyser a face, one set of models for all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pyclnf import PDM
from pyclnf.io import read_triangulation

from .analyser import Baseline, FaceAnalyser
from .models import ModelSet
from .prediction import AUPredictor, read_au_models

AU_MODELS = ("dynamic", "static", "both")
_STATIC_SUFFIX = "_static"

Floats = NDArray[np.float64]


class People:
    """Analysers by face, made when a face first appears.

    Parameters
    ----------
    models : ModelSet
    au_models : {"dynamic", "static", "both"}
        Which action-unit models; with "both" the static ones' columns end in ``_static``.

    Raises
    ------
    ValueError
        If `au_models` is none of these.
    """

    def __init__(self, models: ModelSet, au_models: str = "dynamic") -> None:
        if au_models not in AU_MODELS:
            raise ValueError(f"au_models must be one of {', '.join(AU_MODELS)}, got {au_models!r}")
        self._static_path = models.au_static
        main = read_au_models(models.au_static if au_models == "static" else models.au_dynamic)
        chosen = list(main.models)
        if au_models == "both":
            chosen += [replace(m, suffix=_STATIC_SUFFIX) for m in read_au_models(models.au_static).models]
        self._pdm = PDM.from_file(main.pdm)
        self._triangulation = read_triangulation(main.triangulation)
        self._predictor = AUPredictor(chosen)
        self._for_images: FaceAnalyser | None = None
        self.reset()

    @property
    def intensity_names(self) -> tuple[str, ...]:
        """Columns of the intensities: "AU01_r", ..."""
        return self._predictor.intensity_names

    @property
    def presence_names(self) -> tuple[str, ...]:
        """Columns of the presences: "AU01_c", ..."""
        return self._predictor.presence_names

    def reset(self, baseline: Baseline | tuple[int, int] | None = None, *, live: bool = False) -> None:
        """Forget everyone; those who come are measured against `baseline`, if given."""
        self._analysers: dict[int, FaceAnalyser] = {}
        self._baseline = baseline
        self._live = live

    def analyser(self, face_id: int) -> FaceAnalyser:
        """Analyser of a face."""
        if face_id not in self._analysers:
            self._analysers[face_id] = FaceAnalyser(
                self._pdm, self._triangulation, self._predictor, live=self._live, baseline=self._baseline
            )
        return self._analysers[face_id]

    def for_images(self) -> FaceAnalyser:
        """Analyser with the static models, for single images."""
        if self._for_images is None:
            self._for_images = FaceAnalyser.from_files(self._static_path)
        return self._for_images

    def baseline(self, source: str) -> Baseline:
        """Take the one face that was processed for a person at rest."""
        return self.analyser(0).baseline(source)

    def finish(self, face_ids: Sequence[NDArray[np.int64]]) -> tuple[list[Floats], list[Floats]]:
        """Make the final pass, arranged as the rows of one or more tables.

        Parameters
        ----------
        face_ids : sequence of ndarray, shape (n_rows,), int64
            Per table, whose each row is; the tables hold consecutive parts of the sequence. Rows beyond what
            was analysed (after a failure) become NaN.

        Returns
        -------
        intensities, presences : list of ndarray
            Per table, shape (n_rows, number of columns).
        """
        owner = np.concatenate(face_ids) if len(face_ids) else np.empty(0, np.int64)
        intensities = np.full((len(owner), len(self.intensity_names)), np.nan)
        presences = np.full((len(owner), len(self.presence_names)), np.nan)
        for face_id, analyser in self._analysers.items():
            rows = np.flatnonzero(owner == face_id)
            final = analyser.finish()
            rows = rows[: len(final.success)]
            intensities[rows] = final.intensities[: len(rows)]
            presences[rows] = final.presences[: len(rows)]
        ends = np.cumsum([len(ids) for ids in face_ids])[:-1]
        return np.split(intensities, ends), np.split(presences, ends)
