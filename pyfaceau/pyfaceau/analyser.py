"""FaceAnalyser: from frame and landmarks to action units, with the state of one sequence."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pyclnf.core.pdm import PDM
from pyclnf.io import read_triangulation
from pyfaceau.alignment import FaceAligner
from pyfaceau.alignment.aligner import AU_SIZE, ShapeModel
from pyfaceau.features import DescriptorMedian, FrameDescriptor
from pyfaceau.features.descriptor import HOG_SHAPE, DeformableModel
from pyfaceau.prediction import (
    AUPredictor,
    LiveCorrection,
    postprocess_intensities,
    postprocess_presences,
    read_au_models,
)
from pyfaceau.prediction.history import History

Floats = NDArray[np.float64]
State = dict[str, NDArray[np.generic]]

# OpenFace 2.2: FaceAnalyser.cpp keeps the features of this many frames with a face for the final pass.
MAX_REPREDICTED = 3000
INTENSITY_RANGE = (0.0, 5.0)  # of single images


@dataclass(frozen=True, eq=False)
class Baseline:
    """A person at rest, against which dynamic action units are measured.

    Attributes
    ----------
    median : ndarray of shape (n_features,), float64
        Median feature vector.
    offsets : ndarray of shape (n_intensities,), float64
        Intensity of each action unit at rest; 0 for those that are not shifted (static models).
    source : str
        Where it comes from, for the record.
    """

    median: Floats
    offsets: Floats
    source: str = ""


class FittableModel(ShapeModel, DeformableModel, Protocol):
    """What the analyser needs of a point distribution model."""

    def fit_landmarks(
        self, landmarks: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Global (6,) and local (m,) parameters of landmarks (68, 2)."""


@dataclass(frozen=True, eq=False)
class FrameAnalysis:
    """Action units of one frame and what they were computed from. A frame without a face holds zeros.

    Attributes
    ----------
    success : bool
        Whether the frame has a face.
    intensities : ndarray of shape (n_intensities,), float64
        As predicted when the frame arrived, in the order of `FaceAnalyser.intensity_names`. Not clipped,
        except from live analysers and single images.
    presences : ndarray of shape (n_presences,), float64
        0 or 1, in the order of `FaceAnalyser.presence_names`.
    aligned_face : ndarray of shape (112, 112, 3), uint8
        Aligned, masked face, blue, green, red.
    hog : ndarray of shape (12, 12, 31), float32
        FHOG of the aligned face.
    params_global : ndarray of shape (6,), float32
        Model fitted to the landmarks: scale in px/mm, pitch, yaw, roll in rad, x and y in px.
    params_local : ndarray of shape (m,), float32
        Its shape parameters.
    """

    success: bool
    intensities: Floats
    presences: Floats
    aligned_face: NDArray[np.uint8]
    hog: NDArray[np.float32]
    params_global: NDArray[np.float32]
    params_local: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class SequenceAnalysis:
    """Action units of a sequence after the final pass.

    Attributes
    ----------
    intensities : ndarray of shape (n_frames, n_intensities), float64
        Within 0..5.
    presences : ndarray of shape (n_frames, n_presences), float64
        0 or 1.
    success : ndarray of shape (n_frames,), bool
        Frames with a face.
    """

    intensities: Floats
    presences: Floats
    success: NDArray[np.bool_]


