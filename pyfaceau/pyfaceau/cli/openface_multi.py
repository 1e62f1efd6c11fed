"""What FaceLandmarkVidMulti does otherwise: every frame's action units stand for themselves."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import pandas as pd

from ..analyser import INTENSITY_RANGE, FaceAnalyser
from ..output import ImmediateTable, Sink
from ..result import FrameResult
from ..video import BGRImage

if TYPE_CHECKING:
    from ..pipeline import FullPythonAUPipeline


class ImageByImage:
    """A sink that analyses each face of a video as in a single image, and hands it on.

    OpenFace 2.2's FaceLandmarkVidMulti uses the static action-unit models on every frame, also where a face
    is being lost, and makes no final pass.

    Parameters
    ----------
    pipeline : FullPythonAUPipeline
        With static action-unit models.
    groups : iterable of str
        Groups of columns.
    sinks : sequence of Sink
        Receive the changed results; to be closed by their owner.
    """

    def __init__(
        self, pipeline: FullPythonAUPipeline, groups: Iterable[str], sinks: Sequence[Sink] = ()
    ) -> None:
        self._analyser = FaceAnalyser.from_files(pipeline.models.au_static)
        self._groups = tuple(groups)
        self._sinks = sinks
        self._table: ImmediateTable | None = None

    def write(self, result: FrameResult, image: BGRImage) -> None:
        """Analyse one face and hand it on."""
        if not result.analysis.success:
            analysis = self._analyser.analyse_image(image, result.landmarks)
        else:  # static models gave it the same values already, only not clipped
            clipped = result.analysis.intensities.clip(*INTENSITY_RANGE)
            analysis = replace(result.analysis, intensities=clipped)
        result = replace(
            result,
            analysis=analysis,
            au_intensities=dict(zip(result.au_intensities, analysis.intensities.tolist(), strict=True)),
            au_presences=dict(zip(result.au_presences, map(int, analysis.presences), strict=True)),
        )
        if self._table is None:
            names = self._analyser.intensity_names, self._analyser.presence_names
            self._table = ImmediateTable(self._groups, *names, len(result.fit.params_local))
        self._table.append(result)
        for sink in self._sinks:
            sink.write(result, image)

    def close(self) -> None:
        """Nothing is held open."""

    def to_dataframe(self, otherwise: pd.DataFrame) -> pd.DataFrame:
        """Build the table of all frames.

        Parameters
        ----------
        otherwise : pandas.DataFrame
            The pipeline's own result, for its attributes, and in place of a table without rows.

        Returns
        -------
        pandas.DataFrame
        """
        if self._table is None:
            return otherwise
        return self._table.to_dataframe({str(name): value for name, value in otherwise.attrs.items()})
