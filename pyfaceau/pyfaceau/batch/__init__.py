"""Many videos: a journal of what is done, worker processes or a cluster, and one table of all results."""

from .manifest import collect_videos
from .results import read_results
from .scheduler import run_batch
from .summary import BatchSummary

__all__ = ["BatchSummary", "collect_videos", "read_results", "run_batch"]
