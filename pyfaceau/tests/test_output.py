"""Result tables: columns, types, and files that are whole or absent."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pyfaceau.errors import OutputError
from pyfaceau.output import ResultTable, check_target, column_names, write_table

INTENSITIES, PRESENCES = ("AU01", "AU12"), ("AU01", "AU12", "AU28")


def small_table(include=("pose", "landmarks", "aus"), attrs=None) -> pd.DataFrame:
    table = ResultTable(include, INTENSITIES, PRESENCES)
    for number in (1, 2):
        landmarks = np.arange(136.0).reshape(68, 2) + number
        table.append(number, (number - 1) / 25, 0.98, number == 1, np.arange(6) * number, landmarks)
    return table.to_dataframe(np.array([[0.1, 2], [0, 3]]), np.array([[0, 1, 1], [0, 0, 1]]), attrs)


def test_columns_have_openface_names_and_order():
    names = column_names(("aus", "pose"), INTENSITIES, PRESENCES)
    assert ", ".join(names) == (
        "frame, face_id, timestamp, confidence, success, pose_Tx, pose_Ty, pose_Tz, pose_Rx, pose_Ry, "
        "pose_Rz, AU01_r, AU12_r, AU01_c, AU12_c, AU28_c"
    )
    with_landmarks = column_names(("landmarks",), (), ())
    assert with_landmarks[5:7] == ["x_0", "x_1"]
    assert with_landmarks[73] == "y_0"
    assert len(with_landmarks) == 5 + 136


def test_rows_hold_what_was_appended():
    table = small_table()
    assert list(table.columns) == column_names(("pose", "landmarks", "aus"), INTENSITIES, PRESENCES)
    assert table["frame"].tolist() == [1, 2]
    assert table["success"].tolist() == [1, 0]
    assert table["success"].dtype == np.int64
    assert table.loc[1, "pose_Rz"] == 10
    assert (table.loc[0, "x_67"], table.loc[0, "y_67"]) == (135, 136)
    assert table["AU12_r"].tolist() == [2, 3]
    assert table["AU28_c"].tolist() == [1, 1]


def test_sequence_without_frames_keeps_its_columns():
    table = ResultTable(("pose", "aus"), INTENSITIES, PRESENCES)
    empty = table.to_dataframe(np.empty((0, 2)), np.empty((0, 3)))
    assert list(empty.columns) == column_names(("pose", "aus"), INTENSITIES, PRESENCES)
    assert len(empty) == 0


def test_au_values_of_another_length_are_refused():
    table = ResultTable(("aus",), INTENSITIES, PRESENCES)
    with pytest.raises(ValueError, match=r"shape \(0, 2\), got \(1, 2\)"):
        table.to_dataframe(np.zeros((1, 2)), np.zeros((0, 3)))
    with pytest.raises(ValueError, match="got None"):
        table.to_dataframe()


def test_unknown_groups_are_refused_and_named():
    with pytest.raises(ValueError, match=r"pose, landmarks, aus; got gazes"):
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
