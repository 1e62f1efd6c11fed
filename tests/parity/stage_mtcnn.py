"""Face detection on the sample images and the sampled video frames."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from figures import gold_module
from table import Row

from pymtcnn import MTCNN


def rows(shared: Path) -> Iterator[Row]:
    """Compare counts, boxes and scores."""
    gold = gold_module("pymtcnn", "gold_mtcnn")
    detector = MTCNN()
    for place, compare in (("sample images", gold.compare_images), ("video frames", gold.compare_videos)):
        found = gold.summarise(compare(shared, detector))
        counts = f"other counts: {', '.join(found.wrong_counts)}" if found.wrong_counts else "same counts"
        yield Row(
            f"MTCNN, {found.faces} faces of {found.images} {place}",
            "same number of faces; boxes within 0.1 px, scores within 1e-4",
            f"{counts}; boxes {found.box_error:.1e} px, scores {found.score_error:.1e}",
            not found.wrong_counts and found.box_error <= 0.1 and found.score_error <= 1e-4,
        )
