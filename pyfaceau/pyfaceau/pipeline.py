"""The whole way of a video or image: faces, landmarks, pose, gaze, action units, table."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from . import migration
from ._deprecation import renamed_arguments
from ._html import pipeline_html
from .analysis import Baseline
from .at_rest import BaselineChoice, given_baseline
from .detectors import FaceDetector
from .engine import Engine
from .errors import ProcessingError
from .images import PhotographMethods
from .models import ModelSet
from .options import AnalysisOptions, Timestamps, number_format
from .output import DEFAULT_GROUPS, SharedSink, Sink, check_target, write_table
from .output.columns import Include
from .people import AUModelChoice
from .progress import ProgressCallback
from .result import FrameResult
from .rotation import Rotation, check_rotation, rotation_of
from .run import AnalysisRun, RunMode
from .saved_runs import resume_run
from .sequence import analyse_files, finishing
from .video import FrameIterator, FrameSource, open_video

if TYPE_CHECKING:
    import pandas as pd

Frame = npt.NDArray[np.generic]
PathLike = str | os.PathLike[str]


class FullPythonAUPipeline(PhotographMethods):
    """Action units, gaze, head pose and landmarks of faces in videos and images, as in OpenFace 2.2.

    Parameters
    ----------
    models : {"auto", "openface", "open"} or path-like
        "openface": OpenFace's files, which the user installs (``pyfaceau models install``). "open": the models
        that ship with pyfaceau; their action-unit values are not interchangeable with OpenFace's. "auto":
        OpenFace's if they are installed, else open, with a warning. Or a folder with OpenFace's files.
    landmarks : {"auto", "ceclm", "clnf"} or path-like
        Landmark model, or the path of a main model file. "auto": CE-CLM if it is installed, else CLNF.
    detector : str or FaceDetector
        Face detector: "mtcnn", an engine of :class:`pymtcnn.MTCNN`, "haar", "yunet:PATH", or any object with
        ``detect(image)`` whose boxes enclose faces from chin to eyebrows; see :mod:`pyfaceau.detectors`.
    include : collection of str, or "openface"
        Groups of columns: "gaze", "pose", "landmarks", "landmarks_3d", "pdm", "aus". "openface" means all,
        with OpenFace's 714 columns.
    au_models : {"dynamic", "static", "both"}
        "dynamic": OpenFace's choice for video, where most action units are measured against the person's own
        median face. "static": nothing person-specific, which keeps a face's tone at rest. "both": one pass,
        static columns end in ``_static``.
    max_faces : int
        Most faces to follow in a video; more than one gives rows with several values of ``face_id`` in a frame.
    stable_ids : bool
        With several faces, a newcomer gets a new number and a face that comes back soon its old one. False: the
        number is that of the tracker, as in OpenFace, so a newcomer gets that of somebody who has gone.
    recognise : bool
        With several faces and `stable_ids`, people who come back under a new number get their old one in the
        finished table, by what they look like; their frames are then one sequence. See
        :mod:`pyfaceau.returning` for how sure that is.
    wild : bool
        OpenFace's settings for faces in difficult images: larger search areas, slower.
    fx, fy, cx, cy : float, optional
        Camera in px, for pose, gaze and 3D landmarks; guessed from the frame size as OpenFace does by
        default.
    threads : int, optional
        Threads of the landmark stage; the rest runs in one more. Results do not depend on it. By default two where
        the machine has them.
    every : int
        Take each n-th frame of a video, beginning with the first. Frames keep their numbers and time stamps; medians
        and smoothing see only the frames that are taken.
    timestamps : {"container", "frames"}
        Time stamps of video files: those of the container, or frame / frame rate, as in OpenFace, which is wrong where
        the frame rate varies. A `TimestampWarning` says when the two differ.

    Raises
    ------
    pyclnf.MissingModelError
        A model file is not there; the message names the command that installs it.
    pyclnf.ModelFileError
        A model file is damaged.
    ValueError
        An argument is none of the above.

    Examples
    --------
    >>> from pyfaceau import FullPythonAUPipeline
    >>> table = FullPythonAUPipeline().process_video("video.mp4")  # doctest: +SKIP
    >>> table[["timestamp", "AU12_r"]].plot(x="timestamp")  # doctest: +SKIP
    """

    @renamed_arguments(mtcnn_backend="detector")
    @migration.accepts_old(migration.old_constructor_arguments)
    def __init__(
        self,
        models: PathLike = "auto",
        landmarks: PathLike = "auto",
        detector: str | FaceDetector = "mtcnn",
        *,
        include: Include = DEFAULT_GROUPS,
        au_models: AUModelChoice = "dynamic",
        max_faces: int = 1,
        stable_ids: bool = True,
        recognise: bool = True,
        wild: bool = False,
        fx: float | None = None,
        fy: float | None = None,
        cx: float | None = None,
        cy: float | None = None,
        threads: int | None = None,
        every: int = 1,
        timestamps: Timestamps = "container",
    ) -> None:
        self._begin_with(
            AnalysisOptions(
                models=models,
                landmarks=landmarks,
                detector=detector,
                include=include,
                au_models=au_models,
                max_faces=max_faces,
                stable_ids=stable_ids,
                recognise=recognise,
                wild=wild,
                fx=fx,
                fy=fy,
                cx=cx,
                cy=cy,
                threads=threads,
                every=every,
                timestamps=timestamps,
            )
        )

    @classmethod
    def from_options(cls, options: AnalysisOptions) -> FullPythonAUPipeline:
        """Make a pipeline of options that have been put together elsewhere."""
        pipeline = cls.__new__(cls)
        pipeline._begin_with(options)
        return pipeline

    def _begin_with(self, options: AnalysisOptions) -> None:
        self.engine = Engine(options)
        self._by_frame: AnalysisRun | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        # A copy in another process loads the models itself; they are memory-mapped, so both share them.
        return type(self).from_options, (self.options,)

    def __repr__(self) -> str:
        return (
            f"FullPythonAUPipeline(models={self.models.name!r}, landmarks={self.models.landmarks.stem!r}, "
            f"au_models={self.options.au_models!r}, max_faces={self.options.max_faces})"
        )

    _repr_html_ = pipeline_html

    @property
    def options(self) -> AnalysisOptions:
        """What the pipeline was asked for."""
        return self.engine.options

    @property
    def models(self) -> ModelSet:
        """The model files that are used, and why these."""
        return self.engine.models

    @property
    def include(self) -> tuple[str, ...]:
        """Groups of columns, in their order."""
        return self.options.groups

    @property
    def au_intensity_names(self) -> tuple[str, ...]:
        """Columns of the intensities: "AU01_r", ..."""
        return self.engine.action_units.intensity_names

    @property
    def au_presence_names(self) -> tuple[str, ...]:
        """Columns of the presences: "AU01_c", ..."""
        return self.engine.action_units.presence_names

    def run(
        self,
        *,
        mode: RunMode = "offline",
        include: Include | None = None,
        baseline: BaselineChoice = None,
        sinks: Sequence[Sink] = (),
        spool: PathLike | None = None,
    ) -> AnalysisRun:
        """Begin an analysis that takes its frames one by one; all other methods are short forms of it.

        Parameters
        ----------
        mode, include, sinks, spool
            See :class:`AnalysisRun`.
        baseline
            As in :meth:`process_video`.

        Raises
        ------
        ValueError, VideoError, BaselineError
            An argument has a value that it cannot have; `baseline` cannot be read, or shows no face.
        """
        return AnalysisRun(
            self.engine,
            mode=mode,
            include=include,
            baseline=given_baseline(self, baseline),
            sinks=sinks,
            spool=spool,
        )

    def resume(
        self, path: PathLike, *, sinks: Sequence[Sink] = (), spool: PathLike | None = None
    ) -> AnalysisRun:
        """Go on with a run that :meth:`AnalysisRun.save` has written, with identical results.

        Give it the same source again: it passes over the frames that it knows.

        Parameters
        ----------
        path : path-like
        sinks : sequence of Sink
            They receive the frames from here on.
        spool : path-like, optional
            The folder of the saved run, if it had one.

        Raises
        ------
        CheckpointError
            The file is damaged, or the run was made with other options, models or versions.
        """
        return resume_run(self.engine, path, sinks, spool)

    def reset(self) -> None:
        """Forget face and sequence, before a new one is given to `process_frame`."""
        self._by_frame = None

    @renamed_arguments(columns="include", neutral="baseline")
    @migration.accepts_old(migration.old_video_arguments)
    def process_video(
        self,
        path: PathLike,
        output_csv: PathLike | None = None,
        max_frames: int | None = None,
        progress: bool | ProgressCallback = True,
        *,
        include: Include | None = None,
        sinks: Sequence[Sink] = (),
        baseline: BaselineChoice = None,
        rotate: Rotation = 0,
    ) -> pd.DataFrame:
        """Analyse a video file, or a folder of numbered images; for photographs see :meth:`process_images`.

        Parameters
        ----------
        path : path-like
            Anything OpenCV decodes, or a folder of .jpg, .jpeg, .png, .bmp.
        output_csv : path-like, optional
            Write the result there too (.csv or .parquet).
        max_frames : int, optional
            Stop after so many frames.
        progress : bool or callable
            Show a bar on stderr, or call ``progress(done, total)`` after every frame.
        include : collection of str, or "openface", optional
            Instead of `include` of the constructor. A CSV of "openface" has OpenFace's number formats too.
        sinks : sequence of Sink
            Receive every result with its image, in order: HOG files, aligned faces, tracked video.
        baseline : path-like, (first, last) or Baseline, optional
            The person at rest, as baseline of the dynamic action units: another video of the same person, or
            frames of this one (counted from 1, both included). By default it is learnt from the whole
            sequence, as in OpenFace. With several faces, only frames of this video can be given; a face that
            is not in them is measured against its own sequence, and ``.attrs["baseline"]`` lists it.
        rotate : {"auto", 0, 90, 180, 270}
            Turn the frames clockwise before anything else. "auto" turns them only if no face is upright.

        Returns
        -------
        pandas.DataFrame
            One row for each face and frame: ``frame, face_id, timestamp, confidence, success``, then the groups of
            `include` with OpenFace's names and units, NaN where there is no face. Action units are there in frames
            that the validator accepts (`FrameResult.valid`). With "openface", rows without a face hold what OpenFace
            writes. ``.attrs`` holds models, their SHA-256, versions and choices.

        Warns
        -----
        ShortSequenceWarning, TimestampWarning, RotationWarning, InputWarning, MissingColumnsWarning, SideOutputWarning

        Raises
        ------
        VideoError
            The file is missing, is not a video, or holds no frames.
        BaselineError
            `baseline` is a recording without a face.
        ProcessingError
            Something failed on the way, or the final pass could not be made; ``.partial`` holds the rows up to
            there, which are also written beside `output_csv`.
        """
        return self.process_videos(
            [path],
            [output_csv] if output_csv is not None else None,
            max_frames,
            progress,
            include=include,
            sinks=sinks,
            baseline=baseline,
            rotate=rotate,
        )[0]

    @renamed_arguments(columns="include", neutral="baseline")
    def process_videos(
        self,
        paths: Sequence[PathLike],
        outputs: Sequence[PathLike] | None = None,
        max_frames: int | None = None,
        progress: bool | ProgressCallback = True,
        *,
        same_person: bool = False,
        include: Include | None = None,
        sinks: Sequence[Sink] = (),
        baseline: BaselineChoice = None,
        rotate: Rotation = 0,
    ) -> list[pd.DataFrame]:
        """Analyse several videos, each alone or all as recordings of one person.

        Parameters
        ----------
        paths : sequence of path-like
        outputs : sequence of path-like, optional
            A result file for each.
        max_frames, progress, include, sinks, baseline, rotate
            As in :meth:`process_video`.
        same_person : bool
            The files are one long video of one person, which is then cut: tracking goes on from file to file,
            medians and the rest of each action unit are learnt over all. Needs ``max_faces=1``.

        Returns
        -------
        list of pandas.DataFrame
            In the order of `paths`.

        Raises
        ------
        VideoError, BaselineError, ProcessingError, ValueError
            As in :meth:`process_video`. If a later file fails, a ProcessingError holds the results of those
            before it in ``.completed``; they are also written to their `outputs`.
        """
        if max_frames is not None and max_frames < 1:
            raise ValueError(f"max_frames must be at least 1, got {max_frames}")
        if outputs is not None and len(outputs) != len(paths):
            raise ValueError(f"{len(outputs)} outputs for {len(paths)} videos")
        if same_person and self.options.max_faces > 1:
            raise ValueError("same_person=True needs max_faces=1: it says who the one face is")
        for target in outputs or ():
            check_target(target)
        style = self.options.number_format if include is None else number_format(include)
        check_rotation(rotate)
        at_rest = given_baseline(self, baseline, progress, rotate)
        lent = [SharedSink.around(sink) for sink in sinks]
        with finishing(lent):
            return analyse_files(
                lambda: self.run(include=include, baseline=at_rest, sinks=lent),
                [Path(path) for path in paths],
                outputs=outputs,
                one_run=same_person,
                rotate=rotate,
                max_frames=max_frames,
                progress=progress,
                save=lambda table, target: write_table(table, target, style=style),
            )

    @renamed_arguments(columns="include")
    def process_frames(
        self,
        frames: Iterable[Frame],
        fps: float,
        progress: bool | ProgressCallback = False,
        *,
        include: Include | None = None,
        sinks: Sequence[Sink] = (),
    ) -> pd.DataFrame:
        """Analyse the frames of any iterable as one sequence.

        Parameters
        ----------
        frames : iterable of ndarray, shape (rows, cols[, 3 or 4]), uint8 or uint16
            BGR, BGRA or grey.
        fps : float
            Frames per second, for the time stamps.
        progress, include, sinks
            As in :meth:`process_video`.

        Returns
        -------
        pandas.DataFrame
            As :meth:`process_video`.
        """
        with self.run(include=include, sinks=sinks) as run:
            try:
                run.analyse(FrameIterator(frames, fps), progress=progress)
            except Exception as error:
                tables, _ = run.tables()
                raise ProcessingError(
                    f"frames: failed after {len(tables[-1])} rows: {error}", tables[-1]
                ) from error
            return run.finish()

    @migration.accepts_old(migration.old_frame_arguments)
    def process_frame(self, frame: Frame, timestamp: float = float("nan")) -> FrameResult:
        """Analyse the next frame of a sequence; `reset` begins a new one.

        Parameters
        ----------
        frame : ndarray, shape (rows, cols[, 3 or 4]), uint8 or uint16
            BGR, BGRA or grey. Not RGB: nobody can tell, and intensities change by up to 0.96.
        timestamp : float
            Seconds, for the result only.

        Returns
        -------
        FrameResult
            ``success=False`` where there is no face.

        Raises
        ------
        TypeError
            The frame is not an 8- or 16-bit array.
        ValueError
            The frame is empty or of another shape, or the pipeline follows several faces.
        """
        if self.options.max_faces > 1:
            raise ValueError(
                "process_frame follows one face; with max_faces > 1 use run(), stream() or process_frames()"
            )
        if self._by_frame is None:
            self._by_frame = self.run(mode="frames")
        return self._by_frame.process(frame, timestamp)[0]

    def stream(
        self, source: FrameSource | PathLike, *, baseline: BaselineChoice = None
    ) -> Generator[FrameResult, None, None]:
        """Yield results while frames arrive, for live use.

        Parameters
        ----------
        source : FrameSource or path-like
            Such as :class:`pyfaceau.LiveSource`, or a video file. Closed at the end.
        baseline : path-like or Baseline, optional
            A recording of the person at rest, to measure against from the first frame on.

        Yields
        ------
        FrameResult
            In order, each as soon as it is there. Intensities are corrected and clipped to 0..5 as
            OpenFace does for webcams.
        """
        opened = open_video(source) if isinstance(source, (str, os.PathLike)) else source
        try:
            with self.run(mode="live", baseline=baseline) as run:
                for result, _ in run.results(opened):
                    yield result
        finally:
            opened.close()

    def baseline_of(
        self, path: PathLike, progress: bool | ProgressCallback = False, *, rotate: Rotation = 0
    ) -> Baseline:
        """Take a recording of a person at rest as baseline for other recordings of the same person.

        Parameters
        ----------
        path, progress, rotate
            As in :meth:`process_video`.

        Returns
        -------
        Baseline

        Raises
        ------
        VideoError, BaselineError
            It cannot be read, or shows no face.
        """
        turn = rotation_of(self.engine, Path(path), rotate)
        with open_video(path, rotate=turn) as source, self.run(include=()) as run:
            run.analyse(source, progress=progress)
            return run.baseline_here(Path(path).name)
