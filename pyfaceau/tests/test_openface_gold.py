"""Whole files against those that OpenFace's own programs wrote."""

from __future__ import annotations

import gzip
import json
import re
import struct
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from pyclnf import PDM
from pyfaceau.cli.app import app
from pyfaceau.output import read_hog, read_openface_csv, write_openface_csv

pytestmark = pytest.mark.parity

VIDEOS = {
    "image_sequence": "image_sequence",
    "changeLighting": "changeLighting.wmv",
    "default": "default.wmv",
    "2015-10-15-15-14": "2015-10-15-15-14.avi",
}
IMAGES = ("sample1", "sample2")
PROGRAMS = {
    **dict.fromkeys(VIDEOS, "FeatureExtraction"),
    **dict.fromkeys(IMAGES, "FaceLandmarkImg"),
    "multi_face": "FaceLandmarkVidMulti",
}
PDM_FILE = "openface/2.2.0/originals/lib/local/LandmarkDetector/model/pdms/In-the-wild_aligned_PDM_68.txt"
LAST_DIGIT = 1.001  # of the printed digits, and what binary fractions add
# How far builds of the reference are apart, see tests/reference_noise.py; only a few were compared.
NOISE = Path(__file__).resolve().parents[2] / "tests/data/reference_noise.json"
MARGIN = 1.5


@pytest.fixture(scope="module")
def written(shared, tmp_path_factory):
    """Outputs of the command, made when first asked for."""
    folder = tmp_path_factory.mktemp("processed")
    done: set[str] = set()

    def output(name: str, ending: str) -> Path:
        if name not in done:
            program = PROGRAMS[name]
            media = VIDEOS.get(name, f"{name}.jpg" if name in IMAGES else f"{name}.avi")
            option = "-fdir" if (shared / "media" / media).is_dir() else "-f"
            flags = [f"-{flag}" for flag in ("2Dfp", "3Dfp", "pdmparams", "pose", "aus", "gaze")]
            flags += ["-hogalign", "-simalign", "-nobadaligned", "-q"]
            models = ["--models", str(shared / "openface"), "-mloc", "main_clnf_general.txt"]
            line = ["openface", program, option, str(shared / "media" / media), "-out_dir", str(folder)]
            result = CliRunner().invoke(app, [*line, *flags, *models])
            assert result.exit_code == 0, result.output
            done.add(name)
        return folder / f"{name}{ending}"

    return output


ACCEPTED = 0.725  # validator's boundary


def gold_csv(shared: Path, name: str) -> Path:
    return shared / "gold/cli" / f"{PROGRAMS[name]}_clnf_{name}.csv.gz"


# The fit of a still face stops when a step is small enough, so a last bit can make a step more or less. Builds of the
# reference then differ by up to 0.11 px and 0.002 rad (sample4, where we do not); here it is the first face of sample2.
ONE_FACE_APART = pytest.mark.xfail(
    reason="the first face of sample2 stops 0.04 px away from the reference's: more than 0.03 on average over two "
    "faces with every instruction set",
    strict=True,
)
# Faces that are none (the validator rejects them), where the last bit of a response decides between two places in which
# a fit may end, with any set of kernels. pyclnf's tests see to it that ours reaches the reference's.
TWO_ENDS = {"sample2": [2]}


def each_file(**marks: pytest.MarkDecorator) -> list[Any]:
    """All videos and images, some of them marked."""
    return [pytest.param(name, marks=marks.get(name, ())) for name in (*VIDEOS, *IMAGES)]


@pytest.fixture(params=each_file())
def pair(request, shared, written) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Our table and the reference's, as read from their files, without faces of `TWO_ENDS`."""
    ours = read_openface_csv(written(request.param, ".csv"))
    gold = read_openface_csv(gold_csv(shared, request.param))
    assert list(ours.columns) == list(gold.columns)
    assert len(ours) == len(gold)
    either = gold.index[TWO_ENDS.get(request.param, [])]
    return ours.drop(either), gold.drop(either)


def noise() -> dict[str, Any]:
    return json.loads(NOISE.read_text(encoding="utf-8"))


def worst(pairs: dict[str, dict[str, float]], figure: str) -> float:
    """The largest difference of two builds of the reference."""
    return max(figures[figure] for figures in pairs.values())


