"""Figures of the action-unit stage against the C++ reference's stored outputs.

`figures(shared)` gives the rows of a parity table; the functions above it measure one thing each. Landmarks
are the reference's own, so nothing before this stage matters.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pyfaceau.analyser import FaceAnalyser, SequenceAnalysis
from pyfaceau.features import HOG_SIZE
from pyfhog import extract_fhog

AU_MODELS = Path("openface/2.2.0/originals/lib/local/FaceAnalyser/AU_predictors")
MODES = ("clnf", "ceclm_fixture")
VIDEOS = {
    "default": "default.wmv",
    "changeLighting": "changeLighting.wmv",
    "2015-10-15-15-14": "2015-10-15-15-14.avi",
    "multi_face": "multi_face.avi",
}


@dataclass(frozen=True)
class Figure:
    """One row: what was measured, the value, its bar, and whether a high value is good."""

    stage: str
    value: float
    bar: float
    high_is_good: bool = False
    detail: str = ""

    @property
    def passed(self) -> bool:
        """Whether the value reaches its bar."""
        return self.value >= self.bar if self.high_is_good else self.value <= self.bar


@dataclass(frozen=True, eq=False)
class VideoRun:
    """Outputs of this package and of the reference for one video, columns in this package's order."""

    success: NDArray[np.bool_]
    intensities: NDArray[np.float64]
    presences: NDArray[np.float64]
    final: SequenceAnalysis
    gold_intensities: NDArray[Any]
    gold_presences: NDArray[Any]
    gold_final_intensities: NDArray[Any]
    gold_final_presences: NDArray[Any]
    differing_pixels: NDArray[np.float64]  # fraction, per sampled frame
    median_differences: NDArray[np.float64]  # largest difference of the HOG median, per sampled frame


def video_folders(shared: Path) -> list[tuple[str, str]]:
    """Modes and names of the stored videos."""
    return [
        (mode, name) for mode in MODES for name in VIDEOS if (shared / "gold/video" / mode / name).is_dir()
    ]


@cache
def run_video(shared: Path, mode: str, name: str) -> VideoRun:
    """Feed the reference's landmarks of a whole video to the action-unit stage."""
    folder = shared / "gold/video" / mode / name
    landmarks = np.ascontiguousarray(np.load(folder / "landmarks_2x68.npy").transpose(0, 2, 1))
    names, class_names = (line.split() for line in (folder / "au_names.txt").read_text().splitlines()[:2])
    gold_intensities = np.load(folder / "au_reg_online.npy")
    # The analyser gets the validator's verdict. It is not stored: the success column is the detector's return
    # value, which can differ right after a detection. But frames that failed are stored as zeros.
    success = gold_intensities.any(axis=1)
    sampled = np.load(folder / "hog_frame.npy")[:, 0].astype(int)
    gold_medians = dict(
        zip(sampled, np.load(folder / "hog_median.npy").reshape(len(sampled), -1), strict=True)
    )

    analyser = FaceAnalyser.from_files(shared / AU_MODELS / "main_dynamic_svms.txt")
    capture = cv2.VideoCapture(str(shared / "media" / VIDEOS[name]))
    results, pixels, medians = [], [], []
    for index in range(len(landmarks)):
        read, frame = capture.read()
        assert read, f"{VIDEOS[name]} ends before frame {index}"
        result = analyser.process(frame, landmarks[index], bool(success[index]))
        results.append((result.intensities, result.presences))
        if index in gold_medians:
            gold_face = cv2.imread(str(folder / f"aligned_{index:05d}.png"))
            pixels.append((gold_face != result.aligned_face).any(axis=2).mean())
            medians.append(np.abs(analyser.median[:HOG_SIZE] - gold_medians[index]).max())

    intensity_order = [names.index(column[:-2]) for column in analyser.intensity_names]
    presence_order = [class_names.index(column[:-2]) for column in analyser.presence_names]
    return VideoRun(
        success,
        np.array([intensities for intensities, _ in results]),
        np.array([presences for _, presences in results]),
        analyser.finish(),
        gold_intensities[:, intensity_order],
        np.load(folder / "au_class_online.npy")[:, presence_order],
        _csv(folder / "au_reg_offline.csv", analyser.intensity_names),
        _csv(folder / "au_class_offline.csv", analyser.presence_names),
        np.array(pixels),
        np.array(medians),
    )


