"""The journal of a batch: what is done, what failed and why, in one SQLite file that only the batch writes."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from time import time
from types import TracebackType
from typing import Any

from ..errors import BatchError
from .job import Identity, Outcome
from .manifest import BatchVideo

FOLDER = ".pyfaceau"  # in the output folder
_NAME = "journal.sqlite"
_FORMAT = 1
# What values raise that are not those of a journal. RecursionError: lists in lists.
_WRONG = (ValueError, TypeError, OverflowError, RecursionError)
_SCHEMA = """
CREATE TABLE IF NOT EXISTS inputs (
    path TEXT PRIMARY KEY, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, sha256 TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS videos (
    path TEXT PRIMARY KEY, name TEXT NOT NULL, target TEXT NOT NULL, columns TEXT NOT NULL,
    position INTEGER, state TEXT NOT NULL DEFAULT 'waiting', why TEXT NOT NULL DEFAULT '',
    lasting INTEGER NOT NULL DEFAULT 0, fingerprint TEXT NOT NULL DEFAULT '', files TEXT NOT NULL DEFAULT '{}',
    frames INTEGER NOT NULL DEFAULT 0, with_face INTEGER NOT NULL DEFAULT 0, seconds REAL NOT NULL DEFAULT 0,
    made_with TEXT NOT NULL DEFAULT '{}', warnings TEXT NOT NULL DEFAULT '[]', trace TEXT NOT NULL DEFAULT '',
    ended REAL);
"""


@dataclass(frozen=True)
class Entry:
    """One video in the journal.

    Attributes
    ----------
    path, name, target, state, why, lasting, fingerprint, frames, with_face, seconds, trace
        As in `VideoOutcome` and `Outcome`; `state` may also be "waiting".
    columns : dict of str to str
        Of the manifest.
    files : dict of str to int
        Files of the result with their sizes.
    made_with : dict
        Versions and instruction sets.
    warnings : list of str
        Of the job.
    """

    path: str
    name: str
    target: str
    columns: dict[str, str]
    state: str
    why: str
    lasting: bool
    fingerprint: str
    files: dict[str, int]
    frames: int
    with_face: int
    seconds: float
    made_with: dict[str, Any]
    warnings: list[str]
    trace: str


class Journal:
    """The journal of an output folder, for the one batch that works there.

    Every change is on the disk before the call returns; whoever reads sees the state before or after it.

    Parameters
    ----------
    output : Path
        Folder of the results.

    Raises
    ------
    BatchError
        It cannot be opened or written, is damaged, or belongs to another version.
    """

    def __init__(self, output: Path) -> None:
        self.path = output / FOLDER / _NAME
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(self.path, isolation_level=None)
        except (OSError, sqlite3.Error) as error:
            raise _unusable(self.path, error) from error
        try:
            self._prepare()
        except (BatchError, sqlite3.Error, *_WRONG) as error:
            self._connection.close()
            if isinstance(error, BatchError):
                raise
            raise _unusable(self.path, error) from error

    def _prepare(self) -> None:
        """Check what is there, and make the tables if nothing is."""
        found = _rows(self._connection, "PRAGMA user_version")[0][0]
        if found not in (0, _FORMAT):
            raise BatchError(f"{self.path}: written by another version of pyfaceau; choose a new folder")
        _check(self._connection)
        self._connection.execute("PRAGMA journal_mode=WAL")  # stays as it was where there is no WAL
        self._connection.execute("PRAGMA synchronous=FULL")
        self._connection.executescript(_SCHEMA + f"PRAGMA user_version={_FORMAT};")

    def begin(self, videos: Sequence[BatchVideo], targets: Sequence[str]) -> None:
        """Note which videos the batch has now; those of earlier calls that are not listed are put aside."""
        with self._transaction() as connection:
            connection.execute("UPDATE videos SET position = NULL")
            connection.executemany(
                "INSERT INTO videos (path, name, target, columns, position) VALUES (?, ?, ?, ?, ?) "
                "ON CONFLICT (path) DO UPDATE SET name = excluded.name, columns = excluded.columns, "
                "position = excluded.position, "
                "state = CASE WHEN target = excluded.target THEN state ELSE 'waiting' END, "
                "target = excluded.target",
                [
                    (video.path, video.name, target, json.dumps(dict(video.columns)), position)
                    for position, (video, target) in enumerate(zip(videos, targets, strict=True))
                ],
            )

    def entries(self) -> list[Entry]:
        """List the videos of the batch, in its order."""
        try:
            return _entries(self._connection)
        except (sqlite3.Error, *_WRONG) as error:
            raise _unusable(self.path, error) from error

    def identities(self) -> dict[str, Identity]:
        """Return what is known about the bytes of inputs."""
        try:
            rows = _rows(self._connection, "SELECT path, size, mtime_ns, sha256 FROM inputs")
        except (sqlite3.Error, *_WRONG) as error:
            raise _unusable(self.path, error) from error
        return {path: Identity(*rest) for path, *rest in rows}

    def end(self, outcome: Outcome) -> None:
        """Note the outcome of a job, at once for all its videos."""
        with self._transaction() as connection:
            connection.executemany(
                "INSERT OR REPLACE INTO inputs VALUES (?, ?, ?, ?)",
                [(path, i.size, i.mtime_ns, i.sha256) for path, i in (outcome.identities or {}).items()],
            )
            if outcome.state != "ended":
                return
            connection.executemany(
                "UPDATE videos SET state=?, why=?, lasting=?, fingerprint=?, files=?, frames=?, with_face=?, "
                "seconds=?, made_with=?, warnings=?, trace=?, ended=? WHERE path=?",
                [
                    (
                        video.state,
                        video.why,
                        video.lasting,
                        outcome.fingerprint,
                        json.dumps(dict(video.files or {})),
                        video.frames,
                        video.with_face,
                        outcome.seconds,
                        json.dumps(dict(outcome.made_with or {})),
                        json.dumps(outcome.warnings),
                        outcome.trace if video.state == "failed" else "",
                        time(),
                        video.path,
                    )
                    for video in outcome.videos
                ],
            )

    def reopen(self, paths: Iterable[str]) -> None:
        """Note that videos are to be looked at again; what is known about their results stays."""
        self._set("waiting", "", paths)

    def confirm(self, paths: Iterable[str]) -> None:
        """Note that the results of videos stand."""
        self._set("done", "", paths)

    def fail(self, paths: Iterable[str], why: str) -> None:
        """Note that videos failed without an outcome."""
        with self._transaction() as connection:
            connection.executemany(
                "UPDATE videos SET state='failed', why=?, lasting=0, fingerprint='', files='{}', ended=? WHERE path=?",
                [(why, time(), path) for path in paths],
            )

    def _set(self, state: str, why: str, paths: Iterable[str]) -> None:
        with self._transaction() as connection:
            connection.executemany(
                "UPDATE videos SET state=?, why=? WHERE path=?", [(state, why, path) for path in paths]
            )

    def close(self) -> None:
        """Close, leaving one plain file that can be copied and read anywhere."""
        # While somebody is reading, or on a full disk, the write-ahead log stays beside it.
        with suppress(sqlite3.Error):
            self._connection.execute("PRAGMA journal_mode=DELETE")
        self._connection.close()

    def __enter__(self) -> Journal:
        """Use as a context manager to be sure that it is closed."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()

    def _transaction(self) -> _Transaction:
        return _Transaction(self._connection, self.path)


class _Transaction:
    """Everything in the block, or nothing."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection, self._path = connection, path

    def __enter__(self) -> sqlite3.Connection:
        try:
            self._connection.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            raise _unusable(self._path, error) from error
        return self._connection

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        failure = error
        try:
            self._connection.execute("COMMIT" if error is None else "ROLLBACK")
        except sqlite3.Error as problem:
            failure = problem
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        if isinstance(failure, sqlite3.Error):
            raise _unusable(self._path, failure) from failure


def read_entries(output: Path) -> list[Entry]:
    """Read the journal of an output folder, also while a batch is at work there or from a read-only place.

    Raises
    ------
    BatchError
        There is none, or it is damaged.
    """
    path = output / FOLDER / _NAME
    if not path.is_file():
        raise BatchError(f"{output}: not the output folder of a batch ({FOLDER}/{_NAME} is missing)")
    address = path.resolve().as_uri()
    problem: Exception | None = None
    for mode in ("mode=ro", "mode=ro&immutable=1"):  # the latter for a journal nobody can write beside
        try:
            with closing(sqlite3.connect(f"{address}?{mode}", uri=True)) as connection:
                _check(connection)
                return _entries(connection)
        except (sqlite3.Error, *_WRONG) as error:
            problem = problem or error
    raise _unusable(path, problem or sqlite3.Error()) from problem


def _check(connection: sqlite3.Connection) -> None:
    """Raise an error of SQLite's if a database that holds something is not whole, or has other tables than ours.

    Triggers and views of somebody else would run with our queries.
    """
    connection.execute("PRAGMA trusted_schema=OFF")
    # Pages that refer to each other in a circle are found here, within one pass over the file.
    if _rows(connection, "PRAGMA quick_check(1)") != [("ok",)]:
        raise sqlite3.DatabaseError("it is damaged")
    found = _layout(connection)
    if found:
        with closing(sqlite3.connect(":memory:")) as empty:
            empty.executescript(_SCHEMA)
            if found != _layout(empty):
                raise sqlite3.DatabaseError("its tables are not those of a journal")


def _layout(connection: sqlite3.Connection) -> list[tuple[Any, ...]]:
    return _rows(connection, "SELECT type, name, sql FROM sqlite_master ORDER BY name")


def _rows(connection: sqlite3.Connection, query: str) -> list[tuple[Any, ...]]:
    """Run a query to its end, or give it up: one that is left half-way keeps the file locked."""
    with closing(connection.cursor()) as cursor:
        return cursor.execute(query).fetchall()


def _entries(connection: sqlite3.Connection) -> list[Entry]:
    names = (
        "path, name, target, columns, state, why, lasting, fingerprint, files, frames, with_face, seconds, "
        "made_with, warnings, trace"
    )
    rows = _rows(connection, f"SELECT {names} FROM videos WHERE position IS NOT NULL ORDER BY position")
    return [_entry(dict(zip(names.split(", "), row, strict=True))) for row in rows]


def _entry(row: Mapping[str, Any]) -> Entry:
    decoded = {name: json.loads(row[name]) for name in ("columns", "files", "made_with", "warnings")}
    entry = Entry(**{**row, **decoded, "lasting": bool(row["lasting"])})
    kinds: dict[type, tuple[str, ...]] = {
        str: ("path", "name", "target", "state", "why", "fingerprint", "trace"),
        list: ("warnings",),
    }
    kinds |= {int: ("frames", "with_face"), dict: ("columns", "files", "made_with"), float: ("seconds",)}
    for kind, names in kinds.items():
        for name in names:
            if not isinstance(getattr(entry, name), kind):
                raise TypeError(f"{name} of a video is {getattr(entry, name)!r:.40}")
    return entry


def _unusable(path: Path, error: Exception) -> BatchError:
    # SQLite's own errors of the machine (no room, no right, locked) are OperationalErrors.
    if isinstance(error, OSError | sqlite3.OperationalError):
        return BatchError(f"{path}: the journal cannot be used ({error}); is the disk full or read-only?")
    return BatchError(f"{path}: the journal is damaged ({error}); move it away, and the batch begins anew")
