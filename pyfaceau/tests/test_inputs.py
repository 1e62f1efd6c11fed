"""What an input is taken for, and where its result goes, before any work."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from pyfaceau import InputWarning, VideoError
from pyfaceau.cli.app import app
from pyfaceau.cli.jobs import baseline_argument, plan_jobs
from pyfaceau.inputs import check_sequence, find_inputs, images_in, is_numbered
from pyfaceau.video import ImageFolder


def image(path: Path, width: int = 40, level: int = 90) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), np.full((30, width, 3), level, np.uint8))
    return path


def video(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"a video, for all that its name says")
    return path


def kinds(*paths: Path, images_as="auto") -> list[tuple[str, str]]:
    return [(each.kind, each.name.as_posix()) for each in find_inputs(paths, images_as)]


def test_numbered_images_of_one_size_are_a_sequence(tmp_path):
    for number in (1, 2, 10, 3, 4, 5, 6, 7, 8, 9):
        image(tmp_path / f"img{number}.png")
    assert kinds(tmp_path) == [("sequence", tmp_path.name)]
    assert [path.name for path in images_in(tmp_path)] == [f"img{n}.png" for n in range(1, 11)]
    assert kinds(tmp_path, images_as="photos") == [("photos", tmp_path.name)]


def test_images_come_in_the_order_of_their_numbers(tmp_path):
    for number in (1, 2, 10):
        image(tmp_path / f"img{number}.png", level=10 * number)
    assert [int(frame.image[0, 0, 0]) for frame in ImageFolder(tmp_path)] == [10, 20, 100]


@pytest.mark.parametrize("names", [("anna", "berta"), ("a1", "a2", "a4"), ("a1", "b2"), ("only1",)])
def test_images_that_are_not_numbered_evenly_are_photographs(tmp_path, names):
    for name in names:
        image(tmp_path / f"{name}.png")
    assert kinds(tmp_path) == [("photos", tmp_path.name)]
    assert kinds(tmp_path, images_as="sequence") == [("sequence", tmp_path.name)]


def test_numbered_images_of_several_sizes_are_photographs(tmp_path):
    files = [image(tmp_path / "a1.png", 40), image(tmp_path / "a2.png", 50)]
    assert not is_numbered(files)
    (found,) = find_inputs([tmp_path])
    assert "are taken for single photographs (--as sequence to change that)" in found.remark


def test_single_images_share_one_table_and_videos_have_their_own(tmp_path):
    files = [image(tmp_path / "b.jpg"), video(tmp_path / "clip.mp4"), image(tmp_path / "a.png")]
    assert kinds(*files) == [("video", "clip"), ("photos", "photos")]
    assert kinds(files[0]) == [("photos", "b")]
    with pytest.raises(VideoError, match="give the folder"):
        find_inputs(files, "sequence")


def test_folder_with_images_and_videos_is_not_read_by_half(tmp_path):
    image(tmp_path / "a.png")
    video(tmp_path / "clip.mp4")
    with pytest.raises(VideoError, match="holds 1 image and 1 video; name the videos, or say with --as"):
        find_inputs([tmp_path])
    with pytest.warns(InputWarning, match="1 video beside the images passed over"):
        assert kinds(tmp_path, images_as="photos") == [("photos", tmp_path.name)]


def test_folder_of_videos_keeps_its_tree(tmp_path):
    for name in ("s1/rest.mp4", "s1/task.avi", "s2/rest.mp4", "top.MOV"):
        video(tmp_path / name)
    image(tmp_path / "s3/f1.png")
    image(tmp_path / "s3/f2.png")
    (tmp_path / "s1/notes.txt").touch()
    assert kinds(tmp_path) == [
        ("video", "top"), ("video", "s1/rest"), ("video", "s1/task"), ("video", "s2/rest"), ("sequence", "s3"),
    ]  # fmt: skip
    targets = [
        job.target.relative_to(tmp_path / "out") for job in plan_jobs([tmp_path], tmp_path / "out").jobs
    ]
    assert [path.as_posix() for path in targets] == [
        "top.csv", "s1/rest.csv", "s1/task.csv", "s2/rest.csv", "s3.csv",
    ]  # fmt: skip


def test_same_names_in_different_folders_are_told_apart_by_their_folders(tmp_path):
    files = [video(tmp_path / name) for name in ("s1/rest.mp4", "s2/rest.mp4")]
    jobs = plan_jobs(files, tmp_path / "out").jobs
    assert [job.target.relative_to(tmp_path).as_posix() for job in jobs] == [
        "out/s1/rest.csv",
        "out/s2/rest.csv",
    ]


def test_folder_with_nothing_in_it_is_named(tmp_path):
    with pytest.raises(typer.BadParameter, match="holds no videos and no images"):
        plan_jobs([tmp_path], tmp_path / "out")


def test_results_that_are_there_are_skipped_or_asked_about(tmp_path):
    files = [video(tmp_path / "a.mp4"), video(tmp_path / "b.mp4")]
    (tmp_path / "out").mkdir()
    (tmp_path / "out/a.csv").write_text("an hour's work")
    plan = plan_jobs(files, tmp_path / "out")
    assert [job.target.name for job in plan.jobs] == ["b.csv"]
    assert [path.name for path in plan.skipped] == ["a.csv"]
    assert len(plan_jobs(files, tmp_path / "out", force=True).jobs) == 2
    with pytest.raises(typer.BadParameter, match="is there already; --force writes it anew"):
        plan_jobs(files[:1], tmp_path / "out/a.csv")
    with pytest.raises(typer.BadParameter, match="others are not; --force"):
        plan_jobs(files, tmp_path / "out", same_person=True)


def test_existing_results_end_the_command_before_models_are_loaded(tmp_path):
    clip = video(tmp_path / "a.mp4")
    (tmp_path / "a.csv").write_text("an hour's work")
    result = CliRunner().invoke(app, ["extract", str(clip), "-o", str(tmp_path), "--models", "nowhere"])
    assert result.exit_code == 0
    assert "is there already, skipped (--force writes it anew)" in result.output
    assert (tmp_path / "a.csv").read_text() == "an hour's work"


def test_photographs_have_no_openface_table(tmp_path):
    with pytest.raises(typer.BadParameter, match="pyfaceau openface -f PHOTO"):
        plan_jobs([image(tmp_path / "a.png")], tmp_path / "out", format="openface")


@pytest.mark.parametrize(
    ("text", "expected"),
    [("1:90", (1, 90)), ("rest.mp4", Path("rest.mp4")), (None, None), ("a:b", Path("a:b"))],
)
def test_baseline_is_a_file_or_frames(text, expected):
    assert baseline_argument(text) == expected


def test_images_as_a_sequence_in_python_are_doubted_aloud(tmp_path):
    image(tmp_path / "anna.png")
    image(tmp_path / "berta.png")
    with pytest.warns(InputWarning, match="use process_images if they are photographs"):
        check_sequence(tmp_path)
    with pytest.raises(VideoError, match="single image"):
        check_sequence(tmp_path / "anna.png")


@pytest.mark.parametrize(
    "command", [(), ("extract",), ("openface",), ("models",), ("models", "install"), ("demo",), ("live",)]
)
def test_h_shows_the_help_of_every_command(command):
    result = CliRunner().invoke(app, [*command, "-h"], terminal_width=120)
    assert result.exit_code == 0
    assert "Usage:" in result.output


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--rotate", "45"), "rotate must be one of auto, 0, 90"),
        (("--as", "films"), "must be sequence or photos"),
    ],
)
def test_choices_that_do_not_exist_are_wrong_usage(tmp_path, arguments, reason):
    result = CliRunner().invoke(app, ["extract", "a.mp4", "-o", str(tmp_path), *arguments])
    assert result.exit_code == 2
    assert reason in " ".join(result.output.replace("│", " ").split())
