"""The whole way of a video or image: faces, landmarks, pose, gaze, action units, table."""

from __future__ import annotations

import logging
import os
import platform
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from pyclnf import CLNF, FaceFit, FaceTracker, LandmarkModel
from pyclnf.multi import MultiFaceTracker
from pymtcnn import MTCNN

from . import __version__
from .analyser import Baseline
from .errors import ProcessingError
from .faces import FaceStage, Intrinsics
from .models import ModelSet, choose_models
from .output import DEFAULT_GROUPS, ResultTable, Sink, check_groups, write_table
from .people import People
from .progress import ProgressCallback, progress_reporter
from .result import FrameResult
from .video import FrameIterator, FrameSource, VideoFrame, as_bgr, open_video, read_image

# Frames that landmarks may be ahead of the rest: both stages run at once, memory stays flat.
_FRAMES_IN_FLIGHT = 4
_FRAMES_IN_FLIGHT_LIVE = 1

Frame = npt.NDArray[np.generic]
PathLike = str | os.PathLike[str]

logger = logging.getLogger(__name__)


class FullPythonAUPipeline:
    """Action units, gaze, head pose and landmarks of faces in videos and images, as in OpenFace 2.2.

    Parameters
    ----------
    models : {"auto", "openface", "open"} or path-like
        "openface": OpenFace's files, which the user installs (``pyfaceau models install``). "open": the models
        that ship with pyfaceau; their action-unit values are not interchangeable with OpenFace's. "auto":
        OpenFace's if they are installed, else open. Or a folder with OpenFace's files.
    landmarks : {"ceclm", "clnf"} or path-like
        Landmark model, or the path of a main model file.
    mtcnn_backend : str
        Backend of the face detector; see :class:`pymtcnn.MTCNN`.
    include : collection of str, or "openface"
        Groups of columns: "gaze", "pose", "landmarks", "landmarks_3d", "pdm", "aus". "openface" means all,
        with OpenFace's 714 columns.
    au_models : {"dynamic", "static", "both"}
        "dynamic": OpenFace's choice for video, where most action units are measured against the person's own
        median face. "static": nothing person-specific, which keeps a face's tone at rest. "both": one pass,
        static columns end in ``_static``.
    max_faces : int
        Most faces to follow in a video; more than one gives rows of several ``face_id`` a frame.
    fx, fy, cx, cy : float, optional
        Camera in px, for pose, gaze and 3D landmarks; guessed from the frame size as OpenFace does by
        default.
    threads : int
        Threads of the landmark stage; the rest runs in one more. Results do not depend on it.

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

    def __init__(
        self,
        models: PathLike = "auto",
        landmarks: PathLike = "ceclm",
        mtcnn_backend: str = "auto",
        *,
        include: Iterable[str] = DEFAULT_GROUPS,
        au_models: str = "dynamic",
        max_faces: int = 1,
        fx: float | None = None,
        fy: float | None = None,
        cx: float | None = None,
        cy: float | None = None,
        threads: int = 1,
    ) -> None:
        if threads < 1 or max_faces < 1:
            raise ValueError(f"threads and max_faces must be at least 1, got {threads} and {max_faces}")
        self.include = check_groups(include)
        self.models: ModelSet = choose_models(models, landmarks)
        self.threads = threads
        self._au_models = au_models
        self._people = People(self.models, au_models)
        self._landmark_model = LandmarkModel.load(self.models.landmarks)
        self._detector = MTCNN(backend=mtcnn_backend, weights=self.models.mtcnn)
        self._intrinsics = Intrinsics(fx, fy, cx, cy)
        self._stage = FaceStage(self._landmark_model, self.include, self._intrinsics)
        self._tracker: FaceTracker | MultiFaceTracker
        if max_faces == 1:
            self._tracker = FaceTracker(self._landmark_model, self._detector, threads=threads)
        else:
            self._tracker = MultiFaceTracker(
                self._landmark_model, self._detector, max_faces=max_faces, threads=threads
            )
        self._image_fitter: CLNF | None = None
        self._hashes: dict[str, str] | None = None
        self._count = 0

    @property
    def au_intensity_names(self) -> tuple[str, ...]:
        """Columns of the intensities: "AU01_r", ..."""
        return self._people.intensity_names

    @property
    def au_presence_names(self) -> tuple[str, ...]:
        """Columns of the presences: "AU01_c", ..."""
        return self._people.presence_names

    def reset(self) -> None:
        """Forget faces and sequence; only `process_frame` needs it."""
        self._tracker.reset()
        self._people.reset()
        self._count = 0

    def process_video(
        self,
        path: PathLike,
        output_csv: PathLike | None = None,
        max_frames: int | None = None,
        progress: bool | ProgressCallback = True,
        *,
        sinks: Sequence[Sink] = (),
        neutral: PathLike | tuple[int, int] | None = None,
    ) -> pd.DataFrame:
        """Analyse a video file, or a folder of images as a sequence.

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
        sinks : sequence of Sink
            Receive every result with its image, in order: HOG files, aligned faces, tracked video.
        neutral : path-like or (first, last), optional
            The person at rest, as baseline of the dynamic action units: another video of the same person, or
            frames of this one (counted from 1, both included). By default the baseline is learnt from the
            whole sequence, as in OpenFace.

        Returns
        -------
        pandas.DataFrame
            One row a face and frame: ``frame, face_id, timestamp, confidence, success``, then the groups of
            `include` with OpenFace's names and units. ``.attrs`` holds models, their SHA-256, versions and
            choices.

        Raises
        ------
        VideoError
            The file is missing, is not a video, or holds no frames.
        ProcessingError
            Something failed on the way; ``.partial`` holds the result up to there, which is also written
            beside `output_csv`.
        """
        return self.process_videos(
            [path],
            [output_csv] if output_csv is not None else None,
            max_frames,
            progress,
            sinks=sinks,
            neutral=neutral,
        )[0]

    def process_videos(
        self,
        paths: Sequence[PathLike],
        outputs: Sequence[PathLike] | None = None,
        max_frames: int | None = None,
        progress: bool | ProgressCallback = True,
        *,
        same_person: bool = False,
        sinks: Sequence[Sink] = (),
        neutral: PathLike | tuple[int, int] | None = None,
    ) -> list[pd.DataFrame]:
        """Analyse several videos, each alone or all as recordings of one person.

        Parameters
        ----------
        paths : sequence of path-like
        outputs : sequence of path-like, optional
            A result file for each.
        max_frames, progress, sinks, neutral
            As in :meth:`process_video`.
        same_person : bool
            Medians and the rest of each action unit are learnt over all files, as if they were one long
            video; each file is then analysed with them. Needs ``max_faces=1``.

        Returns
        -------
        list of pandas.DataFrame
            In the order of `paths`.

        Raises
        ------
        VideoError, ProcessingError, ValueError
            As in :meth:`process_video`.
        """
        if max_frames is not None and max_frames < 1:
            raise ValueError(f"max_frames must be at least 1, got {max_frames}")
        if outputs is not None and len(outputs) != len(paths):
            raise ValueError(f"{len(outputs)} outputs for {len(paths)} videos")
        if same_person and isinstance(self._tracker, MultiFaceTracker):
            raise ValueError("same_person=True needs max_faces=1: it says who the one face is")
        baseline = self._baseline(neutral, progress)
        self._people.reset(baseline)
        tables: list[ResultTable] = []
        results: list[pd.DataFrame] = []
        with ExitStack() as closing:
            for sink in sinks:
                closing.callback(sink.close)
            for index, path in enumerate(paths):
                output = outputs[index] if outputs is not None else None
                if not same_person:
                    self._people.reset(baseline)
                    tables.clear()
                with open_video(path) as source, progress_reporter(progress, Path(path).name) as report:
                    tables.append(self._collect(source, max_frames, report, sinks, output))
                if not same_person:
                    results += self._finish(tables)
                    if output is not None:
                        write_table(results[-1], output)
        if same_person:
            results = self._finish(tables)
            for table, output in zip(results, outputs or (), strict=False):
                write_table(table, output)
        for table in results:
            table.attrs["same_person"] = [str(p) for p in paths] if same_person else None
            table.attrs["neutral"] = None if neutral is None else str(neutral)
        return results

    def process_frames(
        self,
        frames: Iterable[Frame],
        fps: float,
        progress: bool | ProgressCallback = False,
        *,
        sinks: Sequence[Sink] = (),
    ) -> pd.DataFrame:
        """Analyse the frames of any iterable as one sequence.

        Parameters
        ----------
        frames : iterable of ndarray, shape (rows, cols[, 3 or 4]), uint8 or uint16
            BGR, BGRA or grey.
        fps : float
            Frames per second, for the time stamps.
        progress, sinks
            As in :meth:`process_video`.

        Returns
        -------
        pandas.DataFrame
            As :meth:`process_video`.
        """
        self._people.reset()
        source = FrameIterator(frames, fps)
        with ExitStack() as closing:
            for sink in sinks:
                closing.callback(sink.close)
            with progress_reporter(progress, source.name) as report:
                table = self._collect(source, None, report, sinks, None)
        return self._finish([table])[0]

    def process_image(self, image: PathLike | Frame) -> list[FrameResult]:
        """Analyse all faces of a single image, with the static action-unit models.

        Parameters
        ----------
        image : path-like or ndarray, shape (rows, cols[, 3 or 4]), uint8 or uint16
            An image file, or a BGR, BGRA or grey image.

        Returns
        -------
        list of FrameResult
            One a face, best detection first; intensities from 0 to 5. Empty if there is no face.

        Raises
        ------
        VideoError
            The file is missing or is not an image.
        TypeError, ValueError
            The array is not an image as described.
        """
        pixels = as_bgr(image) if isinstance(image, np.ndarray) else read_image(image)
        if self._image_fitter is None:
            self._image_fitter = CLNF(self._landmark_model, threads=self.threads)
        frame = VideoFrame(1, float("nan"), pixels)
        fitter, analyser = self._image_fitter, self._people.for_images()
        return [
            self._stage.in_image(frame, number, fitter.fit(pixels, found.box), analyser)
            for number, found in enumerate(self._detector.detect(pixels))
        ]

    def process_frame(self, frame: Frame, timestamp: float = float("nan")) -> FrameResult:
        """Analyse the next frame of a sequence; `reset` begins a new one.

        Parameters
        ----------
        frame : ndarray, shape (rows, cols[, 3 or 4]), uint8 or uint16
            BGR, BGRA or grey.
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
        if isinstance(self._tracker, MultiFaceTracker):
            raise ValueError(
                "process_frame follows one face; with max_faces > 1 use stream() or process_frames()"
            )
        self._count += 1
        image = VideoFrame(self._count, timestamp, as_bgr(frame))
        fit = self._tracker.track(image.image)
        return self._stage.in_sequence(image, 0, fit, self._people.analyser(0))

    def stream(self, source: FrameSource | PathLike) -> Iterator[FrameResult]:
        """Yield results while frames arrive, for live use.

        Parameters
        ----------
        source : FrameSource or path-like
            Such as :class:`pyfaceau.live.LiveSource`, or a video file. Closed at the end.

        Yields
        ------
        FrameResult
            In order, at most one frame behind the newest. Intensities are corrected and clipped to 0..5 as
            OpenFace does for webcams.
        """
        opened = open_video(source) if isinstance(source, (str, os.PathLike)) else source
        self._people.reset(live=True)
        try:
            for result, _ in self._results(opened, _FRAMES_IN_FLIGHT_LIVE):
                yield result
        finally:
            opened.close()
            self._people.reset()

    def _collect(
        self,
        source: FrameSource,
        max_frames: int | None,
        report: ProgressCallback,
        sinks: Sequence[Sink],
        output: PathLike | None,
    ) -> ResultTable:
        total = source.n_frames if max_frames is None else min(max_frames, source.n_frames or max_frames)
        table = ResultTable(
            self.include, self.au_intensity_names, self.au_presence_names, self._landmark_model.pdm.n_modes
        )
        table.attrs = self._attributes(source)
        try:
            for result, image in self._results(source, _FRAMES_IN_FLIGHT, max_frames):
                table.append(result)
                for sink in sinks:
                    sink.write(result, image)
                report(result.frame, total)
        except BaseException as error:
            _raise_with_partial(error, self._finish([table])[0], source.name, output)
        return table

    def _results(
        self, source: FrameSource, in_flight: int, max_frames: int | None = None
    ) -> Iterator[tuple[FrameResult, npt.NDArray[np.uint8]]]:
        """Yield results in order; one worker takes the faces in order, so its numbers are those of serial work."""
        self._tracker.reset()
        stage = _until_failure(self._stage.in_sequence)
        pending: deque[tuple[Future[FrameResult], npt.NDArray[np.uint8]]] = deque()
        failure: BaseException | None = None
        with ThreadPoolExecutor(1, "pyfaceau-stage") as worker:
            try:
                for frame in source:
                    for face_id, fit in self._track(frame.image):
                        analyser = self._people.analyser(face_id)
                        pending.append((worker.submit(stage, frame, face_id, fit, analyser), frame.image))
                    while len(pending) > in_flight:
                        future, image = pending.popleft()
                        yield future.result(), image
                    if frame.number == max_frames:
                        break
            except GeneratorExit:
                raise
            except BaseException as error:  # what is on its way is handed over first
                failure = error
            while pending and not (failure and pending[0][0].exception()):
                future, image = pending.popleft()
                yield future.result(), image
        if failure is not None:
            raise failure

    def _track(self, image: npt.NDArray[np.uint8]) -> list[tuple[int, FaceFit]]:
        if isinstance(self._tracker, MultiFaceTracker):
            return [(face.face_id, face.fit) for face in self._tracker.track(image)]
        return [(0, self._tracker.track(image))]

    def _finish(self, tables: Sequence[ResultTable]) -> list[pd.DataFrame]:
        intensities, presences = self._people.finish([table.face_ids for table in tables])
        return [table.to_dataframe(r, c) for table, r, c in zip(tables, intensities, presences, strict=True)]

    def _baseline(
        self, neutral: PathLike | tuple[int, int] | None, progress: bool | ProgressCallback
    ) -> Baseline | tuple[int, int] | None:
        if neutral is None or isinstance(neutral, tuple):
            return neutral
        self._people.reset()
        label = f"{Path(neutral).name} (neutral)"
        with open_video(neutral) as source, progress_reporter(progress, label) as report:
            self._collect(source, None, report, (), None)
        return self._people.baseline(Path(neutral).name)

    def _attributes(self, source: FrameSource) -> dict[str, Any]:
        if self._hashes is None:
            self._hashes = self.models.sha256()
        return {
            "source": source.name,
            "fps": source.fps,
            "models": self.models.name,
            "landmark_model": str(self.models.landmarks),
            "au_models": self._au_models,
            "model_sha256": self._hashes,
            "pyfaceau": __version__,
            "python": platform.python_version(),
        }


def _until_failure(function: Callable[..., FrameResult]) -> Callable[..., FrameResult]:
    """Refuse further calls after one has failed, so that no later frame takes the place of the lost one."""
    failures: list[BaseException] = []

    def call(*args: Any) -> FrameResult:
        if failures:
            raise RuntimeError("not computed, as an earlier frame failed") from failures[0]
        try:
            return function(*args)
        except BaseException as error:
            failures.append(error)
            raise

    return call


def _raise_with_partial(
    error: BaseException, partial: pd.DataFrame, name: str, output: PathLike | None
) -> None:
    """Keep what was computed before an error: beside the wanted output, and in the exception."""
    kept = ""
    if output is not None and len(partial):
        target = Path(output)
        target = target.with_name(f"{target.stem}.partial{target.suffix}")
        write_table(partial, target)
        kept = f"; the first {len(partial)} rows are in {target}"
    if not isinstance(error, Exception):  # Ctrl-C and the like go on as they are
        logger.warning("%s: interrupted%s", name, kept)
        raise error
    raise ProcessingError(f"{name}: failed after {len(partial)} rows: {error}{kept}", partial) from error
