"""The tracked video: the frames with what was found drawn into them."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

import cv2

from pyclnf.pose import Camera

from ..errors import OutputError
from ..result import FrameResult
from ..video import BGRImage
from .aligned import write_image
from .drawing import draw_results


class TrackedVideoSink:
    """Writes a video with landmarks, head box, gaze and action units of every face.

    Parameters
    ----------
    path : path-like
        .avi (OpenFace's), .mp4 or whatever OpenCV's writer knows; appears when the sink is closed, and not at
        all if there was no frame.
    fps : float
        Frames per second.
    camera : Camera, optional
        That the pose was computed with; guessed from the frame size by default.
    codec : str
        Four characters; OpenFace 2.2's default is "DIVX".
    action_units : bool
        Draw their bars.

    Raises
    ------
    ValueError
        `fps` is not positive, or `codec` does not have four characters.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from pyfaceau import TrackedVideoSink, FullPythonAUPipeline
    >>> from pyfaceau.demo import DEMO_CLIP
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "tracked.avi"
    >>> pipeline = FullPythonAUPipeline(models="open")
    >>> table = pipeline.process_video(DEMO_CLIP, max_frames=2, progress=False, sinks=[TrackedVideoSink(path, fps=25)])
    >>> path.exists()
    True
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        fps: float,
        camera: Camera | None = None,
        *,
        codec: str = "DIVX",
        action_units: bool = True,
    ) -> None:
        if not fps > 0 or len(codec) != 4:
            raise ValueError(f"fps must be positive and codec four characters, got {fps} and {codec!r}")
        self.path = Path(path)
        self._part = self.path.with_name(f".{self.path.stem}.{uuid.uuid4().hex}.part{self.path.suffix}")
        self._fps = fps
        self._camera = camera
        self._codec = codec
        self._action_units = action_units
        self._writer: cv2.VideoWriter | None = None
        self._canvas: BGRImage | None = None
        self._frame = 0
        self._results: list[FrameResult] = []
        self._size = (0, 0)

    def write(self, result: FrameResult, image: BGRImage) -> None:
        """Take a face; its frame is drawn and written when the next one comes.

        Raises
        ------
        OutputError
            The video cannot be written.
        """
        if self._canvas is None or result.frame != self._frame:
            self._write_frame()
            self._canvas, self._frame, self._results = image.copy(), result.frame, []
        self._results.append(result)

    def close(self) -> None:
        """Finish the file.

        Raises
        ------
        OutputError
            The video cannot be written.
        """
        self._write_frame()
        self._canvas = None
        if self._writer is None:
            return
        self._writer.release()
        self._writer = None
        try:
            if not self._part.is_file() or self._part.stat().st_size == 0:
                raise OutputError(f"{self.path}: nothing was written (is the disk full?)")
            os.replace(self._part, self.path)
        except OSError as error:
            raise OutputError(f"{self.path}: cannot be written ({error.strerror or error})") from error

    def discard(self) -> None:
        """Remove the unfinished file."""
        self._canvas = None
        if self._writer is not None:
            self._writer.release()
            self._writer = None
        self._part.unlink(missing_ok=True)

    def _write_frame(self) -> None:
        if self._canvas is None:
            return
        draw_results(self._canvas, self._results, self._camera, action_units=self._action_units)
        if self._writer is None:
            self._open(self._canvas)
        assert self._writer is not None
        size = (self._canvas.shape[1], self._canvas.shape[0])
        # Images of a folder may differ in size; a video's frames may not.
        frame = self._canvas if size == self._size else cv2.resize(self._canvas, self._size)
        self._writer.write(frame)

    def _open(self, first: BGRImage) -> None:
        self._size = (first.shape[1], first.shape[0])
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"{self.path}: cannot be written ({error.strerror or error})") from error
        code = cv2.VideoWriter.fourcc(*self._codec)
        self._writer = cv2.VideoWriter(str(self._part), code, self._fps, self._size)
        if not self._writer.isOpened():
            self.discard()
            raise OutputError(
                f"{self.path}: OpenCV cannot write {self._codec} into {self.path.suffix or 'such a file'}; "
                "try codec='MJPG' with .avi"
            )


class TrackedImageSink:
    """Writes one image with all its faces drawn, as OpenFace's single-image program does.

    Parameters
    ----------
    path : path-like
        Its ending says the format; OpenFace's is .jpg. Appears when the sink is closed.
    camera : Camera, optional
        That the pose was computed with; guessed from the image size by default.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import cv2
    >>> from pyfaceau import FullPythonAUPipeline, TrackedImageSink
    >>> from pyfaceau.demo import DEMO_PORTRAIT
    >>> image = cv2.imread(str(DEMO_PORTRAIT))
    >>> sink = TrackedImageSink(pathlib.Path(tempfile.mkdtemp()) / "drawn.jpg")
    >>> for face in FullPythonAUPipeline(models="open").process_image(image):
    ...     sink.write(face, image)
    >>> sink.close()
    >>> sink.path.exists()
    True
    """

    def __init__(self, path: str | os.PathLike[str], camera: Camera | None = None) -> None:
        self.path = Path(path)
        self._camera = camera
        self._canvas: BGRImage | None = None
        self._results: list[FrameResult] = []

    def write(self, result: FrameResult, image: BGRImage) -> None:
        """Take a face."""
        if self._canvas is None:
            self._canvas = image.copy()
        self._results.append(result)

    def close(self) -> None:
        """Write the file.

        Raises
        ------
        OutputError
            It cannot be written.
        """
        if self._canvas is not None:
            draw_results(self._canvas, self._results, self._camera, rejected=True)
            write_image(self.path, self._canvas)
            self._canvas = None

    def discard(self) -> None:
        """Forget the image."""
        self._canvas = None
