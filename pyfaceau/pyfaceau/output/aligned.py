"""Aligned faces as image files, in OpenFace's folders and under its names."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from pyclnf import PDM
from pyclnf.io import atomic_write, read_triangulation

from ..alignment import FaceAligner
from ..alignment.aligner import AU_SCALE, AU_SIZE
from ..errors import OutputError
from ..prediction import read_au_models
from ..result import FrameResult
from ..video import BGRImage

IMAGE_FORMATS = ("bmp", "png", "jpg")


class AlignedFaceSink:
    """Writes the aligned face of every frame as an image.

    Files are named ``frame_det_<face, 2 digits>_<frame, 6 digits>`` in sequences and
    ``face_det_<face, 6 digits>`` for single images, as OpenFace 2.2 does.

    Parameters
    ----------
    folder : path-like
        Created with the first face; OpenFace's is ``<name>_aligned``.
    aligner : FaceAligner, optional
        Size, scale, mask and colour. By default the faces that the action-unit stage works on: 112 px,
        0.7 px/mm, masked, colour.
    image_format : {"bmp", "png", "jpg"}
        Ending of the files; "bmp" and "png" keep every value.
    bad_aligned : bool
        Write frames without a face too, as black images.
    sequence : bool
        Frames of a sequence; otherwise faces of one image.

    Raises
    ------
    ValueError
        Unknown format.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from pyfaceau import AlignedFaceSink, FullPythonAUPipeline
    >>> from pyfaceau.demo import DEMO_CLIP
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "faces"
    >>> pipeline = FullPythonAUPipeline(models="open")
    >>> table = pipeline.process_video(DEMO_CLIP, max_frames=2, progress=False, sinks=[AlignedFaceSink(path)])
    >>> sorted(face.name for face in path.iterdir())
    ['frame_det_00_000001.bmp', 'frame_det_00_000002.bmp']
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        aligner: FaceAligner | None = None,
        *,
        image_format: str = "bmp",
        bad_aligned: bool = True,
        sequence: bool = True,
    ) -> None:
        if image_format not in IMAGE_FORMATS:
            raise ValueError(f"aligned faces are written as {', '.join(IMAGE_FORMATS)}, not {image_format!r}")
        self.folder = Path(folder)
        self._aligner = aligner
        self._format = image_format
        self._bad_aligned = bad_aligned
        self._sequence = sequence

    def write(self, result: FrameResult, image: BGRImage) -> None:
        """Write one face.

        Raises
        ------
        OutputError
            The file cannot be written.
        """
        if result.tracked or self._bad_aligned:
            name = (
                f"frame_det_{result.face_id:02d}_{result.frame:06d}"
                if self._sequence
                else f"face_det_{result.face_id:06d}"
            )
            write_image(self.folder / f"{name}.{self._format}", self._face(result, image))

    def close(self) -> None:
        """Nothing is held open."""

    def discard(self) -> None:
        """Nothing is held open; the images that were written stay."""

    def _face(self, result: FrameResult, image: BGRImage) -> npt.NDArray[np.uint8]:
        if self._aligner is None:
            return result.analysis.aligned_face
        if result.valid:
            return self._aligner.align(image, result.landmarks, result.analysis.params_global).image
        side = self._aligner.size
        return np.zeros((side, side) if self._aligner.grey else (side, side, 3), np.uint8)


def aligner_for(
    au_main_file: str | os.PathLike[str],
    *,
    size: int | None = None,
    scale: float | None = None,
    mask: bool = True,
    grey: bool = False,
) -> FaceAligner | None:
    """Make the aligner of OpenFace's options ``-simsize -simscale -nomask -g``.

    Parameters
    ----------
    au_main_file : path-like
        Main description of the action-unit models, which names face model and triangulation.
    size : int, optional
        Side in px; 112 by default.
    scale : float, optional
        px/mm; in proportion to the size by default (0.7 for 112 px).
    mask, grey : bool
        Black out what is not face; grey images.

    Returns
    -------
    FaceAligner or None
        None where the options are those of the action-unit stage, whose images can be used as they are.

    Raises
    ------
    ValueError
        Size or scale is not positive.
    """
    size = AU_SIZE if size is None else size
    if mask and not grey and size == AU_SIZE and scale in (None, AU_SCALE):
        return None
    models = read_au_models(au_main_file)
    pdm, triangles = PDM.from_file(models.pdm), read_triangulation(models.triangulation)
    return FaceAligner(pdm, triangles, size=size, scale=scale, mask=mask, grey=grey)


def write_image(path: Path, image: npt.NDArray[np.uint8]) -> None:
    """Write an image, whole or not at all; the ending of the path says how.

    Raises
    ------
    OutputError
        The file cannot be written.
    """
    encoded, data = cv2.imencode(path.suffix, image)
    if not encoded:
        raise OutputError(f"{path}: OpenCV cannot write such an image")
    try:
        with atomic_write(path) as stream:
            stream.write(data.data)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror or error})") from error
