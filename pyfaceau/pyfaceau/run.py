"""One analysis from its first frame to its table: owns the tracker, the people, the rows, the sinks and its ending."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd

from pyclnf import FaceFit, MultiFaceTracker
from pyclnf.image import Picture

from .analysis import Baseline, BaselineFrames, checked_frames
from .errors import FinalPassError
from .options import NumberFormat
from .options import number_format as format_of
from .output import GuardedSink, ImmediateTable, ResultTable, Sink, check_groups
from .output.columns import Gaps, Include
from .parts import (
    FreshFrames,
    Part,
    decoder_of,
    faces_seen_briefly,
    warn_of_damage,
    warn_of_short_sequence,
    warn_of_time,
)
from .people import People
from .progress import ProgressCallback, progress_reporter
from .provenance import camera_record
from .result import FrameResult
from .returning import SHORT
from .running import Overlap, Taken, TrackedFrame
from .saved_runs import save_run
from .video import BGRImage, FrameSource, VideoFrame, as_bgr

if TYPE_CHECKING:
    from .engine import Engine

RunMode = Literal["offline", "live", "frames", "images"]
# Frames that landmarks may be ahead of the rest: both stages run at once, memory stays flat.
_IN_FLIGHT = 4
_IN_FLIGHT_LIVE = 0  # waiting for the next frame costs more than the overlap gains
ONE_PERSON = "a baseline from another recording shows one person; use max_faces=1, or frames of this video"

PathLike = str | os.PathLike[str]


class AnalysisRun:
    """One analysis of a sequence of frames; made by :meth:`FullPythonAUPipeline.run`.

    Several runs of one pipeline may go on at once, each in its own thread. A run that is left without `finish`
    discards the files of its sinks, as they would look complete.

    Parameters
    ----------
    engine : Engine
    mode : {"offline", "live", "frames", "images"}
        "offline": rows are collected, and `finish` makes OpenFace's final pass. "live": intensities are corrected
        and clipped as they come, as OpenFace does for webcams; nothing is kept. "frames": values as predicted,
        nothing is kept. "images": each frame is analysed like a single image, with the static models and without
        a final pass, as OpenFace's FaceLandmarkVidMulti does.
    include : collection of str, or "openface", optional
        Groups of columns; those of the pipeline by default.
    baseline : Baseline or (first, last), optional
        The person at rest, as in `FullPythonAUPipeline.process_video`.
    sinks : sequence of Sink
        Receive every result with its image; closed at the end. One whose file cannot be written is given up
        with a `SideOutputWarning`; the run goes on.
    number_format : {"plain", "openface", "openface-compact"}, optional
        What rows without a face hold: nothing, or what OpenFace writes there. That of the pipeline by default, or
        "openface" where `include` is "openface".
    spool : path-like, optional
        Folder in which rows wait for the end instead of in memory.

    Attributes
    ----------
    frames_done : int
        Frames taken in so far, over all parts.
    parts : list
        One entry for each source, such as the files of one person.
    overlaps : bool
        Whether `results` works on the landmarks of later frames beside the rest of a frame, on a second core.

    Examples
    --------
    >>> with pipeline.run() as run:                                # doctest: +SKIP
    ...     for image in images:
    ...         faces = run.process(image)
    ...     table = run.finish()
    """

    def __init__(
        self,
        engine: Engine,
        *,
        mode: RunMode = "offline",
        include: Include | None = None,
        baseline: Baseline | BaselineFrames | None = None,
        sinks: Sequence[Sink] = (),
        number_format: NumberFormat | None = None,
        spool: PathLike | None = None,
    ) -> None:
        if mode not in get_args(RunMode):
            raise ValueError(f"mode must be one of {', '.join(get_args(RunMode))}, got {mode!r}")
        if baseline is not None and not isinstance(baseline, Baseline):
            baseline = checked_frames(baseline)
        if baseline is not None and mode == "images":
            raise ValueError("single images have no baseline")
        if isinstance(baseline, Baseline) and engine.options.max_faces > 1:
            raise ValueError(ONE_PERSON)
        self.mode = mode
        self.asked_groups = engine.options.groups if include is None else check_groups(include)
        self.groups = self.asked_groups
        if mode in ("offline", "images"):
            self.groups = engine.available(self.asked_groups)
        if number_format is None:
            number_format = engine.options.number_format if include is None else format_of(include)
        if number_format not in get_args(NumberFormat):
            raise ValueError(
                f"number_format must be one of {', '.join(get_args(NumberFormat))}, got {number_format!r}"
            )
        self.number_format: NumberFormat = number_format
        self.frames_done = 0
        self.baseline = baseline
        self.overlaps = mode != "live"
        self.engine = engine
        self._sinks = tuple(GuardedSink.around(sink) for sink in sinks)
        self._spool = None if spool is None else Path(spool)
        self.tracker = engine.new_tracker()
        self.people = People(
            engine.action_units,
            live=mode == "live",
            baseline=baseline,
            keep_history=mode == "offline",
            recognise=engine.options.recognise and engine.options.stable_ids and engine.options.max_faces > 1,
            spool=spool,
        )
        self._images = engine.action_units.for_images() if mode == "images" else None
        self.parts: list[Part] = []
        self._overlap: Overlap | None = None
        self._closed = False

    def __repr__(self) -> str:
        return f"AnalysisRun(mode={self.mode!r}, frames_done={self.frames_done}, models={self.engine.models.name!r})"

    def begin(self, name: str, fps: float = float("nan"), **record: Any) -> None:
        """Begin a part, such as the next file of the same person; tracking goes on.

        Parameters
        ----------
        name : str
            For messages and the record.
        fps : float
            Frames per second.
        **record
            More for ``.attrs`` of its table.
        """
        attrs = {"source": Path(name).name or name, "fps": fps, **self.engine.record(), **record}
        attrs["mode"] = self.mode
        if self.groups != self.asked_groups:
            attrs["left_out"] = [group for group in self.asked_groups if group not in self.groups]
        self.parts.append(Part(self.new_table(len(self.parts)), attrs, self._last_number))

    def process(self, image: npt.NDArray[np.generic], timestamp: float = float("nan")) -> list[FrameResult]:
        """Analyse the next frame.

        Parameters
        ----------
        image : ndarray, shape (rows, cols[, 3 or 4]), uint8 or uint16
            BGR, BGRA or grey. May be used again by the caller afterwards.
        timestamp : float
            Seconds.

        Returns
        -------
        list of FrameResult
            One result for each face that is followed; with ``max_faces=1`` always one, whose `tracked` is False
            where there is no face.

        Raises
        ------
        TypeError, ValueError
            The frame is not as described; the run can go on.
        """
        frame = VideoFrame(self._part("frames").last_number + 1, timestamp, as_bgr(image))
        tracked = self.track(frame.picture)
        results = [self.finish_face(frame, *face) for face in tracked.faces]
        self.finish_frame(tracked)
        for result in results:
            self.record(result, frame)
        self.count(frame)
        return results

    def results(
        self, source: FrameSource, max_frames: int | None = None
    ) -> Iterator[tuple[FrameResult, BGRImage]]:
        """Yield the results of a source with their images, overlapping the stages of consecutive frames.

        Frames that the run has taken in before (it was saved and restored) are passed over.

        Parameters
        ----------
        source : FrameSource
            Not closed here.
        max_frames : int, optional
            Stop after so many frames of this source, those that are passed over among them.
        """
        for result, frame in self._results(source, max_frames):
            yield result, frame.image

    def _results(self, source: FrameSource, max_frames: int | None) -> Iterator[Taken]:
        part = self._part(source.name, source.fps, **decoder_of(source))
        live = self.mode == "live"
        fresh = FreshFrames(
            source,
            part,
            copies=not (live or getattr(source, "owns_images", False)),
            every=self.engine.options.every,
            timestamps=self.engine.options.timestamps,
            max_frames=max_frames,
        )
        with Overlap(self, _IN_FLIGHT if self.overlaps else _IN_FLIGHT_LIVE) as self._overlap:
            try:
                yield from self._overlap.results(fresh)
            finally:
                self.settle()
        warn_of_time(part)
        warn_of_damage(part, source)

    def analyse(
        self,
        source: FrameSource,
        max_frames: int | None = None,
        progress: bool | ProgressCallback = False,
    ) -> None:
        """Take in all frames of a source; `finish` gives the table.

        Parameters
        ----------
        source : FrameSource
            Not closed here.
        max_frames : int, optional
            Stop after so many frames.
        progress : bool or callable
            Show a bar on stderr, or call ``progress(done, total)``.
        """
        total = source.n_frames if max_frames is None else min(max_frames, source.n_frames or max_frames)
        with progress_reporter(progress, Path(source.name).name) as report:
            for result, _ in self._results(source, max_frames):
                report(result.frame, total)

    def finish(self) -> pd.DataFrame:
        """Make the final pass and close the sinks; the run is over.

        Returns
        -------
        pandas.DataFrame
            Of the last part; see `finish_parts`.

        Raises
        ------
        FinalPassError
            The final pass cannot be made, or a sink fails (other than with its file); ``.partial`` holds all rows.
        ValueError
            The run keeps no rows ("live" and "frames"), or is over.
        """
        return self.finish_parts()[-1]

    def finish_parts(self) -> list[pd.DataFrame]:
        """Make the final pass over all parts and close the sinks; see `finish`.

        Returns
        -------
        list of pandas.DataFrame
            A table for each part.
        """
        if self._closed:
            raise ValueError("this run is over")
        self._part("frames")
        self.settle()
        failure: Exception | None = None
        try:
            self.close(complete=True)
        except Exception as its:  # the rows do not depend on a side output
            failure = its
        tables, error = self.tables()
        warn_of_short_sequence(self.parts[-1].attrs["source"], tables[-1].attrs.get("short_sequence", {}))
        error = error or failure
        for table in tables:
            table.attrs["complete"] = True
        if error is not None:
            kept = (
                ""
                if tables[-1].attrs.get("final_pass")
                else "; values are kept as predicted, without the final pass"
            )
            raise FinalPassError(
                f"{self.parts[-1].attrs['source']}: {error}{kept}", tables[-1], tables[:-1]
            ) from error
        return tables

    def tables(self) -> tuple[list[pd.DataFrame], Exception | None]:
        """Return the tables so far; the run may go on afterwards.

        Returns
        -------
        tables : list of pandas.DataFrame
            One for each part. ``attrs["final_pass"]`` says whether its action units went through the final pass;
            ``attrs["complete"]`` is False, as more frames may come.
        error : Exception or None
            Why the final pass could not be made, if so; values are then as predicted.
        """
        if self.mode in ("live", "frames"):
            raise ValueError(f"a run with mode={self.mode!r} keeps no rows")
        error: Exception | None = None
        short: dict[str, int] = {}
        rows = [part.table for part in self.parts]
        if self.mode == "images":
            tables = [table.to_dataframe() for table in rows if isinstance(table, ImmediateTable)]
        else:
            face_ids = [table.face_ids for table in rows if isinstance(table, ResultTable)]
            try:
                values = self.people.finish(face_ids)
            except Exception as failure:
                error = failure
                values = self.people.raw(face_ids)
            if "aus" in self.groups and self.engine.action_units.any_dynamic:
                learnt = self.people.learnt_baselines()
                short = faces_seen_briefly(face_ids, values.valid, learnt, self.people.returned())
            if self._gaps == "empty":
                values = values.with_gaps()
            tables = [
                table.to_dataframe(r, c)
                for table, r, c in zip(rows, values.intensities, values.presences, strict=True)
                if isinstance(table, ResultTable)
            ]
        returned = self.people.returned()
        for table, part in zip(tables, self.parts, strict=True):
            table.attrs.update(part.attrs)
            if short:
                table.attrs["short_sequence"] = short
            failed = {sink.name: sink.failure for sink in self._sinks if sink.failure is not None}
            if failed:
                table.attrs["side_outputs_failed"] = failed
            table.attrs["final_pass"] = error is None and self.mode == "offline"
            table.attrs["complete"] = False  # more frames may come
            if self.people.recognises:
                table["face_id"] = table["face_id"].replace(returned)
                table.attrs["people"] = _people_in(table)
                table.attrs["returned_faces"] = {str(n): person for n, person in sorted(returned.items())}
            if self.baseline is not None:
                table.attrs["baseline"] = self._baseline_record()
        return tables, error

    def baseline_here(self, source: str = "") -> Baseline:
        """Take the one face of this run so far for a person at rest; raises `BaselineError` if there is none."""
        self.settle()
        return self.people.baseline(source)

    def close(self, *, complete: bool = False) -> None:
        """End the run. Files of sinks take their names only if it is complete; closing again does nothing."""
        if self._closed:
            return
        self._closed = True
        failure: Exception | None = None
        for sink in self._sinks:
            try:
                if complete:
                    sink.close()
                else:
                    sink.discard()
            except Exception as error:  # the others are closed all the same
                failure = failure or error
        if failure is not None:
            raise failure

    def save(self, path: PathLike) -> None:
        """Write the whole run to a file, from which :meth:`FullPythonAUPipeline.resume` goes on.

        May be called at any time between two results. Sinks are not saved: files that are written on the side
        begin anew where the run goes on.

        Parameters
        ----------
        path : path-like
            Replaced only by a complete file.

        Raises
        ------
        OSError
            The file cannot be written.
        """
        self.settle()
        save_run(self, path)
        self.people.tidy()

    def __enter__(self) -> AnalysisRun:
        """Use as a context manager to be sure that the sinks are closed."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close; without `finish` before, files of sinks are discarded."""
        self.close(complete=kind is None and self.mode in ("live", "frames"))

    # What `Overlap` calls.

    def track(self, image: BGRImage | Picture) -> TrackedFrame:
        """Fit the landmarks of the next frame."""
        if isinstance(self.tracker, MultiFaceTracker):
            faces = tuple((face.face_id, face.fit) for face in self.tracker.track(image))
            return TrackedFrame(faces, self.tracker.expected_ids)
        return TrackedFrame(((0, self.tracker.track(image)),), None)

    def count(self, frame: VideoFrame) -> None:
        """Take note that a frame has been tracked."""
        self.parts[-1].last_number = frame.number
        self.frames_done += 1

    def finish_face(self, frame: VideoFrame, face_id: int, fit: FaceFit) -> FrameResult:
        """Compute everything after the landmarks."""
        stage = self.engine.stage
        if self._images is not None:
            return stage.in_image(frame, face_id, fit, self._images, self.groups)
        analyser = self.people.analyser(face_id)
        number = self.parts[-1].first_number + frame.number
        return stage.in_sequence(frame, face_id, fit, analyser, self.groups, number)

    def finish_frame(self, tracked: TrackedFrame) -> None:
        """Pack away those who have left."""
        self.people.settle([face_id for face_id, _ in tracked.faces], tracked.expected)

    def record(self, result: FrameResult, frame: VideoFrame) -> None:
        """Keep the row of a result and hand it to the sinks."""
        part = self.parts[-1]
        if "camera" not in part.attrs:
            intrinsics = self.engine.options.intrinsics
            part.attrs["frame_size"] = list(frame.size)
            part.attrs["camera"] = camera_record(intrinsics.camera(frame.picture), intrinsics)
        if part.table is not None:
            part.table.append(result)
        for sink in self._sinks:
            sink.write(result, frame.image)

    def settle(self) -> None:
        """Wait for what is under way, so that nothing of the run is elsewhere."""
        if self._overlap is not None:
            self._overlap.drain()

    @property
    def _last_number(self) -> int:
        """Number of the last frame, counted over all parts."""
        return self.parts[-1].first_number + self.parts[-1].last_number if self.parts else 0

    def _part(self, name: str, fps: float = float("nan"), **record: Any) -> Part:
        """Return the present part; one begins by itself if there is none."""
        if self._closed:
            raise ValueError("this run is over")
        if not self.parts:
            self.begin(name, fps, **record)
        return self.parts[-1]

    def new_table(self, number: int) -> ResultTable | ImmediateTable | None:
        """Make the table of a part; None where no rows are kept."""
        if self.mode in ("live", "frames"):
            return None
        names = self.engine.action_units.intensity_names, self.engine.action_units.presence_names
        n_modes = self.engine.landmark_model.pdm.n_modes
        if self._images is not None:
            names = self._images.intensity_names, self._images.presence_names
            return ImmediateTable(self.groups, *names, n_modes, gaps=self._gaps)
        spool = None if self._spool is None else self._spool / f"part-{number}"
        return ResultTable(self.groups, *names, n_modes, gaps=self._gaps, spool=spool)

    @property
    def _gaps(self) -> Gaps:
        return "empty" if self.number_format == "plain" else "openface"

    def _baseline_record(self) -> dict[str, Any]:
        learnt = {"learnt_for_faces": self.people.learnt_baselines()}
        if isinstance(self.baseline, Baseline):
            return {"source": self.baseline.source, **learnt}
        return {"frames": list(self.baseline or ()), **learnt}


def _people_in(table: pd.DataFrame) -> list[int]:
    """Faces that are there for a second or so; shorter appearances are often no face at all."""
    frames = table.loc[table["success"] == 1, "face_id"].value_counts()
    return sorted(int(face_id) for face_id in frames.index[frames >= SHORT])
