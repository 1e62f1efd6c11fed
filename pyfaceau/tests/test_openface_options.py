"""OpenFace's command lines, and what is understood of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyfaceau.cli.openface_options import OptionError, parse_options
from pyfaceau.output import GROUPS


def parse(line: str):
    return parse_options(line.split())


def outputs_of(line: str) -> list[tuple[str, str]]:
    return [(str(entry.folder), entry.name) for entry in parse(line).inputs]


def test_everything_is_written_if_nothing_is_asked_for():
    options = parse("-f clip.avi")
    assert options.groups == GROUPS
    assert (options.hog, options.aligned, options.tracked) == (True, True, True)


@pytest.mark.parametrize(
    ("flags", "groups"),
    [
        ("-pose", ("pose",)),
        ("-aus -gaze", ("gaze", "eye_landmarks", "aus")),
        ("-pdmparams -3Dfp -2Dfp", ("landmarks", "landmarks_3d", "pdm")),
        ("-hogalign", ()),
    ],
)
def test_flags_choose_the_columns_and_nothing_else(flags, groups):
    options = parse(f"-f clip.avi {flags}")
    assert options.groups == groups
    assert (options.hog, options.aligned, options.tracked) == (flags == "-hogalign", False, False)


def test_outputs_go_where_openface_puts_them(tmp_path):
    assert outputs_of("-f some/clip.one.avi") == [("processed", "clip.one")]
    assert outputs_of("-f some/clip.avi -out_dir out") == [("out", "clip")]
    assert outputs_of("-f some/clip.avi -of named.csv") == [("processed", "named")]
    assert outputs_of("-f some/clip.avi -of deep/named -out_dir out") == [("out/deep", "named")]
    assert outputs_of("-f some/clip.avi -out_dir .") == [(".", "clip")]
    assert outputs_of("-f some/clip.avi -of ./named") == [(".", "named")]
    assert outputs_of("-f some/clip.avi -out_dir . -of named.csv") == [(".", "named")]
    assert outputs_of("-f some/clip.avi -ofdir old") == [("old", "clip")]
    (tmp_path / "sequence").mkdir()
    assert outputs_of(f"-fdir {tmp_path}/sequence/ -out_dir out") == [("out", "sequence")]


def test_several_inputs_take_their_names_in_turn():
    line = "-f a.avi -of first -f b.avi -out_dir out -f c.avi -of second"
    assert outputs_of(line) == [("out", "first"), ("out", "second"), ("out", "c")]
    assert [entry.path for entry in parse("-root films -f a.avi -f b.avi").inputs] == [
        Path("films/a.avi"),
        Path("films/b.avi"),
    ]


def test_program_is_named_or_guessed_from_the_input():
    programs = [entry.program for entry in parse("-f clip.avi -f photo.JPG -fdir frames").inputs]
    assert programs == ["FeatureExtraction", "FaceLandmarkImg", "FeatureExtraction"]
    for name in ("FaceLandmarkVidMulti", "bin/FaceLandmarkVidMulti", "FaceLandmarkVidMulti.exe"):
        assert parse(f"{name} -f clip.avi").inputs[0].program == "FaceLandmarkVidMulti"


def test_folder_of_single_images_is_taken_image_by_image(tmp_path):
    for name in ("b.png", "a.jpg", "notes.txt"):
        (tmp_path / name).touch()
    entries = parse(f"FaceLandmarkImg -fdir {tmp_path} -out_dir out").inputs
    assert [(entry.path.name, entry.name) for entry in entries] == [("a.jpg", "a"), ("b.png", "b")]
    with pytest.raises(OptionError, match="one output for the 2 images"):
        parse(f"FaceLandmarkImg -fdir {tmp_path} -of named")
    (tmp_path / "empty").mkdir()
    with pytest.raises(OptionError, match="holds no images"):
        parse(f"FaceLandmarkImg -fdir {tmp_path}/empty")
    with pytest.raises(OptionError, match="cannot be read"):
        parse(f"FaceLandmarkImg -fdir {tmp_path}/none")


def test_settings_are_taken_over():
    options = parse(
        "-f clip.avi -simsize 200 -simscale 1.5 -nomask -g -nobadaligned -format_aligned png -oc MJPG "
        "-au_static -fx 500 -fy 510.5 -cx -3 -cy 240 -mloc model/main_clnf_general.txt -q"
    )
    assert (options.sim_size, options.sim_scale) == (200, 1.5)
    assert (options.mask, options.grey, options.bad_aligned) == (False, True, False)
    assert (options.aligned_format, options.codec, options.au_static) == ("png", "MJPG", True)
    assert (options.fx, options.fy, options.cx, options.cy) == (500, 510.5, -3, 240)
    assert (options.landmarks, options.quiet, options.warnings) == ("clnf", True, ())


def test_model_file_that_exists_is_used_itself(tmp_path):
    (tmp_path / "main_clnf_general.txt").touch()
    assert parse(f"-f clip.avi -mloc {tmp_path}/main_clnf_general.txt").landmarks == str(
        tmp_path / "main_clnf_general.txt"
    )
    with pytest.raises(OptionError, match=r"-mloc model/main_clm\.txt: no such file"):
        parse("-f clip.avi -mloc model/main_clm.txt")


def test_options_without_effect_and_unknown_ones_are_warned_of():
    options = parse("-vis-track -f clip.avi -world_coord 1 -frobnicate -pose")
    assert options.groups == ("pose",)
    assert [warning.split()[0] for warning in options.warnings] == [
        "-vis-track",
        "-world_coord",
        "-frobnicate",
    ]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("", "no input"),
        ("-aus", "no input"),
        ("-f", "-f needs a value"),
        ("clip.avi", "none of the programs"),
        ("-f clip.avi -fx wide", "-fx needs a number, not 'wide'"),
        ("-f clip.avi -simsize 0", "-simsize must be positive"),
        ("-f clip.avi -simsize 1.5", "-simsize needs a number, not '1.5'"),
        ("-f clip.avi -format_aligned gif", "must be bmp, png, jpg, not 'gif'"),
        ("-f clip.avi -oc H265X", "codec of four characters"),
        ("-device 0", "-device is not supported: use `pyfaceau live`"),
        ("-f clip.avi -sigma 2", "-sigma is not supported"),
        ("-f clip.avi -of a -of b", "2 -of for 1 inputs"),
        ("-f a/clip.avi -f b/clip.avi", "would both be written"),
    ],
)
def test_lines_that_cannot_be_honoured_are_refused(line, reason):
    with pytest.raises(OptionError, match=reason):
        parse(line)


def test_option_of_videos_that_the_reference_overrides_is_accepted():
    assert parse("-f clip.avi -multi_view 1").warnings == ()
    assert parse("-f photo.jpg -multi_view 0").warnings == ()


@pytest.mark.parametrize(
    ("line", "wild", "multi_view"),
    [
        ("-f photo.jpg", False, False),
        ("-f photo.jpg -multi_view 1", False, True),
        ("-f photo.jpg -wild", True, True),
        ("-f clip.avi -wild", True, True),
    ],
)
def test_settings_for_difficult_images(line, wild, multi_view):
    options = parse(line)
    assert (options.wild, options.multi_view) == (wild, multi_view)


def test_order_of_images_that_differs_from_openfaces_is_said(tmp_path):
    for number in (1, 2, 10):
        (tmp_path / f"img{number}.png").touch()
    assert any("img10 before img2" in text for text in parse(f"-fdir {tmp_path}").warnings)
    (tmp_path / "img10.png").unlink()
    assert not parse(f"-fdir {tmp_path}").warnings
