"""`pyfaceau live`: action units of a camera while it runs."""

from __future__ import annotations

import statistics
import threading
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .common_options import Detector, Landmarks, MaxFaces, Models

if TYPE_CHECKING:
    from ..live import LiveSource
    from ..pipeline import FullPythonAUPipeline
    from ..result import FrameResult
    from ..video import VideoFrame
    from .window import Window

    Show = Callable[[VideoFrame, Sequence[FrameResult]], bool]

_TITLE = "pyfaceau live"
_REPORT_EVERY = 1.0  # s
_ANSWER_WITHIN = 0.01  # s between looks at what the user does with the window, while no frame comes
_RECENT = 30  # frames that the rate and the latency below the picture are taken over
_LATENCIES_KEPT = 1000  # frames that the summary's latency is the median of


def live(
    camera: Annotated[int, typer.Option(min=0, help="Number of the camera.")] = 0,
    source: Annotated[
        Path | None,
        typer.Option(
            help="A video file or folder of images, played as if it were a camera.", show_default=False
        ),
    ] = None,
    max_frames: Annotated[
        int | None, typer.Option(min=1, help="Stop after so many analysed frames.", show_default=False)
    ] = None,
    max_faces: MaxFaces = 1,
    models: Models = "auto",
    landmarks: Landmarks = "auto",
    detector: Detector = "mtcnn",
    window: Annotated[
        bool | None,
        typer.Option(
            "--window/--no-window",
            help="Show a window, or print a line a second. By default a window where there is a display.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Show landmarks, head pose, gaze and action units of the faces before a camera in a window, or print them.

    q, Escape or the window's close button end it; Ctrl-C does too. Frames that come while one is analysed are
    dropped, so that what is shown does not fall behind.
    """
    from ..live import open_as_camera, open_camera
    from ..pipeline import FullPythonAUPipeline

    shown = _open_window(window)  # before the models are loaded, which takes longer
    try:
        try:
            pipeline = FullPythonAUPipeline(
                models, landmarks, detector, include=("gaze", "pose", "aus"), max_faces=max_faces
            )
        except ValueError as error:  # the constructor's way to refuse an argument
            raise typer.BadParameter(str(error)) from error
        with open_camera(camera) if source is None else open_as_camera(source) as frames:
            try:
                if shown is None:
                    report = _Report(frames)
                    _watch(pipeline, frames, report.show, max_frames)
                    summary = report.summary()
                else:
                    summary = _run_window(shown, pipeline, frames, max_frames, max_faces)
            except KeyboardInterrupt:  # the usual way to end it without a window
                summary = _came_and_dropped(frames)
            typer.echo(summary)
    finally:
        if shown is not None:
            shown.close()


def _open_window(wanted: bool | None) -> Window | None:
    """Open the window, unless it is not wanted.

    Raises
    ------
    WindowError
        It is wanted expressly and cannot be shown.
    """
    if wanted is False:
        return None
    from .window import Window, WindowError

    try:
        return Window(_TITLE)
    except WindowError as error:
        if wanted:
            raise WindowError(f"no window: {error}; --no-window prints the results instead") from error
        typer.echo(
            f"pyfaceau: no window: {error}. Results are printed instead; --no-window does so without this message.",
            err=True,
        )
        return None


def _watch(
    pipeline: FullPythonAUPipeline, source: LiveSource, show: Show, max_frames: int | None = None
) -> None:
    """Analyse frames as they come, and show each with all its faces, until `show` returns False."""
    watched = _Watched(source, show, max_frames)
    for result in pipeline.stream(watched):
        watched.results.append(result)


class _Watched:
    """A source that shows each of its frames with its results as soon as the next one is asked for.

    A stream gives out all results of a frame before it asks for the next, and none for a frame without faces
    if it follows several. So this is when a frame is known to be complete.
    """

    def __init__(self, source: LiveSource, show: Show, max_frames: int | None) -> None:
        self._source, self._show, self._max_frames = source, show, max_frames
        self.name, self.fps, self.n_frames = source.name, source.fps, source.n_frames
        self.results: list[FrameResult] = []

    def __iter__(self) -> Iterator[VideoFrame]:
        for count, frame in enumerate(self._source, start=1):
            yield frame
            results, self.results = self.results, []
            if not self._show(frame, results) or count == self._max_frames:
                return

    def close(self) -> None:
        self._source.close()


def _run_window(
    window: Window,
    pipeline: FullPythonAUPipeline,
    source: LiveSource,
    max_frames: int | None = None,
    max_faces: int = 1,
) -> str:
    """Show results until the window is closed or the source ends; return the summary.

    A thread analyses, so that the window answers while a frame takes long or none comes; this one draws, beside
    the analysis of the next frame.
    """
    from .live_picture import live_picture

    newest = _NewestResult()
    worker = threading.Thread(
        target=newest.run_to_end,
        args=(_watch, pipeline, source, newest.put, max_frames),
        name="pyfaceau-stage",
    )
    rate, recent, latencies = _Rate(), deque[float](maxlen=_RECENT), deque[float](maxlen=_LATENCIES_KEPT)
    worker.start()
    try:
        while not window.closed:
            item = newest.take(_ANSWER_WITHIN)
            if item is not None:
                frame, results = item
                fps = rate.after(source.now)
                picture = live_picture(frame.image, results, window.room(frame.image), max_faces)
                window.show(picture, _status(fps, recent, source.dropped))
                latencies.append(source.now - frame.timestamp)
                recent.append(latencies[-1])
            elif newest.ended:
                break
            else:
                window.update()
    finally:
        newest.stop()
        source.close()
        worker.join()
    if newest.error is not None:
        raise newest.error
    summary = _came_and_dropped(source)
    if latencies:
        summary += f"; half of them were shown within {1000 * statistics.median(latencies):.0f} ms"
    return summary


class _NewestResult:
    """Where the analysing thread leaves the newest frame with its results for the window's."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._item: tuple[VideoFrame, Sequence[FrameResult]] | None = None
        self._stopped = False
        self.ended = False
        self.error: BaseException | None = None

    def put(self, frame: VideoFrame, results: Sequence[FrameResult]) -> bool:
        """Leave a frame; False if nobody wants more."""
        with self._changed:
            self._item = (frame, results)
            self._changed.notify()
            return not self._stopped

    def take(self, timeout: float) -> tuple[VideoFrame, Sequence[FrameResult]] | None:
        """Fetch the frame that was left last; None if none comes in time or all have been fetched."""
        with self._changed:
            if self._item is None and not self.ended:
                self._changed.wait(timeout)
            item, self._item = self._item, None
            return item

    def stop(self) -> None:
        """Nobody wants frames any more."""
        self._stopped = True

    def run_to_end(self, function: Callable[..., None], *arguments: object) -> None:
        """Body of the thread: call a function, and note its end and its error."""
        try:
            function(*arguments)
        except BaseException as error:  # handed over to the window's thread, whatever it is
            self.error = error
        with self._changed:
            self.ended = True
            self._changed.notify()


class _Rate:
    """Frames per second, over the last frames."""

    def __init__(self) -> None:
        self._times: deque[float] = deque(maxlen=_RECENT + 1)

    def after(self, now: float) -> float | None:
        """Count a frame; None while there is only one."""
        self._times.append(now)
        elapsed = now - self._times[0]
        return (len(self._times) - 1) / elapsed if elapsed > 0 else None


def _status(fps: float | None, latencies: Collection[float], dropped: int) -> str:
    """One line below the picture."""
    rate = f"{'-':>4}" if fps is None else f"{fps:4.1f}"
    late = f"{1000 * statistics.median(latencies):3.0f}" if latencies else f"{'-':>3}"
    return f"{rate} frames/s   {late} ms after capture   {dropped} dropped   q closes"


class _Report:
    """One line a second for each face: time, rate, delay, drops, action units."""

    def __init__(self, source: LiveSource) -> None:
        self._source = source
        self._frames = 0
        self._due = 0.0
        self._since = (0.0, 0)  # time and frames at the last line

    def show(self, frame: VideoFrame, results: Sequence[FrameResult]) -> bool:
        """Take a frame and print it if a line is due; goes on for ever."""
        self._frames += 1
        now = self._source.now
        if now >= self._due:
            head = self._head(frame, now)
            for result in results:
                face = f"face {result.face_id}  " if len(results) > 1 else ""
                typer.echo(f"{head}  {face}{format_action_units(result)}")
            if not results:
                typer.echo(f"{head}  no face")
            self._since = (now, self._frames)
            self._due = now + _REPORT_EVERY
        return True

    def _head(self, frame: VideoFrame, now: float) -> str:
        elapsed, frames = now - self._since[0], self._frames - self._since[1]
        rate = f"{frames / elapsed:5.1f} fps" if elapsed > 0 and self._since[1] else "    - fps"
        return (
            f"{frame.timestamp:8.2f} s  {rate}  {1000 * (now - frame.timestamp):5.0f} ms late"
            f"  {self._source.dropped} dropped"
        )

    def summary(self) -> str:
        """Make the last line."""
        return _came_and_dropped(self._source)


def _came_and_dropped(source: LiveSource) -> str:
    return f"{source.name}: {source.captured} frames came, {source.dropped} were dropped"


def format_action_units(result: FrameResult) -> str:
    """Intensities of a result on one line, a star where an action unit is present.

    Parameters
    ----------
    result : FrameResult

    Returns
    -------
    str
        ``AU01 0.52* AU02 0.00 ...``, or ``no face``.
    """
    if not result.tracked:
        return "no face"
    names = sorted({*result.au_intensities, *result.au_presences})
    return " ".join(_one_action_unit(name, result) for name in names)


def _one_action_unit(name: str, result: FrameResult) -> str:
    value = result.au_intensities.get(name)
    star = "*" if result.au_presences.get(name) else ""
    return f"{name}{star}" if value is None else f"{name} {value:.2f}{star}"
