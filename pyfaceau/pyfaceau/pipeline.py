"""The whole way of a video or image: faces, landmarks, pose, gaze, action units, table."""

from __future__ import annotations

import os
import platform
from collections.abc import Generator, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from pyclnf import CLNF, FaceFit, FaceTracker, FitParameters, LandmarkModel
from pyclnf.multi import MultiFaceTracker
from pymtcnn import MTCNN

from . import __version__
from .analyser import Baseline
from .faces import FaceStage, Intrinsics
from .models import ModelSet, choose_models
from .output import DEFAULT_GROUPS, ResultTable, Sink, check_groups, check_target, write_table
from .people import People
from .progress import ProgressCallback, progress_reporter
from .result import FrameResult
from .running import fail_with_partial, finishing, overlapped
from .video import FrameIterator, FrameSource, VideoFrame, as_bgr, open_video, read_image

# Frames that landmarks may be ahead of the rest: both stages run at once, memory stays flat.
_FRAMES_IN_FLIGHT = 4
_FRAMES_IN_FLIGHT_LIVE = 0  # waiting for the next frame costs more than the overlap gains

Frame = npt.NDArray[np.generic]
PathLike = str | os.PathLike[str]
Neutral = PathLike | tuple[int, int] | None


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
    stable_ids : bool
        With several faces, a newcomer gets a new number and a face that comes back soon its old one. False: the
        number is that of the tracker, as in OpenFace, so a newcomer gets that of somebody who has gone.
    wild : bool
        OpenFace's settings for faces in difficult images: larger search areas, slower.
    fx, fy, cx, cy : float, optional
        Camera in px, for pose, gaze and 3D landmarks; guessed from the frame size as OpenFace does by
        default.
    threads : int, optional
        Threads of the landmark stage; the rest runs in one more. Results do not depend on it. By default two where
        the machine has them.

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
        stable_ids: bool = True,
        wild: bool = False,
        fx: float | None = None,
        fy: float | None = None,
        cx: float | None = None,
        cy: float | None = None,
        threads: int | None = None,
    ) -> None:
        if threads is None:
            threads = min(2, os.cpu_count() or 1)
        if threads < 1 or max_faces < 1:
            raise ValueError(f"threads and max_faces must be at least 1, got {threads} and {max_faces}")
        self.include = check_groups(include)
        self._style = _style(include)
        self.models: ModelSet = choose_models(models, landmarks)
        self.threads = threads
        self._au_models = au_models
        self._people = People(self.models, au_models)
        self._landmark_model = LandmarkModel.load(self.models.landmarks)
        self._detector = MTCNN(backend=mtcnn_backend, weights=self.models.mtcnn)
        self._stage = FaceStage(self._landmark_model, Intrinsics(fx, fy, cx, cy))
        self._parameters = FitParameters.for_model(self._landmark_model, wild=wild)
        self._tracker: FaceTracker | MultiFaceTracker
        tools = (self._landmark_model, self._detector)
        if max_faces == 1:
            self._tracker = FaceTracker(*tools, parameters=self._parameters, threads=threads)
        else:
            self._tracker = MultiFaceTracker(
                *tools,
                max_faces=max_faces,
                parameters=self._parameters,
                threads=threads,
                stable_ids=stable_ids,
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
        """Forget faces and sequence, before a new one is given to `process_frame`."""
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
        columns: Iterable[str] | None = None,
        sinks: Sequence[Sink] = (),
        neutral: Neutral = None,
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
        columns : collection of str, or "openface", optional
            Instead of `include` of the constructor. A CSV of "openface" has OpenFace's number formats too.
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
            columns=columns,
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
        columns: Iterable[str] | None = None,
        sinks: Sequence[Sink] = (),
        neutral: Neutral = None,
    ) -> list[pd.DataFrame]:
        """Analyse several videos, each alone or all as recordings of one person.

        Parameters
        ----------
        paths : sequence of path-like
        outputs : sequence of path-like, optional
            A result file for each.
        max_frames, progress, columns, sinks, neutral
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
        VideoError, ProcessingError, ValueError
            As in :meth:`process_video`.
        """
        if max_frames is not None and max_frames < 1:
            raise ValueError(f"max_frames must be at least 1, got {max_frames}")
        if outputs is not None and len(outputs) != len(paths):
            raise ValueError(f"{len(outputs)} outputs for {len(paths)} videos")
        if same_person and isinstance(self._tracker, MultiFaceTracker):
            raise ValueError("same_person=True needs max_faces=1: it says who the one face is")
        groups = self.include if columns is None else check_groups(columns)
        save = partial(write_table, style=self._style if columns is None else _style(columns))
        for target in outputs or ():
            check_target(target)
        baseline = self._baseline(neutral, progress)
        choices = {
            "same_person": [str(path) for path in paths] if same_person else None,
            "neutral": None if neutral is None else str(neutral),
        }
        self._people.reset(baseline)
        self._tracker.reset()
        tables: list[ResultTable] = []
        results: list[pd.DataFrame] = []
        with finishing(sinks):
            for index, path in enumerate(paths):
                output = outputs[index] if outputs is not None else None
                if not same_person:
                    self._people.reset(baseline)
                    self._tracker.reset()
                    tables.clear()
                with open_video(path) as source, progress_reporter(progress, Path(path).name) as report:
                    table = self._collect(source, groups, max_frames, report, sinks, output, choices, tables)
                    tables.append(table)
                if not same_person:
                    results += self._finish(tables)
                    if output is not None:
                        save(results[-1], output)
        if same_person:
            results = self._finish(tables)
            for result, output in zip(results, outputs or (), strict=False):
                save(result, output)
        return results

    def process_frames(
        self,
        frames: Iterable[Frame],
        fps: float,
        progress: bool | ProgressCallback = False,
        *,
        columns: Iterable[str] | None = None,
        sinks: Sequence[Sink] = (),
    ) -> pd.DataFrame:
        """Analyse the frames of any iterable as one sequence.

        Parameters
        ----------
        frames : iterable of ndarray, shape (rows, cols[, 3 or 4]), uint8 or uint16
            BGR, BGRA or grey.
        fps : float
            Frames per second, for the time stamps.
        progress, columns, sinks
            As in :meth:`process_video`.

        Returns
        -------
        pandas.DataFrame
            As :meth:`process_video`.
        """
        self.reset()
        source = FrameIterator(frames, fps)
        groups = self.include if columns is None else check_groups(columns)
        with finishing(sinks), progress_reporter(progress, source.name) as report:
            table = self._collect(source, groups, None, report, sinks)
        return self._finish([table])[0]

    def process_image(self, image: PathLike | Frame, *, multi_view: bool = False) -> list[FrameResult]:
        """Analyse all faces of a single image, with the static action-unit models.

        Parameters
        ----------
        image : path-like or ndarray, shape (rows, cols[, 3 or 4]), uint8 or uint16
            An image file, or a BGR, BGRA or grey image.
        multi_view : bool
            Try all starting orientations, for faces that are not near frontal; slower.

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
            self._image_fitter = CLNF(self._landmark_model, parameters=self._parameters, threads=self.threads)
        self._image_fitter.multi_view = multi_view
        frame = VideoFrame(1, float("nan"), pixels)
        fitter, analyser = self._image_fitter, self._people.for_images()
        return [
            self._stage.in_image(frame, number, fitter.fit(pixels, found.box), analyser, self.include)
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
        return self._stage.in_sequence(image, 0, fit, self._people.analyser(0), self.include)

    def stream(self, source: FrameSource | PathLike) -> Generator[FrameResult, None, None]:
        """Yield results while frames arrive, for live use.

        Parameters
        ----------
        source : FrameSource or path-like
            Such as :class:`pyfaceau.live.LiveSource`, or a video file. Closed at the end.

        Yields
        ------
        FrameResult
            In order, each as soon as it is there. Intensities are corrected and clipped to 0..5 as
            OpenFace does for webcams.
        """
        opened = open_video(source) if isinstance(source, (str, os.PathLike)) else source
        self.reset()
        self._people.reset(live=True)
        try:
            for result, _ in self._results(opened, self.include, _FRAMES_IN_FLIGHT_LIVE):
                yield result
        finally:
            opened.close()
            self._people.reset()

    def _collect(
        self,
        source: FrameSource,
        groups: tuple[str, ...],
        max_frames: int | None,
        report: ProgressCallback,
        sinks: Sequence[Sink] = (),
        output: PathLike | None = None,
        choices: dict[str, Any] | None = None,
        before: Sequence[ResultTable] = (),
    ) -> ResultTable:
        """Fill a table; `before` are those of the files before it that the same analysers have seen."""
        total = source.n_frames if max_frames is None else min(max_frames, source.n_frames or max_frames)
        table = ResultTable(
            groups, self.au_intensity_names, self.au_presence_names, self._landmark_model.pdm.n_modes
        )
        table.attrs = self._attributes(source) | (choices or {})
        try:
            for result, image in self._results(source, groups, _FRAMES_IN_FLIGHT, max_frames):
                table.append(result)
                for sink in sinks:
                    sink.write(result, image)
                report(result.frame, total)
        except BaseException as error:
            fail_with_partial(error, self._finish([*before, table])[-1], source.name, output)
        return table

    def _results(
        self, source: FrameSource, groups: tuple[str, ...], in_flight: int, max_frames: int | None = None
    ) -> Iterator[tuple[FrameResult, npt.NDArray[np.uint8]]]:
        def finish(frame: VideoFrame, face_id: int, fit: FaceFit) -> FrameResult:
            return self._stage.in_sequence(frame, face_id, fit, self._people.analyser(face_id), groups)

        return overlapped(source, self._track, finish, in_flight, max_frames)

    def _track(self, image: npt.NDArray[np.uint8]) -> list[tuple[int, FaceFit]]:
        if isinstance(self._tracker, MultiFaceTracker):
            return [(face.face_id, face.fit) for face in self._tracker.track(image)]
        return [(0, self._tracker.track(image))]

    def _finish(self, tables: Sequence[ResultTable]) -> list[pd.DataFrame]:
        intensities, presences = self._people.finish([table.face_ids for table in tables])
        return [table.to_dataframe(r, c) for table, r, c in zip(tables, intensities, presences, strict=True)]

    def _baseline(
        self, neutral: Neutral, progress: bool | ProgressCallback
    ) -> Baseline | tuple[int, int] | None:
        if neutral is None or isinstance(neutral, tuple):
            return neutral
        self.reset()
        label = f"{Path(neutral).name} (neutral)"
        with open_video(neutral) as source, progress_reporter(progress, label) as report:
            self._collect(source, self.include, None, report)
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


def _style(columns: Iterable[str]) -> Literal["plain", "openface"]:
    """Choose the number formats of a CSV of these columns."""
    return "openface" if columns == "openface" else "plain"
