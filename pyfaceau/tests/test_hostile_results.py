"""Results, journals and saved runs made by somebody who means harm: one error that names the file."""

from __future__ import annotations

import gzip
import json
import random
import sqlite3
import struct
import tracemalloc
import zipfile
from contextlib import closing, suppress

import numpy as np
import pytest

from pyfaceau.batch.attempt import Attempt
from pyfaceau.batch.journal import FOLDER, Journal, read_entries
from pyfaceau.batch.manifest import BatchVideo
from pyfaceau.checkpoint import read_checkpoint, write_checkpoint
from pyfaceau.errors import BatchError, CheckpointError, ResultFileError
from pyfaceau.output import read_hog, read_openface_csv

CSV = b"frame, face_id, timestamp, confidence, success\n" + b"".join(
    b"%d, 0, %.3f, 0.98, 1\n" % (n, n / 30) for n in range(1, 200)
)


@pytest.mark.parametrize("sides", [(4096, 4096, 4096), (4096, 4096, 31), (2000, 2000, 2000)])
def test_hog_file_that_claims_enormous_faces_is_refused(tmp_path, sides):
    (tmp_path / "clip.hog").write_bytes(struct.pack("<iiif", *sides, 1.0) + bytes(100))
    with pytest.raises(ResultFileError, match=r"clip\.hog: offset 0: record 0 is cut short \(116 of"):
        read_hog(tmp_path / "clip.hog")


def test_gzipped_csv_damaged_anywhere_is_refused_or_read(tmp_path):
    whole = gzip.compress(CSV, mtime=0)
    path = tmp_path / "clip.csv.gz"
    rng = random.Random(0)
    refused = 0
    for place in range(10, len(whole), 4):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ rng.randrange(1, 256)]) + whole[place + 1 :])
        try:
            read_openface_csv(path)
        except ResultFileError as error:
            refused += 1
            assert str(path) in str(error)
    assert refused > 0.2 * len(whole)


def test_gzipped_csv_that_grows_without_end_is_refused(tmp_path):
    path = tmp_path / "clip.csv.gz"
    path.write_bytes(gzip.compress(CSV + b"1, 0, 0, 0, 0\n" * 2_000_000))
    with pytest.raises(ResultFileError, match="more than a table of this size can hold"):
        read_openface_csv(path)
    path.write_bytes(gzip.compress(CSV + b" " * 20_000_000))  # one line
    with pytest.raises(ResultFileError, match="more than a table of this size can hold"):
        read_openface_csv(path)


def test_csv_of_a_million_columns_is_refused(tmp_path):
    names = ",".join(f"c{n}" for n in range(100_000))
    (tmp_path / "clip.csv").write_text(f"frame,confidence,{names}\n")
    with pytest.raises(ResultFileError, match="more than 10000 columns"):
        read_openface_csv(tmp_path / "clip.csv")


def test_quotes_do_not_join_lines_of_a_csv(tmp_path):
    (tmp_path / "clip.csv").write_text('frame,confidence\n1,"0\n2,5"\n')
    with pytest.raises(ResultFileError, match="holds something that is not a number"):
        read_openface_csv(tmp_path / "clip.csv")


# -- journals ----------------------------------------------------------------------------------------------------


@pytest.fixture
def output(tmp_path):
    with Journal(tmp_path) as journal:
        journal.begin(
            [BatchVideo(f"/videos/{n}.mp4", str(n)) for n in range(40)], [f"{n}.csv" for n in range(40)]
        )
    return tmp_path


def change(output, *statements):
    with closing(sqlite3.connect(output / FOLDER / "journal.sqlite")) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


def open_journal(output):
    with Journal(output) as journal:
        journal.identities()
        return journal.entries()