class FaceAnalyser:
    """Action units of one face over a sequence of frames, or of single images.

    Parameters
    ----------
    pdm : PDM
        68-point model of the action-unit stage.
    triangulation : ndarray of shape (t, 3), int
        Triangles of the face mask.
    predictor : AUPredictor
        Action-unit models. Dynamic ones compare with the running median of the sequence, static ones do not.
    live : bool, optional
        For cameras: shift and clip intensities as they come, since no final pass will follow.
    baseline : Baseline or (int, int), optional
        The person at rest, where it is known: from another recording, or the first and last frame (from 1,
        both included) of this one that show it. By default it is learnt from all frames, as in OpenFace.

    Raises
    ------
    ValueError
        If the models do not fit together.

    Notes
    -----
    One analyser follows one face; call `reset` between sequences. Not for use from several threads at once.

    References
    ----------
    OpenFace 2.2, ``FaceAnalyser``.
    """

    def __init__(
        self,
        pdm: FittableModel,
        triangulation: NDArray[np.int32],
        predictor: AUPredictor,
        *,
        live: bool = False,
        baseline: Baseline | tuple[int, int] | None = None,
    ) -> None:
        self._pdm = pdm
        self._predictor = predictor
        self._aligner = FaceAligner(pdm, triangulation)
        self._descriptor = FrameDescriptor(pdm)
        if self._descriptor.size != predictor.n_features:
            raise ValueError(
                f"the action-unit models expect {predictor.n_features} features, the face model gives "
                f"{self._descriptor.size}; their files do not belong together"
            )
        self._median = DescriptorMedian(self._descriptor.geometry_size)
        self._baseline = _checked_baseline(baseline, self._descriptor.size, len(self.intensity_names))
        self._rest = self._first_rest()
        self._live = LiveCorrection(len(self.intensity_names)) if live else None
        self._intensities = History(len(self.intensity_names), np.float64)
        self._presences = History(len(self.presence_names), np.float32)
        self._success = History(1, np.bool_)
        self._projections = History(len(self._rest), np.float64)
        self._no_face = self._failed_frame()

    @classmethod
    def from_files(cls, main_file: str | os.PathLike[str], *, live: bool = False) -> FaceAnalyser:
        """Make an analyser of the models that a main description names.

        Parameters
        ----------
        main_file : path-like
            `main_dynamic_svms.txt` for sequences, `main_static_svms.txt` for single images (or for sequences
            without comparison with the person's own median).
        live : bool, optional
            See the class.

        Returns
        -------
        FaceAnalyser

        Raises
        ------
        MissingModelError, ModelFileError
            If a file is missing or malformed.
        """
        models = read_au_models(main_file)
        predictor = AUPredictor(models.models)
        return cls(PDM.from_file(models.pdm), read_triangulation(models.triangulation), predictor, live=live)

    @property
    def intensity_names(self) -> tuple[str, ...]:
        """Columns of the intensities: "AU01_r", ..."""
        return self._predictor.intensity_names

    @property
    def presence_names(self) -> tuple[str, ...]:
        """Columns of the presences: "AU01_c", ..."""
        return self._predictor.presence_names

    @property
    def n_frames(self) -> int:
        """Frames processed since the last reset."""
        return len(self._success)

    @property
    def median(self) -> Floats:
        """Running median of the feature vector (HOG, then geometry)."""
        return self._median.median

    def process(
        self, frame: NDArray[np.uint8] | None, landmarks: NDArray[np.float32] | None, success: bool
    ) -> FrameAnalysis:
        """Analyse the next frame of the sequence.

        Parameters
        ----------
        frame : ndarray of shape (H, W, 3), uint8
            Blue, green, red. May be None without a face.
        landmarks : ndarray of shape (68, 2), float32
            Landmarks in pixels. May be None without a face.
        success : bool
            Whether the frame has a face (detected and validated).

        Returns
        -------
        FrameAnalysis
            Values of the frame as it arrives; `finish` gives the final ones.

        Raises
        ------
        ValueError
            If a frame with a face lacks image or landmarks, or they have the wrong shape.
        """
        if success:
            result, features = self._describe(frame, landmarks)
            projection = self._predictor.project(features)
        else:
            result, features = self._no_face, np.zeros(self._descriptor.size)
        if self._counts(self.n_frames + 1) and self._median.update(features, success):
            self._rest = self._predictor.rest(self._median.median)
        if success:
            intensities, presences = self._predictor.split(projection - self._rest)
            if len(self._projections) < MAX_REPREDICTED or self._baseline is not None:
                self._projections.append(projection)
        else:
            intensities, presences = result.intensities, result.presences
        self._intensities.append(intensities)
        self._presences.append(presences)
        self._success.append(success)
        if self._live is not None:
            intensities = self._live.correct(intensities, success)
        return _with_action_units(result, intensities, presences)

    def analyse_image(self, frame: NDArray[np.uint8], landmarks: NDArray[np.float32]) -> FrameAnalysis:
        """Analyse a single image; the sequence, if there is one, is not touched.

        Parameters
        ----------
        frame : ndarray of shape (H, W, 3), uint8
            Blue, green, red.
        landmarks : ndarray of shape (68, 2), float32
            Landmarks in pixels.

        Returns
        -------
        FrameAnalysis
            Intensities are clipped to 0..5.

        Raises
        ------
        ValueError
            If the models are not all static, or image or landmarks have the wrong shape.
        """
        if self._predictor.any_dynamic:
            raise ValueError("single images need static action-unit models (main_static_svms.txt)")
        result, features = self._describe(frame, landmarks)
        intensities, presences = self._predictor.split(self._predictor.project(features))
        return _with_action_units(result, np.clip(intensities, *INTENSITY_RANGE), presences)

    def finish(self) -> SequenceAnalysis:
        """Make the final pass over all frames since the last reset; processing may go on afterwards.

        Returns
        -------
        SequenceAnalysis
            With dynamic models the first 3000 frames with a face are predicted anew with the final median and
            intensities are shifted so that each person's rest is 0; all are smoothed.
        """
        success = self._success.array()[:, 0].copy()
        intensities = self._intensities.array().copy()
        presences = self._presences.array().astype(np.float64)
        # Static models reproduce their values: nothing of them depends on the median.
        repredicted = np.flatnonzero(success)[: len(self._projections)]
        intensities[repredicted], presences[repredicted] = self._predictor.split(
            self._projections.array() - self._rest
        )
        offsets = self._offsets(intensities, success)
        return SequenceAnalysis(
            postprocess_intensities(intensities, success, self._predictor.cutoffs, offsets),
            postprocess_presences(presences, success),
            success,
        )

    def baseline(self, source: str = "") -> Baseline:
        """Take the sequence so far for a person at rest.

        Parameters
        ----------
        source : str, optional
            Where it comes from, for the record.

        Returns
        -------
        Baseline
            Its offsets are the median intensities of the frames with a face.

        Raises
        ------
        ValueError
            If no frame has a face.
        """
        if len(self._projections) == 0:
            raise ValueError(f"no face in the neutral frames{f' ({source})' if source else ''}")
        intensities, _ = self._predictor.split(self._projections.array() - self._rest)
        shifted = ~np.isnan(self._predictor.cutoffs)
        return Baseline(self.median.copy(), np.where(shifted, np.median(intensities, axis=0), 0.0), source)

    def reset(self) -> None:
        """Forget the sequence."""
        self._median.reset()
        self._rest = self._first_rest()
        if self._live is not None:
            self._live.reset()
        for history in self._histories().values():
            history.clear()

    def state(self) -> State:
        """Everything that the rest of the sequence depends on.

        Returns
        -------
        dict of str to ndarray
            Copies, as plain arrays; an analyser with the same models that takes them with `restore` goes on
            with identical results.
        """
        state: State = {f"median.{name}": array for name, array in self._median.state().items()}
        if self._live is not None:
            state |= {f"live.{name}": array for name, array in self._live.state().items()}
        state |= {name: history.array().copy() for name, history in self._histories().items()}
        return state

    def restore(self, state: State) -> None:
        """Go on from what `state` returned.

        Parameters
        ----------
        state : dict of str to ndarray
            Of an analyser with the same models and the same `live`.

        Raises
        ------
        KeyError, ValueError
            If an array is missing or does not fit.
        """
        self._median.restore(_below(state, "median."))
        if self._live is not None:
            self._live.restore(_below(state, "live."))
        for name, history in self._histories().items():
            history.restore(state[name])
        if not isinstance(self._baseline, Baseline):
            self._rest = self._predictor.rest(self._median.median)

    def _first_rest(self) -> Floats:
        """Compute what the median takes off the scores of the first frame."""
        if isinstance(self._baseline, Baseline):
            return self._predictor.rest(self._baseline.median)
        return np.zeros(len(self.intensity_names) + len(self.presence_names))

    def _counts(self, number: int) -> bool:
        """Whether a frame takes part in the running median."""
        if isinstance(self._baseline, Baseline):
            return False
        return self._baseline is None or self._baseline[0] <= number <= self._baseline[1]

    def _offsets(self, intensities: Floats, success: NDArray[np.bool_]) -> Floats | None:
        """Intensity of each action unit at rest, if there is a baseline."""
        cutoffs = self._predictor.cutoffs
        if self._baseline is None:
            return None
        if isinstance(self._baseline, Baseline):
            return self._baseline.offsets
        first, last = self._baseline
        neutral = intensities[first - 1 : last][success[first - 1 : last]]
        if len(neutral) == 0:
            raise ValueError(f"no face in the neutral frames {first} to {last}")
        return np.where(np.isnan(cutoffs), 0.0, np.median(neutral, axis=0))

    def _histories(self) -> dict[str, History]:
        return {
            "intensities": self._intensities,
            "presences": self._presences,
            "success": self._success,
            "projections": self._projections,
        }

    def _describe(
        self, frame: NDArray[np.uint8] | None, landmarks: NDArray[np.float32] | None
    ) -> tuple[FrameAnalysis, Floats]:
        """Align a face; return a result that lacks its action units, and the feature vector."""
        if frame is None or landmarks is None:
            raise ValueError("a frame with a face needs its image and its landmarks")
        # The analyser fits its own model; the tracker's parameters differ and would give other features.
        params_global, params_local = self._pdm.fit_landmarks(landmarks)
        aligned = self._aligner.align(frame, landmarks, params_global)
        hog = self._descriptor.hog(aligned.image)
        features = self._descriptor.compute(hog, params_local)
        nothing = np.empty(0)
        result = FrameAnalysis(True, nothing, nothing, aligned.image, hog, params_global, params_local)
        return result, features

    def _failed_frame(self) -> FrameAnalysis:
        """Build the result of a frame without a face; its arrays are shared, therefore read-only."""
        arrays = (
            np.zeros(len(self.intensity_names)),
            np.zeros(len(self.presence_names)),
            np.zeros((AU_SIZE, AU_SIZE, 3), np.uint8),
            np.zeros(HOG_SHAPE, np.float32),
            np.zeros(6, np.float32),
            np.zeros(self._pdm.basis.shape[1], np.float32),
        )
        for array in arrays:
            array.flags.writeable = False
        return FrameAnalysis(False, *arrays)


def _checked_baseline(
    baseline: Baseline | tuple[int, int] | None, n_features: int, n_intensities: int
) -> Baseline | tuple[int, int] | None:
    if isinstance(baseline, Baseline):
        if baseline.median.shape != (n_features,) or baseline.offsets.shape != (n_intensities,):
            raise ValueError("the baseline was made with other action-unit models")
    elif baseline is not None and not 1 <= baseline[0] <= baseline[1]:
        raise ValueError(f"neutral frames are counted from 1, first to last; got {baseline}")
    return baseline


def _with_action_units(result: FrameAnalysis, intensities: Floats, presences: Floats) -> FrameAnalysis:
    """Fill in the action units of a result."""
    return FrameAnalysis(
        result.success,
        intensities,
        presences,
        result.aligned_face,
        result.hog,
        result.params_global,
        result.params_local,
    )


def _below(state: State, prefix: str) -> State:
    """Select the entries that begin with `prefix`, without it."""
    return {name[len(prefix) :]: array for name, array in state.items() if name.startswith(prefix)}
