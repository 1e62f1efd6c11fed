"""The action-unit stage of everyone in a run: models that all share, one analyser for each face."""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pyclnf import PDM
from pyclnf.io import read_triangulation

from .analyser import FaceAnalyser
from .analysis import Baseline, BaselineFrames, SequenceAnalysis
from .errors import BaselineError
from .models import ModelSet
from .prediction import AUPredictor, read_au_models
from .returning import Track, finish_together, same_people
from .state import State, part_of, under

AUModelChoice = Literal["dynamic", "static", "both"]
_STATIC_SUFFIX = "_static"
MEMORY_FOR_RETURN = (
    64_000_000  # bytes, of those who have left and may be recognised; some 300 short appearances
)

Floats = NDArray[np.float64]


class Arranged(NamedTuple):
    """Action units as the rows of one or more tables, an array for each table.

    Attributes
    ----------
    intensities, presences : list of ndarray
        Shape (n_rows, number of columns).
    valid : list of ndarray, shape (n_rows,), bool
        Rows whose action units were measured.
    """

    intensities: list[Floats]
    presences: list[Floats]
    valid: list[NDArray[np.bool_]]

    def with_gaps(self) -> Arranged:
        """Replace what stands in rows that were not measured by NaN, in place."""
        for values in (self.intensities, self.presences):
            for array, valid in zip(values, self.valid, strict=True):
                array[~valid] = np.nan
        return self


class ActionUnitModels:
    """The action-unit models of a pipeline; immutable, so runs and threads share them.

    Parameters
    ----------
    models : ModelSet
    au_models : {"dynamic", "static", "both"}
        Which of them; with "both" the columns of the static ones end in ``_static``.
    """

    def __init__(self, models: ModelSet, au_models: AUModelChoice = "dynamic") -> None:
        main = read_au_models(models.au_static if au_models == "static" else models.au_dynamic)
        static = main if au_models == "static" else read_au_models(models.au_static)
        chosen = list(main.models)
        if au_models == "both":
            chosen += [replace(model, suffix=_STATIC_SUFFIX) for model in static.models]
        self._pdm = PDM.from_file(main.pdm)
        self._triangulation = read_triangulation(main.triangulation)
        self._predictor = AUPredictor(chosen)
        self._static_predictor = AUPredictor(static.models)

    @property
    def any_dynamic(self) -> bool:
        """Whether some of them measure against the person's own rest."""
        return self._predictor.any_dynamic

    @property
    def intensity_names(self) -> tuple[str, ...]:
        """Columns of the intensities: "AU01_r", ..."""
        return self._predictor.intensity_names

    @property
    def presence_names(self) -> tuple[str, ...]:
        """Columns of the presences: "AU01_c", ..."""
        return self._predictor.presence_names

    def for_sequence(
        self,
        *,
        live: bool = False,
        baseline: Baseline | BaselineFrames | None = None,
        keep_history: bool = True,
        spool: Path | None = None,
    ) -> FaceAnalyser:
        """Make the analyser of one face in a sequence; the arguments are those of `FaceAnalyser`."""
        return FaceAnalyser(
            self._pdm,
            self._triangulation,
            self._predictor,
            live=live,
            baseline=baseline,
            keep_history=keep_history,
            spool=spool,
        )

    def for_images(self) -> FaceAnalyser:
        """Make an analyser for single images, with the static models."""
        return FaceAnalyser(self._pdm, self._triangulation, self._static_predictor, keep_history=False)


