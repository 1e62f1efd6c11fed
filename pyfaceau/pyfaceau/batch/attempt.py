"""The folder of one attempt at a job: its checkpoints and the rows that wait in files.

An attempt writes only into a folder of its own, and a new one copies what the last one left. So a worker that was
given up for lost and is still alive can disturb nothing, on any file system, with or without locks.
"""

from __future__ import annotations

import json
import logging
import shutil
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pyclnf.io import atomic_write

from ..errors import CheckpointError

if TYPE_CHECKING:
    from ..pipeline import FullPythonAUPipeline
    from ..run import AnalysisRun

_ABOUT = "job.json"
_ABANDONED = 3600.0  # seconds without a checkpoint, after which no attempt is alive

logger = logging.getLogger(__name__)


class Attempt:
    """One attempt at a job.

    Parameters
    ----------
    work : Path
        Folder of the job's attempts.
    fingerprint : str
        Checkpoints with another one are passed over.
    failed : mapping
        Videos of the person that cannot be read, and why, where that is known already.

    Attributes
    ----------
    folder : Path
    failed : dict of str to str
        From the attempt that this one continues, if there is one.
    """

    def __init__(self, work: Path, fingerprint: str, failed: Mapping[str, str] | None = None) -> None:
        self._work, self._fingerprint = work, fingerprint
        self.folder = work / uuid.uuid4().hex[:12]
        self.folder.mkdir(parents=True)
        self.failed = dict(failed or {})
        if failed is None:
            found = self._earlier()
            for _, earlier in found:
                if self._copy(earlier):
                    break
            for age, earlier in found:
                if age > _ABANDONED:
                    shutil.rmtree(earlier, ignore_errors=True)
        self._note()

    def anew(self, failed: Mapping[str, str]) -> Attempt:
        """Begin again without the videos that failed."""
        shutil.rmtree(self.folder, ignore_errors=True)
        return Attempt(self._work, self._fingerprint, failed)

    def run(self, pipeline: FullPythonAUPipeline, name: str, **arguments: object) -> AnalysisRun:
        """Go on with a run from its checkpoint, or begin it.

        Parameters
        ----------
        pipeline : FullPythonAUPipeline
        name : str
            Of the run within the job.
        **arguments
            Of `FullPythonAUPipeline.run`, for a run that begins.
        """
        spool, checkpoint = self.folder / f"{name}-rows", self.checkpoint(name)
        if checkpoint.exists():
            try:
                return pipeline.resume(checkpoint, spool=spool)
            except CheckpointError as error:
                logger.warning("begun anew: %s", error)
        shutil.rmtree(spool, ignore_errors=True)
        return pipeline.run(spool=spool, **arguments)  # type: ignore[arg-type]

    def checkpoint(self, name: str) -> Path:
        """File of the checkpoint of a run."""
        return self.folder / f"{name}.run"

    def _note(self) -> None:
        with atomic_write(self.folder / _ABOUT, "w", encoding="utf-8") as stream:
            json.dump({"fingerprint": self._fingerprint, "failed": self.failed}, stream)

    def _earlier(self) -> list[tuple[float, Path]]:
        """List the attempts that left something, the latest first, with the age of its checkpoint in seconds."""
        found, now = [], time.time()
        for folder in self._work.iterdir():
            saved = [file.stat().st_mtime for file in folder.glob("*.run")] if folder.is_dir() else []
            if saved:
                found.append((now - max(saved), folder))
        return sorted(found)

    def _copy(self, earlier: Path) -> bool:
        """Take over an earlier attempt's checkpoints, unless it was about something else."""
        try:
            about = json.loads((earlier / _ABOUT).read_text(encoding="utf-8"))
            if about["fingerprint"] != self._fingerprint:
                return False
            self.failed = {str(path): str(why) for path, why in about["failed"].items()}
            # Checkpoints first: rows that are added meanwhile are beyond what they count.
            for file in earlier.glob("*.run"):
                shutil.copyfile(file, self.folder / file.name)
            for rows in earlier.glob("*-rows"):
                shutil.copytree(rows, self.folder / rows.name)
        except (
            OSError,
            shutil.Error,
            ValueError,
            LookupError,
            TypeError,
            AttributeError,
            RecursionError,
        ) as error:
            logger.warning("%s: not continued (%s)", earlier, error)
            self.failed = {}
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder.mkdir(parents=True, exist_ok=True)
            return False
        return True
