"""`pyfaceau openface`: the command as a whole, with OpenFace's models where they are."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from pyclnf.models import OPEN_FOLDER
from pyfaceau import MissingColumnsWarning
from pyfaceau.cli.app import app
from pyfaceau.demo import DEMO_CLIP
from pyfaceau.output import read_hog, read_openface_csv

MODEL = "model/main_clnf_general.txt"


class Command(NamedTuple):
    """The command with a set of models, and what it is run on."""

    models: tuple[str, ...]
    video: Path
    group: Path
    faces: int

    def __call__(self, *arguments: object):
        return CliRunner().invoke(app, ["openface", *map(str, arguments), *self.models, "-q"])


@pytest.fixture(params=["open", "openface"])
def run(request, tmp_path_factory) -> Command:
    """With the open models and the demo clip; with OpenFace's and its media where they are."""
    if request.param == "openface":
        shared = request.getfixturevalue("shared")
        models = ("--models", str(shared / "openface"), "-mloc", MODEL)
        return Command(models, shared / "media/default.wmv", shared / "media/sample2.jpg", 3)
    group = tmp_path_factory.mktemp("group") / "group.jpg"
    frame = cv2.VideoCapture(str(DEMO_CLIP)).read()[1]
    cv2.imwrite(str(group), np.hstack([frame, frame]))
    return Command(("--models", "open"), DEMO_CLIP, group, 2)


def first_frames(source: Path, target: Path, count: int) -> Path:
    """Store the first frames of a video as a folder of images."""
    target.mkdir()
    capture = cv2.VideoCapture(str(source))
    for number in range(count):
        cv2.imwrite(str(target / f"{number:03d}.png"), capture.read()[1])
    return target


