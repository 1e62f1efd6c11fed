"""FaceAnalyser: from frame and landmarks to action units, with the state of one sequence."""

from __future__ import annotations

import os
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pyclnf import PDM
from pyclnf.image import Frame
from pyclnf.io import read_triangulation
from pyfaceau._deprecation import renamed_arguments
from pyfaceau.alignment import FaceAligner
from pyfaceau.analysis import (
    Baseline,
    BaselineFrames,
    FittableModel,
    FrameAnalysis,
    SequenceAnalysis,
    check_baseline_size,
    checked_frames,
)
from pyfaceau.errors import BaselineError, BaselineWarning
from pyfaceau.features import DescriptorMedian, FrameDescriptor
from pyfaceau.prediction import (
    AUPredictor,
    LiveCorrection,
    postprocess_intensities,
    postprocess_presences,
    read_au_models,
    rest_offsets,
)
from pyfaceau.prediction.history import History
from pyfaceau.state import State, part_of, under

Floats = NDArray[np.float64]
# OpenFace 2.2: FaceAnalyser.cpp keeps the features of this many frames with a face for the final pass.
MAX_REPREDICTED = 3000
INTENSITY_RANGE = (0.0, 5.0)  # of single images


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
        both included) of this one that show it. By default it is learnt from all frames, as in OpenFace. If
        the frames pass without a face, it is learnt from the others, with a `BaselineWarning`.
    keep_history : bool, optional
        False for endless sequences: nothing is kept for `finish`, and memory does not grow.
    spool : path-like, optional
        Folder in which the history is kept instead of in memory.

    Raises
    ------
    ValueError
        If the models do not fit together, or a live analyser is given frames as baseline.
    BaselineError
        If the baseline was made with other models.

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
        baseline: Baseline | BaselineFrames | None = None,
        keep_history: bool = True,
        spool: str | os.PathLike[str] | None = None,
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
        if isinstance(baseline, Baseline):
            check_baseline_size(baseline, self._descriptor.size, len(self.intensity_names))
        elif baseline is not None:
            baseline = checked_frames(baseline)
            if live:
                raise ValueError("a live analyser needs a baseline from a recording, not frames to come")
        self._asked_baseline = baseline
        self._seen: tuple[int, int, int]
        self._keeps_history = keep_history
        self._live = LiveCorrection(len(self.intensity_names)) if live else None
        self._histories = {
            name: History(columns, dtype, None if spool is None else Path(spool, name))
            for name, columns, dtype in (
                ("intensities", len(self.intensity_names), np.float64),
                ("presences", len(self.presence_names), np.float32),
                ("valid", 1, np.bool_),
                ("projections", len(self.intensity_names) + len(self.presence_names), np.float64),
            )
        }
        self._start()
        self._no_face = FrameAnalysis.without_face(
            len(self.intensity_names), len(self.presence_names), pdm.basis.shape[1]
        )

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
        return self._n_frames

    @property
    def baseline_is_learnt(self) -> bool:
        """Whether the person at rest is learnt from the whole sequence, asked for or not."""
        return self._baseline is None

    @property
    def median(self) -> Floats:
        """Running median of the feature vector (HOG, then geometry)."""
        return self._median.median

    @renamed_arguments(success="valid")
    def process(
        self,
        frame: Frame | None,
        landmarks: NDArray[np.float32] | None,
        valid: bool,
        number: int | None = None,
    ) -> FrameAnalysis:
        """Analyse the next frame of the sequence.

        Parameters
        ----------
        frame : ndarray of shape (H, W, 3), uint8, or Picture
            Blue, green, red. May be None without a face.
        landmarks : ndarray of shape (68, 2), float32
            Landmarks in pixels. May be None without a face.
        valid : bool
            Whether the frame has a face (detected and validated).
        number : int, optional
            Number of the frame in the video, from 1, for the frames of the baseline; by default frames are
            counted here. Numbers grow, and may have gaps where the face was away.

        Returns
        -------
        FrameAnalysis
            Values of the frame as it arrives; `finish` gives the final ones.

        Raises
        ------
        ValueError
            If a frame with a face lacks image or landmarks, or they have the wrong shape.
        """
        if valid:
            result, features = self._describe(frame, landmarks)
            projection = self._predictor.project(features)
        else:
            result, features = self._no_face, np.zeros(self._descriptor.size)
        self._n_frames += 1
        number = self._n_frames if number is None else number
        if valid:
            seen_before, first, _ = self._seen
            self._seen = (seen_before + 1, first or number, number)
        if self._takes_part(number, valid) and self._median.update(features, valid):
            self._rest = self._predictor.rest(self._median.median)
        if valid:
            intensities, presences = self._predictor.split(projection - self._rest)
        else:
            intensities, presences = result.intensities, result.presences
        if self._keeps_history:
            self._histories["intensities"].append(intensities)
            self._histories["presences"].append(presences)
            self._histories["valid"].append(valid)
            projections = self._histories["projections"]
            if valid and (len(projections) < MAX_REPREDICTED or self._asked_baseline is not None):
                projections.append(projection)
        if self._live is not None:
            intensities = self._corrected(self._live, intensities, valid)
        return replace(result, intensities=intensities, presences=presences)

    def analyse_image(self, frame: Frame, landmarks: NDArray[np.float32]) -> FrameAnalysis:
        """Analyse a single image; the sequence, if there is one, is not touched.

        Parameters
        ----------
        frame : ndarray of shape (H, W, 3), uint8, or Picture
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
        return replace(result, intensities=np.clip(intensities, *INTENSITY_RANGE), presences=presences)

    def finish(self) -> SequenceAnalysis:
        """Make the final pass over all frames since the last reset; processing may go on afterwards.

        Returns
        -------
        SequenceAnalysis
            With dynamic models the first 3000 frames with a face are predicted anew with the final median and
            intensities are shifted so that each person's rest is 0; all are smoothed.

        Raises
        ------
        BaselineError
            None of the frames that were to be the baseline has passed yet with a face.
        """
        predicted = self.predicted()
        return self.finish_with(predicted, self.offsets(predicted))

    def predicted(self, median: Floats | None = None) -> SequenceAnalysis:
        """Predict the frames so far anew, as the final pass begins.

        Parameters
        ----------
        median : ndarray of shape (n_features,), float64, optional
            What to measure against instead of the median of this sequence.

        Returns
        -------
        SequenceAnalysis
            Intensities are not clipped.
        """
        rest = self._rest if median is None else self._predictor.rest(median)
        raw = self.raw()
        # Static models reproduce their values: nothing of them depends on the median.
        projections = self._histories["projections"].array()
        repredicted = np.flatnonzero(raw.valid)[: len(projections)]
        raw.intensities[repredicted], raw.presences[repredicted] = self._predictor.split(projections - rest)
        return raw

    def finish_with(self, predicted: SequenceAnalysis, offsets: Floats) -> SequenceAnalysis:
        """End the final pass: shift, clip and smooth; see `predicted` and `offsets`."""
        return SequenceAnalysis(
            postprocess_intensities(predicted.intensities, predicted.valid, self._predictor.cutoffs, offsets),
            postprocess_presences(predicted.presences, predicted.valid),
            predicted.valid,
        )

    def raw(self) -> SequenceAnalysis:
        """Return the values of all frames since the last reset as they were predicted, without the final pass.

        Returns
        -------
        SequenceAnalysis
            Copies. Intensities are not clipped.

        Raises
        ------
        ValueError
            The analyser keeps no history.
        """
        if not self._keeps_history:
            raise ValueError("an analyser without history has no final pass")
        return SequenceAnalysis(
            np.array(self._histories["intensities"].array()),
            self._histories["presences"].array().astype(np.float64),
            np.array(self._histories["valid"].array()[:, 0]),
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
            Its intensities are the medians over the frames with a face.

        Raises
        ------
        BaselineError
            If no frame has a face.
        """
        projections = self._histories["projections"].array()
        if len(projections) == 0:
            raise BaselineError(
                f"no face in the baseline{f' ({source})' if source else ''}; give another one"
            )
        intensities, _ = self._predictor.split(projections - self._rest)
        shifted = ~np.isnan(self._predictor.cutoffs)
        return Baseline(self.median.copy(), np.where(shifted, np.median(intensities, axis=0), 0.0), source)

    def reset(self) -> None:
        """Forget the sequence."""
        self._median.reset()
        if self._live is not None:
            self._live.reset()
        for history in self._histories.values():
            history.clear()
        self._start()

    def _start(self) -> None:
        self._baseline = self._asked_baseline
        self._rest = np.zeros(len(self.intensity_names) + len(self.presence_names))
        if isinstance(self._baseline, Baseline):
            self._rest = self._predictor.rest(self._baseline.features)
        self._n_frames: int = 0
        self._seen = (0, 0, 0)  # frames with a face, the first and the last of them
        self._n_before: int = 0  # frames before those of the baseline
        self._n_baseline: int = 0  # frames of the baseline
        self._baseline_seen = False  # whether one of them has a face

    def state(self) -> State:
        """Everything that the rest of the sequence depends on.

        Returns
        -------
        dict of str to ndarray
            Copies, as plain arrays; an analyser with the same models and arguments that takes them with
            `restore` goes on with identical results. Rows of a history in files stay there.
        """
        counters = (
            self._n_frames,
            self._n_before,
            self._n_baseline,
            self._baseline_seen,
        )
        state: State = {
            "counters": np.array(counters, np.int64),
            "learnt": np.array(self.baseline_is_learnt),
            "seen": np.array(self._seen, np.int64),
        }
        state |= under("median.", self._median.state())
        if self._live is not None:
            state |= under("live.", self._live.state())
        for name, history in self._histories.items():
            state |= under(f"{name}.", history.state())
        return state

    def restore(self, state: State, *, to_finish: bool = False) -> None:
        """Go on from what `state` returned.

        Parameters
        ----------
        state : dict of str to ndarray
            Of an analyser with the same models and arguments.
        to_finish : bool
            No further frame will come, only `finish` or `raw`: the histograms of the medians are left out.

        Raises
        ------
        KeyError, ValueError
            If an array is missing or does not fit.
        """
        n_frames, n_before, n_baseline, seen = (int(n) for n in state["counters"])
        learnt = bool(state["learnt"])
        self._median.restore(part_of(state, "median."), without_histograms=to_finish)
        if self._live is not None:
            self._live.restore(part_of(state, "live."))
        for name, history in self._histories.items():
            history.restore(part_of(state, f"{name}."))
        self._start()
        self._n_frames, self._n_before, self._n_baseline = n_frames, n_before, n_baseline
        self._baseline_seen = bool(seen)
        n_valid, first, last = (int(n) for n in state["seen"])
        self._seen = (n_valid, first, last)
        if learnt:
            self._baseline = None
        if not isinstance(self._baseline, Baseline):
            self._rest = self._predictor.rest(self._median.median)

    def _takes_part(self, number: int, valid: bool) -> bool:
        """Whether a frame enters the running median."""
        if isinstance(self._baseline, Baseline):
            return False
        if self._baseline is None:
            return True
        first, last = self._baseline
        if number < first:
            self._n_before = self._n_frames
            return False
        if number <= last:
            self._n_baseline = self._n_frames - self._n_before
            self._baseline_seen |= valid
            return True
        if not self._baseline_seen:
            warnings.warn(
                f"no face in the baseline frames {first} to {last}; the person's rest is learnt from the other "
                "frames instead",
                BaselineWarning,
                stacklevel=4,
            )
            self._baseline = None
        return self._baseline is None

    def offsets(self, predicted: SequenceAnalysis) -> Floats:
        """Intensity of each action unit at rest: of the baseline, or a low quantile of `predicted`.

        Raises
        ------
        BaselineError
            None of the frames that were to be the baseline has passed yet with a face.
        """
        cutoffs = self._predictor.cutoffs
        if self._baseline is None:
            return rest_offsets(predicted.intensities[predicted.valid], cutoffs)
        if isinstance(self._baseline, Baseline):
            return self._baseline.intensities
        rows = slice(self._n_before, self._n_before + self._n_baseline)
        at_rest = predicted.intensities[rows][predicted.valid[rows]]
        if len(at_rest) == 0:
            raise BaselineError("no face in the baseline frames {} to {}".format(*self._baseline))
        return np.where(np.isnan(cutoffs), 0.0, np.median(at_rest, axis=0))

    def _corrected(self, live: LiveCorrection, intensities: Floats, valid: bool) -> Floats:
        """Shift and clip the intensities of a live frame."""
        if not isinstance(self._baseline, Baseline):
            return live.correct(intensities, valid)
        offsets = self._baseline.intensities if valid else 0.0
        return np.clip(intensities - offsets, *INTENSITY_RANGE)

    def _describe(
        self, frame: Frame | None, landmarks: NDArray[np.float32] | None
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
        shape = (params_global, params_local, aligned.landmarks)
        return FrameAnalysis(True, nothing, nothing, aligned.image, hog, *shape), features