class People:
    """The faces of one run, each with its own medians and history.

    Somebody who leaves costs little: away from the picture their state is packed (some kilobytes a frame
    instead of 27 MB), and once they cannot come back under their number only their final values are kept.

    Parameters
    ----------
    models : ActionUnitModels
    live : bool
        Correct intensities as they come; no final pass follows.
    baseline : Baseline or (int, int), optional
        The person at rest, as for `FaceAnalyser`.
    keep_history : bool
        Whether there will be a final pass.
    recognise : bool
        Find people who came back under a new number, at the end.
    spool : path-like, optional
        Folder for the histories of the faces, which are kept in memory otherwise.
    """

    def __init__(
        self,
        models: ActionUnitModels,
        *,
        live: bool = False,
        baseline: Baseline | BaselineFrames | None = None,
        keep_history: bool = True,
        recognise: bool = False,
        spool: str | os.PathLike[str] | None = None,
    ) -> None:
        self._models = models
        self.recognises = recognise
        self._live = live
        self._baseline = baseline
        self._keeps_history = keep_history
        self._spool = None if spool is None else Path(spool)
        self._present: dict[int, FaceAnalyser] = {}
        self._away: dict[int, State] = {}
        self._gone: dict[int, SequenceAnalysis] = {}
        self._learnt: set[int] = set()  # of those gone, whose baseline was learnt
        self._unneeded: list[Path] = []  # rows in files that only an earlier checkpoint refers to

    def analyser(self, face_id: int) -> FaceAnalyser:
        """Analyser of a face that is in the picture."""
        if face_id not in self._present:
            analyser = self._new(face_id)
            if face_id in self._away:
                analyser.restore(self._away.pop(face_id))
            self._present[face_id] = analyser
        return self._present[face_id]

    def settle(self, present: Collection[int], expected: Collection[int] | None) -> None:
        """Pack away whoever is not in the picture, after a frame.

        Parameters
        ----------
        present : collection of int
            Faces of the frame.
        expected : collection of int or None
            Faces that may still come, those in the picture among them; None for all.
        """
        if expected is None:
            return
        for face_id in [n for n in self._present if n not in present]:
            self._away[face_id] = self._present.pop(face_id).state()
        departed = [n for n in self._away if n not in expected]
        if self._keeps_history and self.recognises:
            # They may be recognised at the end; of many, those who left first are given up.
            sizes = {n: sum(array.nbytes for array in self._away[n].values()) for n in departed}
            spare = sum(sizes.values()) - MEMORY_FOR_RETURN
            departed = [n for n, before in _running_total(sizes) if before < spare]
        for face_id in departed:
            self._fold(face_id, self._away.pop(face_id))

    def returned(self) -> dict[int, int]:
        """Find out who came back under a new number.

        Returns
        -------
        dict of int to int
            Number under which a person was seen first, by each later one.
        """
        if not self.recognises:
            return {}
        packed = {n: analyser.state() for n, analyser in self._present.items()} | self._away
        found = same_people(Track.of(face_id, state) for face_id, state in packed.items())
        return {face_id: person for face_id, person in found.items() if face_id != person}

    def baseline(self, source: str) -> Baseline:
        """Take the one face that was processed for a person at rest."""
        return self.analyser(0).baseline(source)

    def learnt_baselines(self) -> list[int]:
        """List the faces whose rest was learnt from all their frames."""
        found = {n for n, analyser in self._present.items() if analyser.baseline_is_learnt}
        found |= {n for n, state in self._away.items() if state["learnt"]}
        return sorted(self._learnt | found)

    def finish(self, face_ids: Sequence[NDArray[np.int64]]) -> Arranged:
        """Make the final pass, arranged as the rows of one or more tables.

        Parameters
        ----------
        face_ids : sequence of ndarray, shape (n_rows,), int64
            Face of each row, for each table; the tables hold consecutive parts of the sequence. Rows beyond what
            was analysed (after a failure) become NaN.

        Returns
        -------
        Arranged
            With OpenFace's values in rows without a face: 0, and what smoothing makes of it.

        Raises
        ------
        BaselineError
            No face at all was seen in the frames that were to be the baseline.
        """
        asked = self._baseline
        if isinstance(asked, tuple) and {*self._present, *self._away, *self._gone} == {
            *self.learnt_baselines()
        }:
            raise BaselineError("no face in the baseline frames {} to {}; choose others".format(*asked))
        final = self._finished()
        return self._arranged(face_ids, final)

    def raw(self, face_ids: Sequence[NDArray[np.int64]]) -> Arranged:
        """Arrange the values as they were predicted, where there can be no final pass; see `finish`."""
        raw = {n: analyser.raw() for n, analyser in self._analysers()}
        return self._arranged(face_ids, raw | self._gone)

    def _finished(self) -> dict[int, SequenceAnalysis]:
        """Make the final pass of everyone; people who came back are one sequence."""
        analysers = dict(self._analysers())
        groups: dict[int, list[int]] = {n: [n] for n in analysers}
        for face_id, person in self.returned().items():
            groups[person] += groups.pop(face_id)
        final = dict(self._gone)
        for members in map(sorted, groups.values()):  # in the order of their coming
            if len(members) == 1:
                final[members[0]] = analysers[members[0]].finish()
                continue
            states = [self._away.get(n) or self._present[n].state() for n in members]
            parts = finish_together([analysers[n] for n in members], states)
            final |= dict(zip(members, parts, strict=True))
        return final

    def _analysers(self) -> Iterator[tuple[int, FaceAnalyser]]:
        yield from self._present.items()
        for face_id in self._away:
            yield face_id, self._unpacked(face_id)

    def _arranged(
        self, face_ids: Sequence[NDArray[np.int64]], values: Mapping[int, SequenceAnalysis]
    ) -> Arranged:
        owner = np.concatenate(face_ids) if len(face_ids) else np.empty(0, np.int64)
        intensities = np.full((len(owner), len(self._models.intensity_names)), np.nan)
        presences = np.full((len(owner), len(self._models.presence_names)), np.nan)
        valid = np.zeros(len(owner), np.bool_)
        order = np.argsort(owner, kind="stable")
        numbers, starts = np.unique(owner[order], return_index=True)
        rows_of = dict(zip(numbers.tolist(), np.split(order, starts[1:]), strict=True)) if len(owner) else {}
        for face_id, rows in rows_of.items():
            if face_id not in values:
                continue
            found = values[face_id]
            rows = rows[: len(found.valid)]
            intensities[rows] = found.intensities[: len(rows)]
            presences[rows] = found.presences[: len(rows)]
            valid[rows] = found.valid[: len(rows)]
        ends = np.cumsum([len(ids) for ids in face_ids])[:-1]
        return Arranged(np.split(intensities, ends), np.split(presences, ends), np.split(valid, ends))

    def state(self) -> State:
        """Everything that the rest of the run depends on, as plain arrays."""
        state: State = {"learnt": np.array(sorted(self._learnt), np.int64)}
        packed = {n: analyser.state() for n, analyser in self._present.items()} | self._away
        for face_id, its in packed.items():
            state |= under(f"face.{face_id}.", its)
        for face_id, rows in self._gone.items():
            state[f"gone.{face_id}.intensities"] = rows.intensities
            state[f"gone.{face_id}.presences"] = rows.presences
            state[f"gone.{face_id}.valid"] = rows.valid
        return state

    def tidy(self) -> None:
        """Remove files of those who have gone, once a checkpoint no longer needs them."""
        for folder in self._unneeded:
            shutil.rmtree(folder, ignore_errors=True)
        self._unneeded = []

    def restore(self, state: State) -> None:
        """Go on from what `state` returned.

        Raises
        ------
        KeyError, ValueError
            An array is missing or does not fit.
        """
        self._learnt = {int(n) for n in state["learnt"]}
        self._present, self._gone = {}, {}
        self._away = {n: part_of(state, f"face.{n}.") for n in _numbers(state, "face")}
        for face_id in self._away:
            self._unpacked(face_id)  # finds out at once whether it fits
        for face_id in _numbers(state, "gone"):
            its = part_of(state, f"gone.{face_id}.")
            rows = SequenceAnalysis(its["intensities"], its["presences"], its["valid"])
            columns = len(self._models.intensity_names), len(self._models.presence_names)
            if (rows.intensities.shape, rows.presences.shape) != tuple((len(rows.valid), n) for n in columns):
                raise ValueError(f"face {face_id} was analysed with other action-unit models")
            self._gone[face_id] = rows

    def _new(self, face_id: int) -> FaceAnalyser:
        folder = None
        if self._spool is not None and self._keeps_history:
            folder = self._spool / f"face-{face_id}"
            folder.mkdir(parents=True, exist_ok=True)
        return self._models.for_sequence(
            live=self._live, baseline=self._baseline, keep_history=self._keeps_history, spool=folder
        )

    def _unpacked(self, face_id: int) -> FaceAnalyser:
        """Return the analyser of somebody who is away, for their values so far; they stay packed."""
        analyser = self._new(face_id)
        analyser.restore(self._away[face_id], to_finish=True)
        return analyser

    def _fold(self, face_id: int, state: State) -> None:
        """Keep only the final values of somebody who will not come back."""
        if not self._keeps_history:
            return
        self._away[face_id] = state
        analyser = self._unpacked(face_id)
        del self._away[face_id]
        final = analyser.finish()
        self._gone[face_id] = SequenceAnalysis(
            final.intensities, final.presences.astype(np.int8), final.valid
        )
        if analyser.baseline_is_learnt:
            self._learnt.add(face_id)
        if self._spool is not None:
            self._unneeded.append(self._spool / f"face-{face_id}")


def _running_total(sizes: Mapping[int, int]) -> Iterator[tuple[int, int]]:
    """Yield each key with the sum of the values before it."""
    total = 0
    for key, size in sizes.items():
        yield key, total
        total += size


def _numbers(state: State, prefix: str) -> list[int]:
    """Faces of which a state holds something under a prefix, in order."""
    return sorted({int(name.split(".")[1]) for name in state if name.startswith(f"{prefix}.")})
