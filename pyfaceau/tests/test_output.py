"""Result tables: columns, types, and files that are whole or absent."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from made_up_results import INTENSITIES, PRESENCES, made_up_result

from pyfaceau.errors import OutputError
from pyfaceau.output import (
    ImmediateTable,
    ResultTable,
    check_target,
    column_names,
    image_table,
    write_table,
)

SUCCESSES = (True, False, True)


def table_of(include, attrs=None, gaps="openface") -> pd.DataFrame:
    table = ResultTable(include, INTENSITIES, PRESENCES, gaps=gaps)
    for number, success in enumerate(SUCCESSES, start=1):
        table.append(made_up_result(number, success=success))
    intensities = np.arange(3.0)[:, None] + np.zeros(len(INTENSITIES))
    return table.to_dataframe(intensities, np.ones((3, len(PRESENCES))), attrs)


def small_table(attrs=None) -> pd.DataFrame:
    return table_of(("pose", "landmarks", "aus"), attrs)


def test_columns_have_openface_names_and_order():
    names = column_names(("aus", "pose"), ("AU01_r", "AU12_r"), ("AU01_c", "AU12_c", "AU28_c"))
    assert ", ".join(names) == (
        "frame, face_id, timestamp, confidence, success, pose_Tx, pose_Ty, pose_Tz, pose_Rx, pose_Ry, "
        "pose_Rz, AU01_r, AU12_r, AU01_c, AU12_c, AU28_c"
    )


def test_all_columns_are_openfaces_714_each_at_its_place():
    names = column_names("openface", INTENSITIES, PRESENCES)
    assert len(names) == len(set(names)) == 714
    places = {
        "gaze_0_x": 5,
        "gaze_angle_x": 11,
        "eye_lmk_x_0": 13,
        "eye_lmk_y_0": 69,
        "eye_lmk_X_0": 125,
        "eye_lmk_Z_55": 292,
        "pose_Tx": 293,
        "x_0": 299,
        "y_0": 367,
        "X_0": 435,
        "Z_67": 638,
        "p_scale": 639,
        "p_ty": 644,
        "p_0": 645,
        "p_33": 678,
        "AU01_r": 679,
        "AU01_c": 696,
    }
    assert {name: names.index(name) for name in places} == places


def test_rows_hold_what_was_appended():
    table = table_of("openface")
    assert list(table.columns) == column_names("openface", INTENSITIES, PRESENCES)
    assert table["frame"].tolist() == [1, 2, 3]
    assert table["success"].tolist() == [1, 0, 1]
    assert set(table.dtypes[["frame", "face_id", "success"]]) == {np.dtype(np.int64)}
    assert set(table.dtypes.drop(["frame", "face_id", "success"])) == {np.dtype(np.float64)}
    third = made_up_result(3)
    row = table.iloc[2]
    assert row["timestamp"] == third.timestamp
    assert row["confidence"] == third.confidence
    assert [row["gaze_0_x"], row["gaze_1_z"]] == [third.gaze.directions[0, 0], third.gaze.directions[1, 2]]
    assert [row["gaze_angle_x"], row["gaze_angle_y"]] == third.gaze.angles.tolist()
    assert [row["eye_lmk_x_5"], row["eye_lmk_y_55"]] == [
        third.gaze.landmarks[5, 0],
        third.gaze.landmarks[55, 1],
    ]
    assert row["eye_lmk_Y_30"] == np.float32(third.gaze.landmarks_3d[30, 1])
    assert row["eye_lmk_Z_0"] == np.float32(third.gaze.landmarks_3d[0, 2])
    assert [row["pose_Tz"], row["pose_Rz"]] == [third.pose[2], third.pose[5]]
    assert [row["x_67"], row["y_0"]] == [third.landmarks[67, 0], third.landmarks[0, 1]]
    assert [row["X_3"], row["Z_67"]] == np.float32(
        [third.landmarks_3d[3, 0], third.landmarks_3d[67, 2]]
    ).tolist()
    assert [row["p_scale"], row["p_ty"]] == third.fit.params_global[[0, 5]].tolist()
    assert row["p_33"] == third.fit.params_local[33]
    assert [row["AU45_r"], row["AU28_c"]] == [2, 1]


def test_gaze_is_zero_without_a_face_but_eyes_stay():
    row = table_of("openface").iloc[1]
    assert (row["gaze_0_x":"gaze_angle_y"] == 0).all()
    assert row["eye_lmk_x_5"] == made_up_result(2, success=False).gaze.landmarks[5, 0]


def test_rows_without_a_face_are_empty_in_our_own_tables():
    none = float("nan")
    table = ResultTable("openface", INTENSITIES, PRESENCES)
    for number, success in enumerate(SUCCESSES, start=1):
        table.append(made_up_result(number, success=success))
    intensities, presences = np.full((3, len(INTENSITIES)), 1.5), np.full((3, len(PRESENCES)), 1.0)
    intensities[1] = presences[1] = none
    frame = table.to_dataframe(intensities, presences)
    assert list(frame.columns) == column_names("openface", INTENSITIES, PRESENCES)
    assert frame.iloc[1, :5].tolist() == [2, 0, 1 / 30, 0.025, 0]
    assert frame.iloc[1, 5:].isna().all()
    assert frame.iloc[[0, 2]].notna().all(axis=None)
    assert {str(frame[name].dtype) for name in PRESENCES} == {"Int64"}
    assert frame["AU12_r"].mean() == 1.5


def test_nothing_is_known_before_the_first_face():
    table = ResultTable(("gaze", "eye_landmarks", "pose", "landmarks", "landmarks_3d", "pdm"))
    table.append(made_up_result(1, success=False, seen=False))
    row = table.to_dataframe().iloc[0]
    assert row[list(row.index[:5])].tolist() == [1, 0, 0, 0.025, 0]
    assert row[5:].isna().all()


def test_groups_come_in_openfaces_order_whatever_the_order_of_wishes():
    assert list(table_of(["pdm", "gaze"]).columns) == column_names(("gaze", "pdm"), (), ())


def test_models_with_other_numbers_of_modes_have_their_own_columns():
    table = ResultTable(("pdm",), n_modes=12)
    table.append(made_up_result(n_modes=12))
    assert list(table.to_dataframe().columns)[-1] == "p_11"
    with pytest.raises(ValueError, match="could not broadcast"):
        table.append(made_up_result(n_modes=34))


def test_table_keeps_all_rows_of_a_long_sequence():
    table = ResultTable(("landmarks",))
    result = made_up_result()
    for number in range(1, 1001):
        table.append(made_up_result(number, face_id=number % 3) if number == 777 else result)
    assert table.face_ids[776] == 0
    frame = table.to_dataframe()
    assert len(frame) == len(table) == 1000
    assert frame.loc[776, "x_9"] == made_up_result(777).landmarks[9, 0]
    assert frame.loc[775, "x_9"] == result.landmarks[9, 0]


def test_later_rows_do_not_change_a_table_that_was_built():
    table = ResultTable("openface")
    table.append(made_up_result(1))
    none = np.empty((1, 0))
    before = table.to_dataframe(none, none)
    copy = before.copy(deep=True)
    table.append(made_up_result(2))
    pd.testing.assert_frame_equal(before, copy)


def test_action_units_of_single_images_are_those_of_the_result():
    faces = [made_up_result(face_id=0), made_up_result(face_id=1)]
    table = image_table(faces, "openface")
    assert list(table.columns) == column_names("openface", INTENSITIES, PRESENCES)
    assert table["AU12_r"].tolist() == [face.au_intensities["AU12"] for face in faces]
    assert table["AU28_c"].tolist() == [face.au_presences["AU28"] for face in faces]
    assert table["face_id"].tolist() == [0, 1]
    assert len(image_table([], "openface")) == 0


def test_gaze_of_a_rejected_face_is_kept_in_single_images():
    rejected = made_up_result(success=False)
    assert image_table([rejected], ("gaze",)).loc[0, "gaze_0_x"] == rejected.gaze.directions[0, 0]


def test_static_columns_stand_beside_dynamic_ones():
    table = ResultTable(("aus",), ("AU01_r", "AU01_r_static"), ("AU01_c",))
    table.append(made_up_result())
    frame = table.to_dataframe(np.array([[1.0, 2.0]]), np.array([[1.0]]))
    assert frame[["AU01_r", "AU01_r_static", "AU01_c"]].iloc[0].tolist() == [1, 2, 1]


def test_sequence_without_frames_keeps_its_columns():
    table = ResultTable("openface", INTENSITIES, PRESENCES)
    empty = table.to_dataframe(np.empty((0, 17)), np.empty((0, 18)))
    assert list(empty.columns) == column_names("openface", INTENSITIES, PRESENCES)
    assert len(empty) == 0
    assert len(ImmediateTable("openface", INTENSITIES, PRESENCES).to_dataframe()) == 0


def test_au_values_of_another_length_are_refused():
    table = ResultTable(("aus",), INTENSITIES, PRESENCES)
    with pytest.raises(ValueError, match=r"shape \(0, 17\), got \(1, 17\)"):
        table.to_dataframe(np.zeros((1, 17)), np.zeros((0, 18)))
    with pytest.raises(ValueError, match="got None"):
        table.to_dataframe()


def test_unknown_groups_are_refused_and_named():
    with pytest.raises(ValueError, match=r"pdm, aus; got gazes"):
        column_names(("gazes",), (), ())
    with pytest.raises(ValueError, match="not a string"):
        ResultTable("pose")


def test_csv_reads_back_to_seven_digits_with_its_origin_beside_it(tmp_path):
    table = small_table(attrs={"models": "open"})
    write_table(table, tmp_path / "new folder" / "result.csv")
    read = pd.read_csv(tmp_path / "new folder" / "result.csv")
    pd.testing.assert_frame_equal(read, table, check_dtype=False, rtol=1e-6)
    origin = json.loads((tmp_path / "new folder" / "result.csv.json").read_text())
    assert origin == {"models": "open"}


def test_csv_may_have_openfaces_digits(tmp_path):
    write_table(small_table(), tmp_path / "result.csv", style="openface")
    lines = (tmp_path / "result.csv").read_text().splitlines()
    assert lines[0].startswith("frame, face_id, timestamp, ")
    assert lines[1].startswith("1, 0, 0.000, 0.98, 1, 1.5, -2.5, 400.0, 0.050, ")


def test_failed_write_keeps_the_earlier_result(tmp_path):
    path = tmp_path / "result.csv"
    path.write_text("earlier result")

    class Unprintable:
        def __str__(self) -> str:
            raise OSError(28, "No space left on device")

    broken = pd.DataFrame({"a": [Unprintable()]})
    with pytest.raises(OutputError, match=r"result\.csv: cannot be written \(No space left on device\)"):
        write_table(broken, path)
    assert path.read_text() == "earlier result"
    assert [entry.name for entry in tmp_path.iterdir()] == ["result.csv"]


def refuge_in(message: str) -> Path:
    (name,) = re.findall(r"saved as (\S+) instead", message)
    return Path(name)


@pytest.mark.parametrize("name", ["result.xlsx", "folder.csv", "file/deeper.csv"])
def test_result_that_cannot_be_written_is_kept_elsewhere(tmp_path, name):
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=re.escape(str(tmp_path / name))) as caught:
        write_table(small_table(), tmp_path / name)
    pd.testing.assert_frame_equal(
        pd.read_csv(refuge_in(str(caught.value))), small_table(), check_dtype=False, rtol=1e-6
    )


def test_target_is_checked_without_leaving_a_trace(tmp_path):
    check_target(tmp_path / "new" / "result.csv")
    assert list((tmp_path / "new").iterdir()) == []
    with pytest.raises(OutputError, match=r"written as \.csv or \.parquet"):
        check_target(tmp_path / "result.xlsx")


def test_parquet_keeps_types_and_origin(tmp_path):
    pytest.importorskip("pyarrow", reason="Parquet is optional")
    table = small_table(attrs={"models": "open"})
    write_table(table, tmp_path / "result.parquet")
    read = pd.read_parquet(tmp_path / "result.parquet")
    pd.testing.assert_frame_equal(read, table)
    assert read.attrs == {"models": "open"}
    assert [entry.name for entry in tmp_path.iterdir()] == ["result.parquet"]


def test_parquet_without_pyarrow_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(OutputError, match="pip install pyarrow"):
        check_target(tmp_path / "result.parquet")
    assert list(tmp_path.iterdir()) == []
