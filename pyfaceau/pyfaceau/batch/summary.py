"""What became of a batch."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from .journal import Entry


@dataclass(frozen=True)
class BatchSummary:
    """How a batch ended.

    Attributes
    ----------
    entries : list of Entry
        Every video, in the order of the batch; `entries[i].state` is "done", "failed" or "waiting".
    analysed : int
        Frames that were analysed this time.
    unchanged : int
        Videos that were done before and were not touched.
    seconds : float
        This time.
    stopped : bool
        The batch was told to stop; running it again goes on.

    Examples
    --------
    >>> import tempfile
    >>> from pyfaceau import AnalysisOptions, run_batch
    >>> from pyfaceau.demo import DEMO_CLIP
    >>> results = tempfile.mkdtemp()
    >>> summary = run_batch(DEMO_CLIP, results, AnalysisOptions(models="open"), max_frames=2)
    >>> summary.failed, run_batch(DEMO_CLIP, results, AnalysisOptions(models="open"), max_frames=2).unchanged
    ([], 1)
    """

    entries: list[Entry]
    analysed: int
    unchanged: int
    seconds: float
    stopped: bool

    @property
    def failed(self) -> list[Entry]:
        """Videos that failed."""
        return [entry for entry in self.entries if entry.state == "failed"]

    def __str__(self) -> str:
        count = Counter(entry.state for entry in self.entries)
        parts = [f"{count['done']} done"]
        if self.unchanged:
            parts[0] += f" ({self.unchanged} of them before)"
        parts += [f"{count[state]} {state}" for state in ("failed", "waiting") if count[state]]
        return f"{len(self.entries)} videos: {', '.join(parts)}"
