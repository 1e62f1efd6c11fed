"""`pyfaceau live`: action units of a camera while it runs."""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ..live import LiveSource
    from ..result import FrameResult
    from ..video import BGRImage, VideoFrame

_WINDOW = "pyfaceau (q to quit)"
_QUIT_KEYS = (ord("q"), 27)  # 27: escape
_IMAGES_KEPT = 4  # frames that may be under way in the pipeline
_REPORT_EVERY = 1.0  # s


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
    models: Annotated[
        str, typer.Option(help="auto, openface, open, or a folder with OpenFace's files.", metavar="MODELS")
    ] = "auto",
    landmarks: Annotated[
        str, typer.Option(help="auto, ceclm, clnf, or the path of a main_*.txt file.", metavar="LANDMARKS")
    ] = "auto",
    mtcnn_backend: Annotated[str, typer.Option(help="Backend of the face detector.")] = "auto",
    window: Annotated[
        bool, typer.Option("--window/--no-window", help="Show the frames, where there is a display.")
    ] = True,
) -> None:
    """Show action units, head pose and gaze of a camera's face in a window, or print them once a second.

    Frames that come while one is analysed are dropped, so what is shown does not fall behind.
    """
    from ..live import open_as_camera, open_camera
    from ..pipeline import FullPythonAUPipeline

    try:
        pipeline = FullPythonAUPipeline(models, landmarks, mtcnn_backend, include=("gaze", "pose", "aus"))
    except ValueError as error:  # the constructor's way to refuse an argument
        raise typer.BadParameter(str(error)) from error
    with open_camera(camera) if source is None else open_as_camera(source) as frames:
        kept = _KeptImages(frames)
        with_window = window and _open_window()
        report = _Report(frames)
        try:
            for count, result in enumerate(pipeline.stream(kept), start=1):
                if not with_window:
                    report.take(result)
                elif not _show(kept.image(result.frame), result):
                    break
                if count == max_frames:
                    break
        except KeyboardInterrupt:
            pass  # the usual way to end it
        finally:
            if with_window:
                _close_window()
        typer.echo(report.summary())


class _KeptImages:
    """A source that keeps the images of the last few frames, to draw results into."""

    def __init__(self, source: LiveSource) -> None:
        self._source = source
        self.name, self.fps, self.n_frames = source.name, source.fps, source.n_frames
        self._kept: deque[VideoFrame] = deque(maxlen=_IMAGES_KEPT)

    def __iter__(self) -> Iterator[VideoFrame]:
        for frame in self._source:
            self._kept.append(frame)
            yield frame

    def image(self, number: int) -> BGRImage:
        return next(frame.image for frame in self._kept if frame.number == number)

    def close(self) -> None:
        self._source.close()


class _Report:
    """One line a second: time, rate, delay, drops, action units."""

    def __init__(self, source: LiveSource) -> None:
        self._source = source
        self._frames = 0
        self._due = 0.0
        self._since = (0.0, 0)  # time and frames at the last line

    def take(self, result: FrameResult) -> None:
        self._frames += 1
        now = self._source.now
        if now >= self._due:
            typer.echo(self._line(result, now))
            self._since = (now, self._frames)
            self._due = now + _REPORT_EVERY

    def _line(self, result: FrameResult, now: float) -> str:
        elapsed, frames = now - self._since[0], self._frames - self._since[1]
        rate = f"{frames / elapsed:5.1f} fps" if elapsed > 0 and self._since[1] else "    - fps"
        head = (
            f"{result.timestamp:8.2f} s  {rate}  {1000 * (now - result.timestamp):5.0f} ms late"
            f"  {self._source.dropped} dropped"
        )
        return f"{head}  {format_action_units(result)}"

    def summary(self) -> str:
        return (
            f"{self._source.name}: {self._source.captured} frames came, {self._source.dropped} were dropped"
        )


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


def _open_window() -> bool:
    """Open the window; False where there is no display, or OpenCV was built without windows."""
    import cv2

    if sys.platform.startswith("linux") and not (
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    ):
        return False  # asking some builds of OpenCV would end the program
    try:
        cv2.namedWindow(_WINDOW, cv2.WINDOW_NORMAL)
    except cv2.error:
        return False
    return True


def _show(image: BGRImage, result: FrameResult) -> bool:
    """Show a frame with its result; False if the user wants to quit."""
    import cv2

    from ..output.drawing import draw_result

    picture = image.copy()
    draw_result(picture, result)
    cv2.imshow(_WINDOW, picture)
    quits = cv2.waitKey(1) & 0xFF in _QUIT_KEYS
    return not quits and cv2.getWindowProperty(_WINDOW, cv2.WND_PROP_VISIBLE) >= 1


def _close_window() -> None:
    import cv2

    cv2.destroyWindow(_WINDOW)
