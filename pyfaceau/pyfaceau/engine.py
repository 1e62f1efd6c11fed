"""What an analysis is made with: models, tools and options. Runs share it; nothing in it changes."""

from __future__ import annotations

from collections.abc import Collection
from functools import cached_property
from pathlib import Path
from typing import Any

from pyclnf import FaceTracker, FitParameters, LandmarkModel, MultiFaceTracker
from pyclnf.config import EYE_PARTS
from pyclnf.open_arrays import EYES_FILE, beside

from ._warning import warn
from .detectors import make_detector
from .errors import MissingColumnsWarning
from .faces import FaceStage
from .models import ModelSet, choose_models
from .options import AnalysisOptions
from .output.columns import GAZE_GROUPS
from .people import ActionUnitModels
from .provenance import detector_record, instruction_sets, versions
from .quality import quality_record


class Engine:
    """Everything that the runs of a pipeline share; safe to use from several threads.

    Parameters
    ----------
    options : AnalysisOptions

    Attributes
    ----------
    options : AnalysisOptions
    models : ModelSet
        Files that were chosen, and why.
    action_units : ActionUnitModels
    landmark_model : LandmarkModel
    detector : FaceDetector
    stage : FaceStage
        Pose, gaze and action units of one face.
    parameters : FitParameters
        Of the landmark model.

    Raises
    ------
    pyclnf.MissingModelError, pyclnf.ModelFileError
        A model file is missing or damaged.
    ValueError, TypeError, FileNotFoundError
        There is no such detector.
    """

    def __init__(self, options: AnalysisOptions) -> None:
        self.options = options
        self.models: ModelSet = choose_models(options.models, options.landmarks)
        self.action_units = ActionUnitModels(self.models, options.au_models)
        self.landmark_model = LandmarkModel.load(self.models.landmarks)
        self.detector = make_detector(options.detector, self.models.mtcnn)
        self.stage = FaceStage(self.landmark_model, options.intrinsics)
        self.parameters = FitParameters.for_model(self.landmark_model, wild=options.wild)

    def __repr__(self) -> str:
        return f"Engine(models={self.models.name!r}, landmarks={self.models.landmarks.stem!r})"

    @property
    def has_gaze(self) -> bool:
        """Whether the landmark model has the eye models that gaze needs."""
        parts = {part.name for part in self.landmark_model.parts}
        return parts >= {*EYE_PARTS} or beside(self.landmark_model.path, EYES_FILE) is not None

    def available(self, groups: Collection[str]) -> tuple[str, ...]:
        """Return those groups of columns that the models can give.

        Warns
        -----
        MissingColumnsWarning
            Some of them are left out: zeros would be read as a gaze into the camera.
        """
        absent = () if self.has_gaze else tuple(group for group in groups if group in GAZE_GROUPS)
        if absent:
            warn(
                f"the models {Path(self.models.name).name!r} have no eye models; the table has no columns of "
                f"{' and '.join(absent)}. Gaze needs OpenFace's models, or the open ones",
                MissingColumnsWarning,
            )
        return tuple(group for group in groups if group not in absent)

    @cached_property
    def model_hashes(self) -> dict[str, str]:
        """SHA-256 of every model file, by a name that is the same on every machine."""
        return self.models.sha256()

    def new_tracker(self) -> FaceTracker | MultiFaceTracker:
        """Make a tracker of one or several faces, as the options say."""
        tools: dict[str, Any] = {
            "model": self.landmark_model,
            "detector": self.detector,
            "parameters": self.parameters,
            "threads": self.options.n_threads,
        }
        if self.options.max_faces == 1:
            return FaceTracker(**tools)
        return MultiFaceTracker(**tools, max_faces=self.options.max_faces, stable_ids=self.options.stable_ids)

    def record(self) -> dict[str, Any]:
        """Describe what every result is made with, for ``.attrs``.

        Returns
        -------
        dict
            Values that JSON knows: model set and how it was chosen, SHA-256 of its files, options, versions,
            instruction sets.
        """
        return {
            "models": Path(self.models.name).name,
            "models_choice": self.models.choice,
            "landmark_model": self.models.landmarks.stem,
            "au_models": self.options.au_models,
            "detector_backend": getattr(self.detector, "backend", None),
            "detector": detector_record(self.detector),
            "options": self.options.as_dict(),
            "model_sha256": dict(self.model_hashes),
            "versions": dict(versions()),
            "instruction_sets": instruction_sets(),
            **quality_record(self.models.name),
        }
