"""Write `data/reference_noise.json`: how far builds of the C++ reference are apart on the reference material.

`python tests/reference_noise.py SHARED NAME=FOLDER...` compares each build's outputs with those in SHARED/gold and with
each other. FOLDER holds what that build wrote, with six decimals instead of one or two:

    multi/multi_face.csv    FaceLandmarkVidMulti -f multi_face.avi -mloc model/main_clnf_general.txt -2Dfp -pose
    clnf/NAME.csv           FeatureExtraction -f NAME.* -mloc model/main_clnf_general.txt -2Dfp -pose
    ceclm_fixture/NAME.csv  the same with cen_fixture/main_ceclm_general.txt
    img/NAME.csv            FaceLandmarkImg -f NAME.jpg -mloc model/main_clnf_general.txt -2Dfp -pose -aus -gaze

What is missing is left out.
"""

from __future__ import annotations

import json
import re
import sys
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY / "pyclnf/tests"))
from gold_tracks import noise_of  # noqa: E402

FIGURES = {"eye_depth": r"eye_lmk_[XYZ]_\d+", "intensities": "AU.*_r"}
VIDEOS = ("default", "changeLighting", "2015-10-15-15-14", "multi_face")
MADE = (
    "The reference's sources, built with GCC 12 and OpenCV 4.6 as o2 (-O2 -msse3 -ffp-contract=off) and native "
    "(-O3 -march=native, a processor with AVX-512), run by the commands of tests/reference_noise.py. -prescott and "
    "-haswell: the same program with OpenBLAS told to use those kernels; -plain: with OpenCV told to avoid AVX, too. "
    "A build with -O3 -mavx2 -mfma gives the bytes of native. gold: another build's output, printed with one decimal."
)


def tracked(shared: Path, folder: Path) -> dict[str, dict[str, float]]:
    """Mean landmark distance of each frame from the gold's, px, of each mode and video that the folder has."""
    out = {}
    for mode in ("clnf", "ceclm_fixture"):
        for video in VIDEOS:
            path = folder / mode / f"{video}.csv"
            if not path.exists():
                continue
            table = pd.read_csv(path, skipinitialspace=True)
            gold = np.load(shared / "gold/video" / mode / video / "landmarks_2x68.npy")
            if len(table) != len(gold):
                continue
            points = np.stack([table[[f"{axis}_{i}" for i in range(68)]].to_numpy() for axis in "xy"], axis=1)
            error = np.linalg.norm(points - gold, axis=1).mean(axis=1)
            out[f"{mode}/{video}"] = {
                "mean": round(float(error.mean()), 4),
                "p99": round(float(np.percentile(error, 99)), 4),
            }
    return out


def rows_apart(first: pd.DataFrame, second: pd.DataFrame) -> dict[str, float]:
    """Compare two tables of several faces as the tests of the whole command do."""
    both = first.merge(second, on=["frame", "face_id"], suffixes=("", "_b"))
    tracked = both[(both["success"] == 1) & (both["success_b"] == 1)]
    names = [f"{axis}_{i}" for axis in "xy" for i in range(68)]
    gap = np.abs(tracked[names].to_numpy() - tracked[[f"{name}_b" for name in names]].to_numpy())
    return {
        "other_success": float((both["success"] != both["success_b"]).mean()),
        "other_rows": 1 - len(both) / max(len(first), len(second)),
        "landmarks": float(gap.mean()),
    }


def images_apart(shared: Path, folders: dict[str, Path]) -> dict[str, dict[str, float]]:
    """Compare each pair of builds on two sample images, means over all faces: mm, and intensities."""
    out: dict[str, dict[str, float]] = {}
    for image in ("sample1", "sample2"):
        files = {"gold": shared / f"gold/cli/FaceLandmarkImg_clnf_{image}.csv.gz"}
        files |= {name: folder / f"img/{image}.csv" for name, folder in folders.items()}
        tables = {
            name: pd.read_csv(path, skipinitialspace=True) for name, path in files.items() if path.exists()
        }
        for (a, first), (b, second) in combinations(tables.items(), 2):
            gaps = {}
            for figure, pattern in FIGURES.items():
                names = [name for name in first if re.fullmatch(pattern, name)]
                gaps[figure] = float(np.abs(first[names].to_numpy() - second[names].to_numpy()).mean())
            out[f"{image}: {a}, {b}"] = gaps
    return out


def main() -> int:
    shared, builds = Path(sys.argv[1]), dict(item.split("=", 1) for item in sys.argv[2:])
    files = {"gold": shared / "gold/cli/FaceLandmarkVidMulti_clnf_multi_face.csv.gz"}
    files |= {name: Path(folder) / "multi/multi_face.csv" for name, folder in builds.items()}
    tables = {name: pd.read_csv(path, skipinitialspace=True) for name, path in files.items()}
    noise = {
        "made": MADE,
        "multi_face": {
            "pairs": noise_of(files),
            "rows": {f"{a}, {b}": rows_apart(tables[a], tables[b]) for a, b in combinations(tables, 2)},
        },
        "images": images_apart(shared, {name: Path(folder) for name, folder in builds.items()}),
        "tracked": {name: tracked(shared, Path(folder)) for name, folder in builds.items()},
    }
    out = REPOSITORY / "tests/data/reference_noise.json"
    out.write_text(json.dumps(_rounded(noise), indent=1) + "\n", encoding="utf-8")
    return 0


def _rounded(value: object) -> object:
    """Four significant digits are more than a bound needs."""
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    return float(f"{value:.4g}") if isinstance(value, float) else value


if __name__ == "__main__":
    sys.exit(main())