def names_in(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def test_wrong_usage_has_status_2_and_names_the_option():
    result = CliRunner().invoke(app, ["openface", "-f", "clip.avi", "-sigma", "2"])
    assert result.exit_code == 2
    assert "-sigma is not supported" in " ".join(result.output.replace("│", " ").split())


def test_help_is_shown_and_hog_is_not_mistaken_for_it():
    assert "FeatureExtraction" in CliRunner().invoke(app, ["openface", "--help"]).output
    result = CliRunner().invoke(app, ["openface", "-hogalign"])
    assert result.exit_code == 2
    assert "no input" in result.output


def test_all_outputs_of_a_sequence_stand_under_openfaces_names(run, tmp_path):
    frames = first_frames(run.video, tmp_path / "clip", 6)
    result = run("FeatureExtraction", "-fdir", frames, "-out_dir", tmp_path / "out", "-verbose")
    assert result.exit_code == 0, result.output
    assert "warning: -verbose has no effect" in result.output
    out = tmp_path / "out"
    assert names_in(out) == [
        "clip.avi", "clip.csv", "clip.csv.json", "clip.hog", "clip_aligned", "clip_of_details.txt",
    ]  # fmt: skip
    table = read_openface_csv(out / "clip.csv")
    assert table.shape == (6, 714)
    assert table["success"].all()
    assert read_hog(out / "clip.hog").features.shape == (6, 12, 12, 31)
    assert names_in(out / "clip_aligned") == [f"frame_det_00_{n:06d}.bmp" for n in range(1, 7)]
    assert cv2.imread(str(out / "clip_aligned" / "frame_det_00_000004.bmp")).shape == (112, 112, 3)
    assert cv2.VideoCapture(str(out / "clip.avi")).get(cv2.CAP_PROP_FRAME_COUNT) == 6
    assert "Output aligned directory:clip_aligned\n" in (out / "clip_of_details.txt").read_text()


def test_only_what_is_asked_for_is_written_with_the_given_camera(run, tmp_path):
    frames = first_frames(run.video, tmp_path / "clip", 2)
    for fx in (500, 1000):
        result = run(
            "-fdir", frames, "-out_dir", tmp_path, "-of", f"f{fx}", "-pose", "-tracked",
            "-fx", fx, "-fy", fx, "-cx", 320, "-cy", 240,
        )  # fmt: skip
        assert result.exit_code == 0, result.output
    assert names_in(tmp_path) == ["clip"] + [
        f"f{fx}{end}" for fx in (1000, 500) for end in (".avi", ".csv", ".csv.json", "_of_details.txt")
    ]
    near, far = (read_openface_csv(tmp_path / f"f{fx}.csv") for fx in (500, 1000))
    assert list(near.columns)[5:] == [f"pose_{kind}{axis}" for kind in "TR" for axis in "xyz"]
    np.testing.assert_allclose(far["pose_Tz"] / near["pose_Tz"], 2, atol=0.1)
    assert "Camera parameters:1000,1000,320,240\n" in (tmp_path / "f1000_of_details.txt").read_text()


def test_size_and_colour_of_aligned_faces_follow_the_options(run, tmp_path):
    frames = first_frames(run.video, tmp_path / "clip", 1)
    options = ("-simalign", "-simsize", 60, "-nomask", "-g", "-format_aligned", "png")
    result = run("-fdir", frames, "-out_dir", tmp_path / "out", *options)
    assert result.exit_code == 0, result.output
    image = cv2.imread(str(tmp_path / "out/clip_aligned/frame_det_00_000001.png"), cv2.IMREAD_UNCHANGED)
    assert image.shape == (60, 60)
    assert (image > 0).mean() > 0.95


def test_single_image_gives_one_row_a_face(run, tmp_path):
    result = run("-f", run.group, "-out_dir", tmp_path)
    assert result.exit_code == 0, result.output
    name = run.group.stem
    assert names_in(tmp_path) == [
        f"{name}.csv", f"{name}.hog", f"{name}.jpg", f"{name}_aligned", f"{name}_of_details.txt",
    ]  # fmt: skip
    assert read_openface_csv(tmp_path / f"{name}.csv").shape == (run.faces, 711)
    assert len(read_hog(tmp_path / f"{name}.hog").features) == run.faces
    assert names_in(tmp_path / f"{name}_aligned") == [f"face_det_{n:06d}.bmp" for n in range(run.faces)]
    drawn, image = cv2.imread(str(tmp_path / f"{name}.jpg")), cv2.imread(str(run.group))
    assert drawn.shape == image.shape
    assert (np.abs(drawn.astype(int) - image).max(axis=2) > 100).sum() > 1000


def test_image_without_a_face_has_no_table(run, tmp_path):
    cv2.imwrite(str(tmp_path / "wall.png"), np.full((200, 200, 3), 90, np.uint8))
    result = run("-f", tmp_path / "wall.png", "-out_dir", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert "no face" in result.output
    assert names_in(tmp_path / "out") == ["wall.hog", "wall_of_details.txt"]


def test_input_that_fails_is_named_and_the_others_go_on(run, tmp_path):
    (tmp_path / "broken.avi").write_text("not a video")
    frames = first_frames(run.video, tmp_path / "clip", 2)
    result = run("-f", tmp_path / "broken.avi", "-fdir", frames, "-out_dir", tmp_path / "out", "-pose")
    assert result.exit_code == 1
    assert "broken.avi: not a video" in result.output
    assert names_in(tmp_path / "out") == ["clip.csv", "clip.csv.json", "clip_of_details.txt"]


def test_several_faces_of_a_video_have_a_row_each(run, tmp_path):
    folder = tmp_path / "group"
    folder.mkdir()
    for number in range(2):
        shutil.copy(run.group, folder / f"{number}.jpg")
    result = run("FaceLandmarkVidMulti", "-fdir", folder, "-out_dir", tmp_path / "out", "-pose", "-aus")
    assert result.exit_code == 0, result.output
    table = read_openface_csv(tmp_path / "out/group.csv")
    assert table.groupby("frame").size().tolist() == [run.faces] * 2


def test_frames_before_a_failure_are_kept_beside_the_table(run, tmp_path):
    folder = first_frames(run.video, tmp_path / "clip", 3)
    (folder / "001.png").write_text("no image")
    result = run("-fdir", folder, "-out_dir", tmp_path / "out", "-pose", "-hogalign")
    assert result.exit_code == 1
    assert "001.png" in result.output
    assert len(read_openface_csv(tmp_path / "out/clip.partial.csv")) == 1
    assert "clip.csv" not in names_in(tmp_path / "out")


@pytest.mark.parametrize(
    ("option", "value", "complaint"),
    [("--dialect", "swiss", "--dialect must be"), ("--timestamps", "wrong", "timestamps")],
)
def test_what_pyfaceau_adds_to_the_command_is_checked(run, tmp_path, option, value, complaint):
    folder = first_frames(run.video, tmp_path / "clip", 1)
    result = run("-fdir", folder, "-out_dir", tmp_path / "out", option, value)
    assert result.exit_code == 2
    assert re.search(complaint, result.output)


def test_gaze_that_the_models_cannot_give_is_left_out_with_a_warning(tmp_path):
    shutil.copytree(OPEN_FOLDER, tmp_path / "eyeless", ignore=shutil.ignore_patterns("eyes*"))
    landmarks = str(tmp_path / "eyeless/main_ceclm_general.txt")
    folder = first_frames(DEMO_CLIP, tmp_path / "face", 3)
    options = ("-fdir", str(folder), "-out_dir", str(tmp_path), "-gaze", "-pose", "--models", "open")
    with pytest.warns(MissingColumnsWarning, match="have no eye models"):
        result = CliRunner().invoke(app, ["openface", *options, "-mloc", landmarks])
    assert result.exit_code == 0, result.output
    header = (tmp_path / "face.csv").read_text().splitlines()[0]
    assert "pose_Tx" in header
    assert "gaze" not in header