def difference(pair: tuple[pd.DataFrame, pd.DataFrame], pattern: str) -> np.ndarray:
    columns = [name for name in pair[1].columns if re.fullmatch(pattern, name)]
    assert columns
    return np.abs(pair[0][columns].to_numpy(np.float64) - pair[1][columns].to_numpy(np.float64))


@pytest.mark.parametrize("name", PROGRAMS)
def test_header_is_the_references_to_the_byte(shared, written, name):
    with gzip.open(gold_csv(shared, name), "rb") as stream:
        expected = stream.readline()
    with written(name, ".csv").open("rb") as stream:
        assert stream.readline() == expected


def test_frames_and_faces_are_the_references(pair):
    assert not difference(pair, "frame|face_id|face|timestamp|success").any(where=True)
    assert difference(pair, "confidence").max() <= 0.0501
    assert (difference(pair, "confidence") == 0).mean() >= 0.99


def test_gaze_is_within_a_hundredth_of_a_radian(pair):
    gap = difference(pair, "gaze_.*")
    assert gap.mean() <= 0.002
    # Where an eye closes, two fits of its model may be equally good.
    assert (gap.max(axis=1) <= 0.01 * LAST_DIGIT).mean() >= 0.99


def test_eye_landmarks_are_within_015_px_on_average(pair):
    assert difference(pair, "eye_lmk_[xy]_.*").mean() <= 0.15


def test_landmarks_are_within_01_px_on_average_and_a_pixel_at_most(pair):
    assert difference(pair, r"[xy]_\d+").mean() <= 0.1
    assert np.percentile(difference(pair, r"[xy]_\d+"), 99.9) <= 1


def test_3d_points_are_within_half_a_millimetre_on_average(pair):
    assert difference(pair, r"[XYZ]_\d+").mean() <= 0.5
    accepted = (pair[1]["confidence"] > ACCEPTED).to_numpy()
    assert difference(pair, r"eye_lmk_[XYZ]_\d+")[accepted].mean() <= 0.5
    # The depth of an eye in a fit that the validator rejects is loose: builds of the reference differ by this much.
    loose = MARGIN * worst(noise()["images"], "eye_depth")
    assert difference(pair, r"eye_lmk_[XYZ]_\d+").mean() <= (0.5 if accepted.all() else max(0.5, loose))


def test_head_pose_is_within_the_last_digit_on_average(pair):
    assert difference(pair, "pose_T.").mean() <= 0.1
    assert difference(pair, "pose_R.").mean() <= 0.001


def test_shape_parameters_are_within_a_hundredth_of_their_deviation(shared, pair):
    deviations = np.sqrt(PDM.from_file(shared / PDM_FILE).eigenvalues)
    gap = difference(pair, r"p_\d+").mean(axis=0) / deviations
    assert gap.mean() <= 0.01
    assert gap.max() <= (0.01 if len(pair[0]) >= 30 else 0.02)  # single faces average nothing out
    assert difference(pair, "p_scale|p_r.").mean() <= 0.001
    assert difference(pair, "p_t.").mean() <= 0.1


def test_presences_of_action_units_are_the_references(pair):
    others = difference(pair, "AU.*_c") != 0
    assert others.sum() <= max(1, 0.02 * others.size)  # of a still one may lie at its threshold


@pytest.mark.parametrize("pair", each_file(sample2=ONE_FACE_APART), indirect=True)
def test_intensities_of_action_units_are_the_references(pair):
    assert difference(pair, "AU.*_r").mean() <= 0.03


@pytest.mark.parametrize("name", PROGRAMS)
def test_reference_file_is_reproduced_byte_by_byte_from_its_numbers(shared, tmp_path, name):
    table = read_openface_csv(gold_csv(shared, name))
    write_openface_csv(table, tmp_path / "again.csv", PROGRAMS[name])
    with gzip.open(gold_csv(shared, name), "rb") as stream:
        assert (tmp_path / "again.csv").read_bytes() == stream.read()


