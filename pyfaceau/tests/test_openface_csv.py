"""CSV files in OpenFace's own digits, and reading them."""

from __future__ import annotations

import gzip
import json

import numpy as np
import pandas as pd
import pytest
from made_up_results import INTENSITIES, PRESENCES, made_up_result

import pyfaceau
from pyfaceau.errors import ResultFileError
from pyfaceau.output import ResultTable, image_table, read_openface_csv, write_openface_csv


def table_of(include="openface", frames=3) -> pd.DataFrame:
    table = ResultTable(include, INTENSITIES, PRESENCES, gaps="openface")
    for number in range(1, frames + 1):
        table.append(made_up_result(number))
    return table.to_dataframe(np.full((frames, 17), 1.234), np.ones((frames, 18)))


def fields_of(path, line=1) -> dict[str, str]:
    lines = path.read_bytes().decode("ascii").split("\n")
    return dict(zip(lines[0].split(", "), lines[line].split(", "), strict=True))


def test_every_column_has_openfaces_decimals(tmp_path):
    write_openface_csv(table_of(), tmp_path / "clip.csv")
    fields = fields_of(tmp_path / "clip.csv", 2)
    assert [fields[name] for name in ("frame", "face_id", "timestamp", "confidence", "success")] == [
        "2", "0", "0.033", "0.98", "1",
    ]  # fmt: skip
    decimals = {name: len(text.partition(".")[2]) for name, text in fields.items()}
    for names, expected in (
        (("gaze_0_x", "gaze_1_z"), 6),
        (("gaze_angle_x", "gaze_angle_y"), 3),
        (("eye_lmk_x_0", "eye_lmk_Z_55"), 1),
        (("pose_Tx", "pose_Tz"), 1),
        (("pose_Rx", "pose_Rz"), 3),
        (("x_0", "y_67", "X_0", "Z_67"), 1),
        (("p_scale", "p_rx", "p_ty", "p_0", "p_33"), 3),
        (("AU01_r", "AU45_r", "AU01_c", "AU28_c"), 2),
    ):
        assert {name: decimals[name] for name in names} == dict.fromkeys(names, expected)
    assert (fields["AU45_r"], fields["AU28_c"]) == ("1.23", "1.00")


def test_lines_are_separated_as_openface_does(tmp_path):
    write_openface_csv(table_of(("pose",)), tmp_path / "clip.csv")
    data = (tmp_path / "clip.csv").read_bytes()
    assert data.startswith(b"frame, face_id, timestamp, confidence, success, pose_Tx, pose_Ty,")
    assert data.splitlines()[1] == b"1, 0, 0.000, 0.98, 1, 1.5, -2.5, 400.0, 0.050, -0.040, 0.030"
    assert data.endswith(b"\n")
    assert b"\r" not in data


def test_numbers_are_rounded_from_single_precision_half_to_even(tmp_path):
    table = table_of(("pose",), 1)
    table.loc[0, ["confidence", "pose_Tx", "pose_Ty", "pose_Tz", "pose_Rx"]] = [
        0.975,
        0.25,
        0.45,
        -0.04,
        2.0005,
    ]
    write_openface_csv(table, tmp_path / "clip.csv")
    fields = fields_of(tmp_path / "clip.csv")
    # In single precision 0.975 lies above the decimal number and 0.45 below, in double precision the other
    # way round; 0.25 is exact.
    assert [fields[n] for n in ("confidence", "pose_Tx", "pose_Ty", "pose_Tz", "pose_Rx")] == [
        "0.98", "0.2", "0.4", "-0.0", "2.000",
    ]  # fmt: skip


def test_what_is_not_known_is_written_as_zero(tmp_path):
    table = ResultTable("openface")
    table.append(made_up_result(1, success=False, seen=False))
    none = np.empty((1, 0))
    write_openface_csv(table.to_dataframe(none, none), tmp_path / "clip.csv")
    read = read_openface_csv(tmp_path / "clip.csv")
    assert (read.drop(columns=["frame", "confidence"]) == 0).all(axis=None)


def test_single_images_have_their_own_head_and_digits(tmp_path):
    table = image_table([made_up_result(face_id=0), made_up_result(face_id=1)], "openface")
    write_openface_csv(table, tmp_path / "photo.csv", "FaceLandmarkImg")
    header = (tmp_path / "photo.csv").read_text().split(", ")
    assert header[:3] == ["face", "confidence", "gaze_0_x"]
    fields = fields_of(tmp_path / "photo.csv", 2)
    assert len(fields) == 711
    assert (fields["face"], fields["confidence"]) == ("1", "0.975")
    assert fields["AU28_c"] in ("0.0", "1.0")
    assert len(fields["AU45_r"].partition(".")[2]) == 2


def test_several_faces_have_presences_without_a_final_pass(tmp_path):
    write_openface_csv(table_of(), tmp_path / "clip.csv", "FaceLandmarkVidMulti")
    fields = fields_of(tmp_path / "clip.csv")
    assert (fields["confidence"], fields["AU28_c"], fields["AU45_r"]) == ("0.98", "1.0", "1.23")


