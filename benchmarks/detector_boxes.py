"""Corrections of other detectors' boxes, measured against MTCNN's: ``python -m benchmarks.detector_boxes SHARED``.

On the sample images and on frames of the videos and clips, each detector's box of a face is paired with MTCNN's; the
correction is the median of what leads from one to the other. How good it is, is judged on each source with the
correction of all others.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pyfaceau.detectors import BoxCorrection, FaceDetector, HaarDetector, YuNetDetector
from pymtcnn import MTCNN

PLAIN = BoxCorrection()


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.detector_boxes", description=__doc__)
    parser.add_argument("shared", type=Path, help="folder with media/ and data/clips/")
    parser.add_argument("--yunet", type=Path, help="YuNet's model file")
    parser.add_argument("--frames", type=int, default=25, help="frames of each video and clip")
    parser.add_argument("--json", type=Path, help="write the figures there")
    arguments = parser.parse_args()
    detectors: dict[str, FaceDetector] = {"haar": HaarDetector(correction=PLAIN)}
    if arguments.yunet:
        detectors["yunet"] = YuNetDetector(arguments.yunet, correction=PLAIN)
    mtcnn = MTCNN()
    pairs: dict[str, dict[str, list[NDArray[Any]]]] = {name: {} for name in detectors}
    faces = 0
    extra = dict.fromkeys(detectors, 0)
    for source, frame in frames(arguments.shared, arguments.frames):
        expected = [np.asarray(face.box, float) for face in mtcnn.detect(frame)]
        faces += len(expected)
        for name, detector in detectors.items():
            found = [np.asarray(face.box, float) for face in detector.detect(frame)]
            matched = paired(found, expected)
            extra[name] += len(found) - len(matched)
            pairs[name].setdefault(source, []).extend(matched)
    report = {}
    for name, by_source in pairs.items():
        everything = [pair for some in by_source.values() for pair in some]
        before = [quality(pair, PLAIN) for pair in everything]
        after = []
        for source, some in by_source.items():
            others = [pair for other, them in by_source.items() if other != source for pair in them]
            correction = fitted(others)
            after += [quality(pair, correction) for pair in some]
        report[name] = {
            "correction": asdict(fitted(everything)),
            "faces_of_mtcnn": faces,
            "found": len(everything),
            "others": extra[name],
            "plain": summary(before),
            "corrected_left_out_source": summary(after),
        }
        print(name, json.dumps(report[name], indent=1))
    if arguments.json:
        arguments.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return 0


def frames(shared: Path, count: int) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    """Yield the sample images, and `count` frames of each video and clip, with the name of their source."""
    for path in sorted((shared / "media").glob("sample?.jpg")):
        yield path.name, np.asarray(cv2.imread(str(path)), np.uint8)
    videos = [
        *(shared / "media").glob("*.avi"),
        *(shared / "media").glob("*.wmv"),
        *(shared / "data/clips").glob("*.avi"),
    ]
    for path in sorted(videos):
        capture = cv2.VideoCapture(str(path))
        total = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
        wanted = set(np.linspace(0, total - 1, count).astype(int).tolist())
        for index in range(total):
            if not capture.grab():
                break
            if index in wanted:
                yield path.name, np.asarray(capture.retrieve()[1], np.uint8)
        capture.release()


def overlap(a: NDArray[Any], b: NDArray[Any]) -> float:
    """Intersection over union of two boxes."""
    width = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    height = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    return float(shared / (a[2] * a[3] + b[2] * b[3] - shared))


def paired(found: list[NDArray[Any]], expected: list[NDArray[Any]]) -> list[NDArray[Any]]:
    """Pairs (2, 4) of boxes of one face: each expected box with the one that overlaps it most, if by a quarter."""
    pairs = []
    for box in expected:
        best = max(found, key=lambda other: overlap(other, box), default=None)
        if best is not None and overlap(best, box) > 0.25:
            pairs.append(np.stack([best, box]))
    return pairs


def fitted(pairs: list[NDArray[Any]]) -> BoxCorrection:
    """Median of what leads from the first box of each pair to the second."""
    first, second = np.array(pairs).swapaxes(0, 1)
    shift = np.median((second[:, :2] - first[:, :2]) / first[:, 2:], axis=0)
    size = np.median(second[:, 2:] / first[:, 2:], axis=0)
    return BoxCorrection(*(round(float(v), 4) for v in (*shift, *size)))


def quality(pair: NDArray[Any], correction: BoxCorrection) -> tuple[float, float, float]:
    """Overlap, distance of centres and ratio of widths; distances as fractions of the second box's width."""
    box = np.asarray(correction.apply(pair[0]), float)
    centres = box[:2] + box[2:] / 2 - pair[1][:2] - pair[1][2:] / 2
    return overlap(box, pair[1]), float(np.hypot(*centres) / pair[1][2]), float(box[2] / pair[1][2])


def summary(values: list[tuple[float, float, float]]) -> dict[str, float]:
    """Figures of several faces."""
    table = np.array(values)
    return {
        "overlap_mean": round(float(table[:, 0].mean()), 3),
        "overlap_5th_percentile": round(float(np.percentile(table[:, 0], 5)), 3),
        "centre_mean": round(float(table[:, 1].mean()), 3),
        "width_ratio_std": round(float(table[:, 2].std()), 3),
    }


if __name__ == "__main__":
    sys.exit(main())