def test_several_faces_are_those_of_the_reference(shared, written):
    ours, gold = (
        read_openface_csv(written("multi_face", ".csv")),
        read_openface_csv(gold_csv(shared, "multi_face")),
    )
    both = ours.merge(gold, on=["frame", "face_id"], suffixes=("", "_gold"))
    # The tracks of lost faces part, among builds of the reference too; see pyclnf/tests/gold_tracks.py.
    builds = noise()["multi_face"]["rows"]
    assert (both["success"] != both["success_gold"]).mean() <= MARGIN * worst(builds, "other_success")
    assert 1 - len(both) / max(len(ours), len(gold)) <= MARGIN * worst(builds, "other_rows")

    def gap(pattern: str, rows: pd.DataFrame) -> np.ndarray:
        names = [name for name in gold.columns if re.fullmatch(pattern, name)]
        return np.abs(rows[names].to_numpy() - rows[[f"{name}_gold" for name in names]].to_numpy())

    tracked = both[(both["success"] == 1) & (both["success_gold"] == 1)]
    assert gap(r"[xy]_\d+", tracked).mean() <= MARGIN * worst(builds, "landmarks")
    assert np.median(gap(r"[xy]_\d+", tracked)) <= 0.05
    assert gap("gaze_.*", tracked).mean() <= 0.01
    assert gap("AU.*_r", tracked).mean() <= 0.05
    assert (gap("AU.*_c", tracked) == 0).mean() >= 0.98
    # The reference has no gaze where a face is being lost, but action units and eyes.
    lost = both[(both["success"] == 0) & (both["success_gold"] == 0)]
    assert len(lost) > 100
    assert not gap("gaze_.*", lost).any()
    assert np.median(gap("AU.*_r", lost)) <= 0.05
    assert np.median(gap(r"eye_lmk_[xy]_\d+", lost)) <= 0.2


def test_hog_file_has_the_references_structure_and_nearly_its_values(shared, written):
    ours, gold = written("changeLighting", ".hog"), shared / "gold/cli/changeLighting.hog"
    assert ours.stat().st_size == gold.stat().st_size
    record = 16 + 4 * 4464
    with ours.open("rb") as a, gold.open("rb") as b:
        heads = [
            [struct.unpack("<iiif", data[start : start + 16]) for start in range(0, len(data), record)]
            for data in (a.read(), b.read())
        ]
    assert heads[0] == heads[1]
    gap = np.abs(read_hog(ours).features - read_hog(gold).features)
    assert gap.mean() <= 5e-3
    assert np.percentile(gap, 99) <= 0.05


def test_hog_reader_agrees_with_the_references_stored_descriptors(shared):
    folder = shared / "gold/video/clnf/changeLighting"
    features = read_hog(shared / "gold/cli/changeLighting.hog").features
    stored = np.load(folder / "hog.npy").reshape(-1, 12, 12, 31)
    for (index, rows, columns), expected in zip(
        np.load(folder / "hog_frame.npy").astype(int), stored, strict=True
    ):
        assert (rows, columns) == (12, 12)
        np.testing.assert_allclose(features[index], expected, atol=1e-6)


@pytest.mark.parametrize("name", ["changeLighting", "default"])
def test_aligned_faces_are_nearly_the_references(shared, written, name):
    for file in sorted((shared / "gold/video/clnf" / name).glob("aligned_*.png")):
        index = int(file.stem.removeprefix("aligned_"))
        ours = cv2.imread(str(written(name, "_aligned") / f"frame_det_00_{index + 1:06d}.bmp"))
        gap = np.abs(ours.astype(int) - cv2.imread(str(file)))
        assert gap.mean() <= 1
        assert (gap > 8).mean() <= 0.01


@pytest.mark.parametrize("name", ["changeLighting", "default", "2015-10-15-15-14", "image_sequence"])
def test_details_are_the_references_but_for_folders(shared, written, name):
    def lines(path: Path) -> list[str]:
        kept = (line for line in path.read_text().splitlines() if not line.startswith("Output video"))
        return [re.sub(r"^(Input[^:]*:).*[/>]", r"\1", line) for line in kept]

    ours = lines(written(name, "_of_details.txt"))
    gold = lines(shared / "gold/cli" / f"{name}_of_details.txt")
    # The reference was run without -simalign on the videos.
    assert [line for line in ours if "aligned" not in line] == [
        line for line in gold if "aligned" not in line
    ]
