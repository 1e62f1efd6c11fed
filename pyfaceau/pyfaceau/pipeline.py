"""The whole way of a video: faces, landmarks, pose, action units, table."""

from __future__ import annotations

import logging
import os
import platform
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from pyclnf import FaceFit, FaceTracker, LandmarkModel
from pyclnf.core.pose import Camera, head_pose
from pymtcnn import MTCNN

from . import __version__
from .analyser import FaceAnalyser, FrameAnalysis
from .errors import ProcessingError
from .models import ModelSet, choose_models
from .output import DEFAULT_GROUPS, ResultTable, check_groups, write_table
from .progress import ProgressCallback, progress_reporter
from .result import FrameResult
from .video import FrameSource, as_bgr, open_video

# Frames that landmarks may be ahead of action units: both stages run at once, memory stays flat.
_FRAMES_IN_FLIGHT = 4

logger = logging.getLogger(__name__)


class FullPythonAUPipeline:
    """Action units, head pose and landmarks of a face in video, as OpenFace 2.2 computes them.

    Parameters
    ----------
    models : {"auto", "openface", "open"} or path-like
        "openface": OpenFace's files, which the user installs (``pyfaceau models install``). "open": the models that ship with
        pyfaceau; their action-unit values are not interchangeable with OpenFace's. "auto": OpenFace's if they are installed, else open.
        Or a folder with OpenFace's files.
    landmarks : {"ceclm", "clnf"} or path-like
        Landmark model, or the path of a main model file.
    mtcnn_backend : str
        Backend of the face detector; see :class:`pymtcnn.MTCNN`.
    include : collection of str
        Columns of the result: "pose", "landmarks", "aus".
    camera : Camera, optional
        For the head pose; guessed from the frame size as OpenFace does by default.
    threads : int
        Threads of the landmark stage; action units run in one more. Results do not depend on it.

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
        models: str | os.PathLike[str] = "auto",
        landmarks: str | os.PathLike[str] = "ceclm",
        mtcnn_backend: str = "auto",
        *,
        include: Iterable[str] = DEFAULT_GROUPS,
        camera: Camera | None = None,
        threads: int = 1,
    ) -> None:
        if threads < 1:
            raise ValueError(f"threads must be at least 1, got {threads}")
        self.include = check_groups(include)
        self.models: ModelSet = choose_models(models, landmarks)
        self.camera = camera
        detector = MTCNN(backend=mtcnn_backend, weights=self.models.mtcnn)
        self._tracker = FaceTracker(LandmarkModel.load(self.models.landmarks), detector, threads=threads)
        self._analyser = FaceAnalyser.from_files(self.models.au_dynamic)
        self._hashes: dict[str, str] | None = None
        self.reset()

    @property
    def au_intensity_names(self) -> tuple[str, ...]:
        """Action units with an intensity: "AU01", ..."""
        return tuple(name.removesuffix("_r") for name in self._analyser.intensity_names)

    @property
    def au_presence_names(self) -> tuple[str, ...]:
        """Action units with a presence: "AU01", ..."""
        return tuple(name.removesuffix("_c") for name in self._analyser.presence_names)

    def reset(self) -> None:
        """Forget the person and the sequence; `process_video` does so itself."""
        self._tracker.reset()
        self._analyser.reset()
        self._count = 0
        self._seen = False

    def process_video(
        self,
        path: str | os.PathLike[str],
        output_csv: str | os.PathLike[str] | None = None,
        max_frames: int | None = None,
        progress: bool | ProgressCallback = True,
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

        Returns
        -------
        pandas.DataFrame
            One row a frame: ``frame, face_id, timestamp, confidence, success``, then the groups of `include` with OpenFace's names
            (``pose_Tx``..``pose_Rz`` in mm and radians, ``x_0``..``y_67`` in px, ``AU01_r``..``AU45_r`` from 0 to 5,
            ``AU01_c``..``AU45_c`` 0 or 1). ``.attrs`` holds models, their SHA-256, and versions.

        Raises
        ------
        VideoError
            The file is missing, is not a video, or holds no frames.
        ProcessingError
            Something failed on the way; ``.partial`` holds the result up to there, which is also written beside `output_csv`.
        """
        if max_frames is not None and max_frames < 1:
            raise ValueError(f"max_frames must be at least 1, got {max_frames}")
        with open_video(path) as source, progress_reporter(progress, Path(path).name) as report:
            table = self._process(source, max_frames, report, output_csv)
        if output_csv is not None:
            write_table(table, output_csv)
        return table

    def process_frame(self, frame: npt.NDArray[Any], timestamp: float = float("nan")) -> FrameResult:
        """Analyse the next frame of a sequence.

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
        TypeError, ValueError
            The frame is not an image as described.
        """
        image = as_bgr(frame)
        fit = self._track(image)
        analysis = self._analyser.process(image, fit.landmarks, fit.success)
        return FrameResult(
            self._count,
            timestamp,
            fit.detected,
            fit.confidence,
            fit.landmarks if self._seen else np.full_like(fit.landmarks, np.nan),
            self._pose(fit, image),
            _by_name(self.au_intensity_names, analysis.intensities, float),
            _by_name(self.au_presence_names, analysis.presences, int),
            fit,
        )

    def _process(
        self,
        source: FrameSource,
        max_frames: int | None,
        report: ProgressCallback,
        output: str | os.PathLike[str] | None,
    ) -> pd.DataFrame:
        self.reset()
        total = source.n_frames if max_frames is None else min(max_frames, source.n_frames or max_frames)
        rows = ResultTable(self.include, self.au_intensity_names, self.au_presence_names)
        analyse = _until_failure(self._analyser.process)
        try:
            # One worker takes the frames in order, so its numbers are those of serial work.
            with ThreadPoolExecutor(1, "pyfaceau-aus") as worker:
                pending: deque[Future[FrameAnalysis]] = deque()
                for frame in source:
                    fit = self._track(frame.image)
                    pending.append(worker.submit(analyse, frame.image, fit.landmarks, fit.success))
                    landmarks = fit.landmarks if self._seen else np.full_like(fit.landmarks, np.nan)
                    pose = self._pose(fit, frame.image)
                    rows.append(frame.number, frame.timestamp, fit.confidence, fit.detected, pose, landmarks)
                    while len(pending) > _FRAMES_IN_FLIGHT:
                        pending.popleft().result()
                    report(len(rows), total)
                    if len(rows) == max_frames:
                        break
                for future in pending:
                    future.result()
        except BaseException as error:
            _raise_with_partial(error, self._table(rows, source), source.name, output)
        return self._table(rows, source)

    def _track(self, image: npt.NDArray[np.uint8]) -> FaceFit:
        fit = self._tracker.track(image)
        self._count += 1
        self._seen = self._seen or self._tracker.tracking
        return fit

    def _pose(self, fit: FaceFit, image: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
        if not self._seen:
            return np.full(6, np.nan)
        camera = self.camera or Camera.for_size(image.shape[1], image.shape[0])
        return head_pose(self._tracker.model.pdm, fit.params_global, fit.params_local, fit.landmarks, camera)

    def _table(self, rows: ResultTable, source: FrameSource) -> pd.DataFrame:
        final = self._analyser.finish()
        rows.truncate(len(final.success))  # after a failure, action units may be behind
        return rows.to_dataframe(final.intensities, final.presences, self._attributes(source))

    def _attributes(self, source: FrameSource) -> dict[str, Any]:
        if self._hashes is None:
            self._hashes = self.models.sha256()
        return {
            "source": source.name,
            "fps": source.fps,
            "models": self.models.name,
            "landmark_model": str(self.models.landmarks),
            "au_model": str(self.models.au_dynamic),
            "model_sha256": self._hashes,
            "pyfaceau": __version__,
            "python": platform.python_version(),
        }


def _until_failure(function: Callable[..., FrameAnalysis]) -> Callable[..., FrameAnalysis]:
    """Refuse further calls after one has failed, so that no later frame takes the place of the lost one."""
    failures: list[BaseException] = []

    def call(*args: Any) -> FrameAnalysis:
        if failures:
            raise RuntimeError("not computed, as an earlier frame failed") from failures[0]
        try:
            return function(*args)
        except BaseException as error:
            failures.append(error)
            raise

    return call


def _raise_with_partial(
    error: BaseException, partial: pd.DataFrame, name: str, output: str | os.PathLike[str] | None
) -> None:
    """Keep what was computed before an error: write it beside the wanted output and hand it over in the exception."""
    kept = ""
    if output is not None and len(partial):
        target = Path(output)
        target = target.with_name(f"{target.stem}.partial{target.suffix}")
        write_table(partial, target)
        kept = f"; the first {len(partial)} frames are in {target}"
    if not isinstance(error, Exception):  # Ctrl-C and the like go on as they are
        logger.warning("%s: interrupted%s", name, kept)
        raise error
    raise ProcessingError(f"{name}: failed after {len(partial)} frames: {error}{kept}", partial) from error


def _by_name(names: tuple[str, ...], values: npt.NDArray[np.float64], kind: type) -> dict[str, Any]:
    return {name: kind(value) for name, value in zip(names, values, strict=True)}
