"""Overlay videos and plots beside the tables that `pyfaceau extract` writes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    import pandas as pd

    from ..output import Sink
    from ..overlay import FaceShapes

OVERLAY_ENDING, PLOT_ENDING = "_overlay.mp4", "_plot.png"


class Pictures:
    """What is drawn of each result. A picture that fails is a warning: the tables are written already.

    Parameters
    ----------
    overlay : bool
        Write ``NAME_overlay.mp4``: the values of the table over the video.
    plot : bool
        Write ``NAME_plot.png``: timelines of the intensities.
    """

    def __init__(self, *, overlay: bool = False, plot: bool = False) -> None:
        self._overlay, self._plot = overlay, plot
        self._shapes: FaceShapes | None = None

    def sinks(self) -> list[Sink]:
        """Return what the next analysis needs as sinks."""
        if not self._overlay:
            return []
        from ..overlay import FaceShapes

        self._shapes = FaceShapes()
        return [self._shapes]

    def write(
        self, videos: Sequence[Path], tables: Sequence[pd.DataFrame], files: Sequence[Path], *, progress: bool
    ) -> None:
        """Write the pictures of an analysis, and say where they are.

        Parameters
        ----------
        videos : sequence of Path
        tables : sequence of pandas.DataFrame
            A result for each.
        files : sequence of Path
            Where the results are; the pictures go beside them.
        progress : bool
            Show a bar.
        """
        for number, (video, table, file) in enumerate(zip(videos, tables, files, strict=True)):
            if self._overlay:
                self._write_overlay(video, table, file, number, progress)
            if self._plot:
                self._write_plot(table, file)

    def _write_overlay(
        self, video: Path, table: pd.DataFrame, file: Path, number: int, progress: bool
    ) -> None:
        from ..errors import PyFaceAUError
        from ..overlay import write_overlay

        target = file.with_name(file.stem + OVERLAY_ENDING)
        try:
            done = write_overlay(video, table, target, shapes=self._shapes, part=number, progress=progress)
        except (PyFaceAUError, ValueError) as error:
            typer.echo(f"pyfaceau: warning: no overlay: {error}", err=True)
            return
        typer.echo(f"{done.path}: overlay, {done.codec}")
        if done.advice:
            typer.echo(f"pyfaceau: warning: {done.advice}", err=True)

    def _write_plot(self, table: pd.DataFrame, file: Path) -> None:
        from ..errors import PyFaceAUError
        from ..plots import plot_table

        try:
            typer.echo(f"{plot_table(table, file.with_name(file.stem + PLOT_ENDING))}: plot")
        except (PyFaceAUError, ValueError) as error:
            typer.echo(f"pyfaceau: warning: no plot: {error}", err=True)
