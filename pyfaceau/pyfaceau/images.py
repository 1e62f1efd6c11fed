"""Single images: every face in them, with the static action-unit models."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt

from pyclnf import CLNF

from ._warning import warn
from .engine import Engine
from .errors import InputWarning, VideoError
from .inputs import images_in
from .output import ImmediateTable, check_groups, check_target, write_table
from .output.columns import Include
from .progress import ProgressCallback, progress_reporter
from .result import FrameResult
from .video import BGRImage, VideoFrame, as_bgr, read_image

if TYPE_CHECKING:
    import pandas as pd

PathLike = str | os.PathLike[str]


class Photographer:
    """Analyses images one by one, each for itself.

    Parameters
    ----------
    engine : Engine
    multi_view : bool
        Try all starting orientations.
    groups : collection of str, optional
        Groups of columns that will be needed; those of the pipeline by default.
    """

    def __init__(
        self, engine: Engine, *, multi_view: bool = False, groups: Iterable[str] | None = None
    ) -> None:
        self._engine = engine
        self._groups = engine.options.groups if groups is None else tuple(groups)
        self._fitter = CLNF(
            engine.landmark_model,
            parameters=engine.parameters,
            multi_view=multi_view,
            threads=engine.options.n_threads,
        )
        self._analyser = engine.action_units.for_images()

    def faces(self, pixels: BGRImage, number: int = 1) -> list[FrameResult]:
        """Analyse all faces of an image, best detection first."""
        frame = VideoFrame(number, float("nan"), pixels)
        return [
            self._engine.stage.in_image(
                frame, face, self._fitter.fit(pixels, found.box), self._analyser, self._groups
            )
            for face, found in enumerate(self._engine.detector.detect(pixels))
        ]

    def new_table(self) -> ImmediateTable:
        """Make a table for the faces."""
        names = self._analyser.intensity_names, self._analyser.presence_names
        n_modes = self._engine.landmark_model.pdm.n_modes
        return ImmediateTable(self._groups, *names, n_modes, single_images=True)


class PhotographMethods:
    """The part of a pipeline that takes photographs.

    Attributes
    ----------
    engine : Engine
    """

    engine: Engine

    def process_image(
        self, image: PathLike | npt.NDArray[np.generic], *, multi_view: bool = False
    ) -> list[FrameResult]:
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
        return Photographer(self.engine, multi_view=multi_view).faces(pixels)

    def process_images(
        self,
        paths: PathLike | Iterable[PathLike],
        output: PathLike | None = None,
        progress: bool | ProgressCallback = True,
        *,
        multi_view: bool = False,
        include: Include | None = None,
    ) -> pd.DataFrame:
        """Analyse photographs, each for itself, with the static action-unit models.

        Parameters
        ----------
        paths : path-like or iterable of path-like
            Image files and folders of them.
        output : path-like, optional
            Write the result there too (.csv or .parquet).
        progress : bool or callable
            Show a bar on stderr, or call ``progress(done, total)`` after every photograph.
        multi_view : bool
            Try all starting orientations, for faces that are not near frontal; slower.
        include : collection of str, or "openface", optional
            Instead of `include` of the constructor.

        Returns
        -------
        pandas.DataFrame
            One row a face: ``input`` (the file, as seen from the folder that all have in common), ``face_id`` (0 is
            the best detection), ``confidence, success``, then the groups of `include`. ``success`` is 0 where the
            validator rejects the face; its values are kept. ``.attrs["without_face"]`` lists photographs without a
            face, ``.attrs["failed"]`` those that cannot be read, with the reason.

        Warns
        -----
        InputWarning
            A photograph cannot be read; it is passed over.

        Raises
        ------
        VideoError
            There is no photograph that can be read.
        OutputError
            The result cannot be written.
        """
        files = _files(paths)
        if output is not None:
            check_target(output)
        groups = self.engine.available(
            self.engine.options.groups if include is None else check_groups(include)
        )
        photographer = Photographer(self.engine, multi_view=multi_view, groups=groups)
        rows = photographer.new_table()
        names = _short_names(files)
        without_face: list[str] = []
        failed: dict[str, str] = {}
        with progress_reporter(progress, "photographs") as report:
            for number, (file, name) in enumerate(zip(files, names, strict=True)):
                try:
                    faces = photographer.faces(read_image(file), number)
                except VideoError as error:
                    failed[name] = str(error).removeprefix(f"{file}: ")
                    warn(f"{error}; passed over", InputWarning)
                else:
                    if not faces:
                        without_face.append(name)
                    for face in faces:
                        rows.append(face)
                report(number + 1, len(files))
        if len(failed) == len(files):
            raise VideoError(f"{files[0]}: {failed[names[0]]}; no other photograph can be read either")
        table: pd.DataFrame = rows.to_dataframe()
        table.insert(0, "input", np.array(names, dtype=object)[table["frame"].to_numpy()])
        del table["frame"], table["timestamp"]
        table.attrs = {str(name): value for name, value in self.engine.record().items()}
        table.attrs |= {
            "mode": "photographs",
            "au_models": "static",
            "photographs": len(files),
            "without_face": without_face,
            "failed": failed,
            "decoder": {"reader": "images", "opencv": cv2.__version__},
            "multi_view": multi_view,
            "final_pass": False,
        }
        if output is not None:
            write_table(table, output)
        return table


def _files(paths: PathLike | Iterable[PathLike]) -> list[Path]:
    """List image files, with those of folders."""
    given = [paths] if isinstance(paths, (str, os.PathLike)) else list(paths)
    files: list[Path] = []
    for path in map(Path, given):
        files += images_in(path) if path.is_dir() else [path]
    if not files:
        place = f"{given[0]}: " if given else ""
        raise VideoError(f"{place}there is no photograph")
    return files


def _short_names(files: list[Path]) -> list[str]:
    """Names as seen from the folder that all files have in common; the same on every machine."""
    places = [Path(os.path.abspath(file)) for file in files]
    try:
        common = os.path.commonpath([place.parent for place in places])
    except ValueError:  # Windows: several drives
        return [place.as_posix() for place in places]
    return [PurePath(os.path.relpath(place, common)).as_posix() for place in places]