@pytest.mark.parametrize("read", [read_entries, open_journal])
@pytest.mark.parametrize(
    "statements",
    [
        # A view that never ends.
        (
            "ALTER TABLE videos RENAME TO others",
            "CREATE VIEW videos AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "
            "SELECT i AS path, others.* FROM n, others",
        ),
        ("CREATE TRIGGER t AFTER UPDATE ON videos BEGIN DELETE FROM inputs; END",),
        ("ALTER TABLE videos DROP COLUMN trace",),
        ("UPDATE videos SET files = 'not JSON'",),
        (f"UPDATE videos SET files = '{100_000 * '['}'",),
        ("UPDATE videos SET columns = '[]'",),
        ("UPDATE videos SET frames = 'many'",),
        ("UPDATE videos SET target = x'ff00'",),
        ("UPDATE videos SET why = CAST(x'ff' AS TEXT)",),
    ],
)
def test_journal_with_other_contents_is_damaged(output, read, statements):
    change(output, *statements)
    with pytest.raises(BatchError, match=r"journal\.sqlite: the journal (is damaged|cannot be used)"):
        read(output)


def test_journal_damaged_anywhere_is_refused_or_read(output):
    path = output / FOLDER / "journal.sqlite"
    whole = path.read_bytes()
    rng = random.Random(0)
    refused = 0
    for _ in range(60):
        data = bytearray(whole)
        start = rng.randrange(len(data))
        data[start : start + 8] = rng.randbytes(8)
        path.write_bytes(data)
        for read in (read_entries, open_journal):
            try:
                read(output)
            except BatchError as error:
                refused += 1
                assert "journal.sqlite" in str(error)
        for left in path.parent.glob("journal.sqlite-*"):
            left.unlink()
    assert refused > 5


def test_job_file_of_lists_in_lists_costs_only_the_work_before(tmp_path):
    earlier = Attempt(tmp_path, "fingerprint")
    (earlier.folder / "recording.run").write_bytes(b"")
    (earlier.folder / "job.json").write_text(100_000 * "[")
    attempt = Attempt(tmp_path, "fingerprint")
    assert not attempt.checkpoint("recording").exists()


# -- saved runs --------------------------------------------------------------------------------------------------


def saved(path, text, **arrays):
    """A saved run whose header is any text."""
    write_checkpoint(path, {}, arrays)
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in entries.items():
            if name == "header.npy":
                content = (
                    content[:10]
                    + (
                        f"{{'descr': '|u1', 'fortran_order': False, 'shape': ({len(text)},), }}".ljust(117)
                        + "\n"
                    ).encode()
                )
                content = content[:8] + struct.pack("<H", len(content) - 10) + content[10:] + text
            archive.writestr(name, content)
    return path


@pytest.mark.parametrize(
    "text", [b"", b"[]", b"not JSON", b"\xff", 100_000 * b"[", b'{"format": 2}', b'{"format": 1e999}', b"NaN"]
)
def test_saved_run_with_another_header_is_refused(tmp_path, text):
    path = saved(tmp_path / "state.run", text)
    with pytest.raises(CheckpointError, match=r"state\.run"):
        read_checkpoint(path)


def test_saved_run_is_read_back(tmp_path):
    path = saved(tmp_path / "state.run", json.dumps({"format": 1, "mode": "video"}).encode(), a=np.arange(3))
    header, arrays = read_checkpoint(path)
    assert header["mode"] == "video"
    np.testing.assert_array_equal(arrays["a"], [0, 1, 2])


def test_saved_run_holds_no_objects_and_no_compressed_arrays(tmp_path):
    path = tmp_path / "state.run"
    np.savez(path.with_suffix(".npz"), header=np.array([{}], dtype=object))
    with pytest.raises(CheckpointError, match="not a plain array"):
        read_checkpoint(path.with_suffix(".npz"))
    np.savez_compressed(path.with_suffix(".npz"), header=np.zeros(10**7, np.uint8))
    tracemalloc.start()
    try:
        with pytest.raises(CheckpointError, match="would take more than"):
            read_checkpoint(path.with_suffix(".npz"))
        assert tracemalloc.get_traced_memory()[1] < 10**6
    finally:
        tracemalloc.stop()


def test_saved_run_damaged_anywhere_is_refused(tmp_path):
    path = tmp_path / "state.run"
    write_checkpoint(path, {"mode": "video"}, {"a": np.arange(100.0), "b": np.zeros((0, 3), np.float32)})
    whole = path.read_bytes()
    rng = random.Random(0)
    for _ in range(300):
        data = bytearray(whole)
        start = rng.randrange(len(data))
        data[start : start + 4] = rng.randbytes(4)
        path.write_bytes(data)
        with suppress(CheckpointError):
            read_checkpoint(path)
