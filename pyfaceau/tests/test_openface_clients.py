"""What programs that read OpenFace's files rely on, read as they read it."""

from __future__ import annotations

import csv
import struct
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from pyfaceau.cli.app import app
from pyfaceau.demo import DEMO_CLIP
from pyfaceau.video import open_video

FRAMES = 3


@pytest.fixture(scope="module")
def folder(shared, tmp_path_factory) -> Path:
    """A folder in which the command has run without -out_dir."""
    import cv2

    work = tmp_path_factory.mktemp("client")
    (work / "clip").mkdir()
    with open_video(DEMO_CLIP) as source:
        for frame, number in zip(source, range(FRAMES), strict=False):
            cv2.imwrite(str(work / f"clip/{number}.png"), frame.image)
    models = ["--models", str(shared / "openface"), "-mloc", "main_clnf_general.txt", "-q"]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(work)
        for more in ([], ["-out_dir", "."], ["-out_dir", "compact", "--dialect", "compact"]):
            result = CliRunner().invoke(app, ["openface", "-fdir", "clip", *more, *models])
            assert result.exit_code == 0, result.output
    return work


def test_default_folder_is_processed_and_a_dot_is_the_present_one(folder):
    assert (folder / "processed/clip.csv").is_file()
    assert (folder / "clip.csv").is_file()
    assert (folder / "clip.hog").is_file()


def test_pandas_without_options_sees_names_with_a_blank(folder):
    table = pd.read_csv(folder / "processed/clip.csv")
    assert table.columns[0] == "frame"
    assert " AU45_r" in table
    assert " success" in table
    assert len(table.columns[5:]) == 709
    assert len(table) == FRAMES


def test_skipinitialspace_and_stripping_see_plain_names(folder):
    read = pd.read_csv(folder / "processed/clip.csv", skipinitialspace=True)
    stripped = pd.read_csv(folder / "processed/clip.csv").rename(columns=str.strip)
    assert list(read) == list(stripped)
    assert "AU45_r" in read
    np.testing.assert_array_equal(read.to_numpy(), stripped.to_numpy())
    assert read.notna().all(axis=None)


def test_csv_reader_splits_the_compact_dialect_without_blanks(folder):
    with (folder / "compact/clip.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == FRAMES
    assert float(rows[0]["AU45_r"]) >= 0
    assert not any(name.startswith(" ") for name in rows[0])
    plain = pd.read_csv(folder / "compact/clip.csv")
    spaced = pd.read_csv(folder / "processed/clip.csv", skipinitialspace=True)
    pd.testing.assert_frame_equal(plain, spaced)


def test_hog_file_is_read_record_by_record(folder):
    """As OpenFace's own readers do: columns, rows, channels, validity, then the values."""
    data, place, records = (folder / "processed/clip.hog").read_bytes(), 0, []
    while place < len(data):
        columns, rows, channels, valid = struct.unpack_from("<iiif", data, place)
        size = columns * rows * channels
        records.append(np.frombuffer(data, "<f4", size, place + 16))
        assert (columns, rows, channels, valid) == (12, 12, 31, 1.0)
        place += 16 + 4 * size
    assert len(records) == FRAMES
    assert np.stack(records).max() > 0.1


def test_py_feat_takes_the_table(folder):
    feat = pytest.importorskip("feat", reason="py-feat is not installed")
    table = pd.read_csv(folder / "processed/clip.csv").rename(columns=str.strip)
    names = [name for name in table if name.startswith("AU") and name.endswith("_r")]
    assert feat.Fex(table, au_columns=names).aus.shape == (FRAMES, 17)