def test_written_file_reads_back_into_the_same_table(tmp_path):
    table = table_of()
    write_openface_csv(table, tmp_path / "clip.csv")
    read = pyfaceau.read_openface_csv(tmp_path / "clip.csv")
    assert list(read.columns) == list(table.columns)
    assert list(read.dtypes) == list(table.dtypes)
    assert float((read - table).abs().max(axis=None)) <= 0.0501
    write_openface_csv(read, tmp_path / "again.csv")
    assert (tmp_path / "again.csv").read_bytes() == (tmp_path / "clip.csv").read_bytes()


def test_long_table_is_written_whole(tmp_path):
    table = pd.concat([table_of(("aus",), 2)] * 1500, ignore_index=True)
    table["frame"] = np.arange(1, 3001)
    write_openface_csv(table, tmp_path / "clip.csv")
    assert read_openface_csv(tmp_path / "clip.csv")["frame"].tolist() == list(range(1, 3001))


def test_origin_is_written_beside_the_file(tmp_path):
    table = table_of(("pose",))
    table.attrs["models"] = "openface"
    write_openface_csv(table, tmp_path / "clip.csv")
    assert json.loads((tmp_path / "clip.csv.json").read_text()) == {"models": "openface"}


def test_columns_that_openface_has_not_are_refused(tmp_path):
    table = table_of(("pose",))
    table["mood"] = 1.0
    with pytest.raises(ValueError, match="no column 'mood'"):
        write_openface_csv(table, tmp_path / "clip.csv")
    with pytest.raises(ValueError, match="begin with frame, face_id"):
        write_openface_csv(table.drop(columns="success"), tmp_path / "clip.csv")
    with pytest.raises(ValueError, match="program must be one of"):
        write_openface_csv(table, tmp_path / "clip.csv", "FeatureExtractor")
    assert list(tmp_path.iterdir()) == []


def test_gzipped_file_and_missing_blanks_are_understood(tmp_path):
    with gzip.open(tmp_path / "clip.csv.gz", "wt") as stream:
        stream.write("frame,face_id,timestamp, confidence, success,pose_Tx\n1,0, 0.000,0.98,1,-nan\n")
    read = read_openface_csv(tmp_path / "clip.csv.gz")
    assert list(read.columns) == ["frame", "face_id", "timestamp", "confidence", "success", "pose_Tx"]
    assert read["frame"].dtype == np.int64
    assert np.isnan(read.loc[0, "pose_Tx"])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "line 1: not the header"),
        ("a, b\n1, 2\n", "line 1: not the header"),
        ("frame, confidence, confidence\n", "line 1: a column appears twice"),
        (
            "frame, confidence, success\n1, 0.98, 1\n2, 0.9",
            r"line 3: 2 values under 3 columns \(cut short\?\)",
        ),
        ("frame, confidence, success\n1, 0.98, 1, 7\n", "line 2: 4 values under 3 columns"),
        ("frame, confidence, success\n1, much, 1\n", "holds something that is not a number"),
    ],
)
def test_damaged_file_is_refused_with_place_and_reason(tmp_path, text, reason):
    (tmp_path / "clip.csv").write_text(text)
    with pytest.raises(ResultFileError, match=rf"clip\.csv: {reason}"):
        read_openface_csv(tmp_path / "clip.csv")


def test_files_that_cannot_be_read_are_named(tmp_path):
    (tmp_path / "clip.csv.gz").write_text("not gzipped")
    for name in ("none.csv", "clip.csv.gz"):
        with pytest.raises(ResultFileError, match=rf"{name}: cannot be read"):
            read_openface_csv(tmp_path / name)


def test_values_may_be_separated_by_commas_alone(tmp_path):
    table = table_of()
    for dialect in ("spaced", "compact"):
        write_openface_csv(table, tmp_path / f"{dialect}.csv", dialect=dialect)
    spaced, compact = ((tmp_path / f"{name}.csv").read_text() for name in ("spaced", "compact"))
    assert spaced.startswith("frame, face_id, ")
    assert compact.startswith("frame,face_id,")
    assert compact == spaced.replace(", ", ",")
    read = (read_openface_csv(tmp_path / f"{name}.csv") for name in ("spaced", "compact"))
    pd.testing.assert_frame_equal(*(table.drop(columns=[]) for table in read))
    with pytest.raises(ValueError, match="dialect must be one of spaced, compact"):
        write_openface_csv(table, tmp_path / "other.csv", dialect="tabs")


def test_gaps_of_our_own_tables_are_zeros_in_openfaces_format(tmp_path):
    table = ResultTable(("aus",), INTENSITIES, PRESENCES)
    table.append(made_up_result(1, success=False))
    empty = table.to_dataframe(np.full((1, 17), np.nan), np.full((1, 18), np.nan))
    write_openface_csv(empty, tmp_path / "clip.csv")
    fields = fields_of(tmp_path / "clip.csv")
    assert (fields["AU45_r"], fields["AU28_c"]) == ("0.00", "0.00")
