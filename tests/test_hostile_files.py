"""Damaged files at random, the same in each run: our own error or a result, in little time and memory."""

from __future__ import annotations

import time
import tracemalloc
import zlib
from contextlib import suppress
from pathlib import Path

import pytest
from fuzz.mutations import mutations
from fuzz.parsers import OWN_ERRORS, PARSERS

CORPUS = Path(__file__).parent / "fuzz" / "corpus"
EXECUTIONS = 150  # of each parser
# What reading takes whatever the file: buffers, and the models that are read beside it.
FIXED_BYTES = 3_000_000
# Bytes for each of the file: text becomes numbers, and gzip's rows of zeros become text.
MOST_FOLD = 64
LONGEST_S = 10.0


def hostile(name: str):
    """Inputs of a parser: those that once found something, and damaged forms of its sound files."""
    kept = CORPUS / name
    yield from (path.read_bytes() for path in sorted(kept.iterdir())) if kept.is_dir() else ()
    seeds = PARSERS[name].seeds()
    for number, seed in enumerate(seeds):
        yield from mutations(seed, EXECUTIONS // len(seeds), zlib.crc32(name.encode()) + number)


@pytest.mark.parametrize("name", PARSERS)
def test_sound_file_is_read(tmp_path, name):
    parser = PARSERS[name]
    refused = []
    for seed in parser.seeds():
        try:
            parser.read(parser.place(parser.folder(tmp_path), seed))
        except OWN_ERRORS as error:
            refused.append(str(error))
    assert len(refused) < len(parser.seeds()) or name in NEEDS_MORE, refused


# Their smallest sound file names others that are not there, or is not of the one size that can be used.
NEEDS_MORE = ("descriptions", "mtcnn_description", "mtcnn_weights")


@pytest.mark.parametrize("name", PARSERS)
def test_damaged_file_ends_in_our_own_error_or_a_result(tmp_path, monkeypatch, name):
    # An attacker's checksums are right.
    monkeypatch.setattr("zipfile.ZipExtFile._update_crc", lambda self, data: None)
    parser = PARSERS[name]
    folder = parser.folder(tmp_path)
    with suppress(*OWN_ERRORS):  # so that what is imported and made once is there
        parser.read(parser.place(folder, parser.seeds()[0]))
    tracemalloc.start()
    try:
        for data in hostile(name):
            path = parser.place(folder, data)
            tracemalloc.reset_peak()
            before, begin = tracemalloc.get_traced_memory()[0], time.process_time()
            with suppress(*OWN_ERRORS):
                parser.read(path)
            taken = tracemalloc.get_traced_memory()[1] - before
            assert taken < FIXED_BYTES + MOST_FOLD * len(data), f"{taken} bytes for {data[:200]!r}"
            assert time.process_time() - begin < LONGEST_S, data[:200]
    finally:
        tracemalloc.stop()