def correlations(found: NDArray[Any], gold: NDArray[Any]) -> NDArray[np.float64]:
    """Correlation of each column; 1 where the reference is constant and the column equals it to 1e-3."""
    values = []
    for a, b in zip(found.T, gold.T, strict=True):
        if b.std() == 0:
            values.append(1.0 if np.allclose(a, b, atol=1e-3) else 0.0)
        else:
            values.append(float(np.corrcoef(a, b)[0, 1]) if a.std() else 0.0)
    return np.array(values)


def fhog_difference(shared: Path) -> float:
    """Largest difference of FHOG on the reference's aligned faces."""
    worst = 0.0
    for mode, name in video_folders(shared):
        folder = shared / "gold/video" / mode / name
        for frame, gold in zip(
            np.load(folder / "hog_frame.npy")[:, 0], np.load(folder / "hog.npy"), strict=True
        ):
            found = extract_fhog(cv2.imread(str(folder / f"aligned_{int(frame):05d}.png")))
            worst = max(worst, float(np.abs(found.ravel() - gold.ravel()).max()))
    return worst


def image_differences(shared: Path) -> tuple[float, float, float]:
    """Still images: largest share of differing pixels, largest AU difference, equal presences."""
    analyser = FaceAnalyser.from_files(shared / AU_MODELS / "main_static_svms.txt")
    pixels, differences, equal = [], [], []
    for folder in sorted((shared / "gold/images").iterdir()):
        image = cv2.imread(str(shared / "media" / f"{folder.name}.jpg"))
        for mode in MODES:
            all_landmarks = np.load(folder / f"landmarks_{mode}.npy")
            gold_intensities = np.load(folder / f"au_reg_static_{mode}.npy")
            gold_presences = np.load(folder / f"au_class_static_{mode}.npy")
            for face, landmarks in enumerate(all_landmarks):
                result = analyser.analyse_image(image, np.ascontiguousarray(landmarks.T))
                gold_face = cv2.imread(str(folder / f"aligned_{mode}_{face:02d}.png"))
                pixels.append((gold_face != result.aligned_face).any(axis=2).mean())
                # Static models are listed, hence stored, in the order of their names.
                differences.append(np.abs(result.intensities - gold_intensities[face].ravel()).max())
                equal.append((result.presences == gold_presences[face].ravel()).mean())
    return float(max(pixels)), float(max(differences)), float(np.mean(equal))


def figures(shared: Path) -> list[Figure]:
    """All rows of the action-unit stage."""
    runs = {f"{mode}/{name}": run_video(shared, mode, name) for mode, name in video_folders(shared)}
    online = {key: correlations(run.intensities, run.gold_intensities).min() for key, run in runs.items()}
    final = {
        key: correlations(run.final.intensities, run.gold_final_intensities).min()
        for key, run in runs.items()
    }
    online_equal = {key: (run.presences == run.gold_presences).mean() for key, run in runs.items()}
    final_equal = {key: (run.final.presences == run.gold_final_presences).mean() for key, run in runs.items()}
    pixels = {key: run.differing_pixels.max() for key, run in runs.items()}
    medians = {key: np.percentile(run.median_differences, 50) for key, run in runs.items()}
    image_pixels, image_intensities, image_equal = image_differences(shared)
    return [
        Figure("FHOG on the gold aligned faces, max abs difference", fhog_difference(shared), 1e-5),
        _worst("aligned faces from gold landmarks, share of pixels that differ", pixels, 1e-3, False),
        _worst("HOG median, typical max abs difference (one bin is 0.001)", medians, 0.00202, False),
        _worst("AU intensities from gold landmarks, as they come, lowest r", online, 0.9995, True),
        _worst("AU presences from gold landmarks, as they come, equal", online_equal, 0.998, True),
        _worst("AU intensities from gold landmarks, final, lowest r", final, 0.9995, True),
        _worst("AU presences from gold landmarks, final, equal", final_equal, 0.998, True),
        Figure("aligned faces of still images, share of pixels that differ", image_pixels, 1e-3),
        Figure("AU intensities of still images, max abs difference", image_intensities, 1e-3),
        Figure("AU presences of still images, equal", image_equal, 0.998, True),
    ]


def _worst(stage: str, values: dict[str, Any], bar: float, high_is_good: bool) -> Figure:
    """The worst of several values, with the name of where it occurs."""
    key = (min if high_is_good else max)(values, key=lambda name: values[name])
    return Figure(stage, float(values[key]), bar, high_is_good, key)


def _csv(path: Path, columns: tuple[str, ...]) -> NDArray[Any]:
    """Columns "AU01_r" of a table whose header says "AU01"."""
    table = np.genfromtxt(path, delimiter=",", names=True)
    return np.stack([table[column[:-2]] for column in columns], axis=1)
