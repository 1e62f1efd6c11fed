"""Short videos for the tests of batches, and what a batch wrote."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import cv2

from pyfaceau.demo import DEMO_CLIP


def write_videos(folder: Path, lengths: list[int]) -> list[Path]:
    """Write videos of so many frames, each of another part of the demo clip."""
    folder.mkdir(parents=True, exist_ok=True)
    capture = cv2.VideoCapture(str(DEMO_CLIP))
    images = []
    while len(images) < 200:
        images.append(cv2.resize(capture.read()[1], None, fx=0.75, fy=0.75))
    capture.release()
    paths = [folder / f"v{number:02d}.avi" for number in range(len(lengths))]
    for number, (path, length) in enumerate(zip(paths, lengths, strict=True)):
        writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25.0, images[0].shape[1::-1])
        for frame in range(length):
            writer.write(images[(7 * number + frame) % len(images)])
        writer.release()
    return paths


def written(folder: Path) -> dict[str, bytes]:
    """Every file of the results by its path; not the journal and the summary."""
    files = [file for file in folder.rglob("*") if file.is_file() and ".pyfaceau" not in file.parts]
    return {
        file.relative_to(folder).as_posix(): file.read_bytes() for file in files if file.name != "_batch.csv"
    }


def batch_command(choice: dict[str, str], *arguments: object) -> list[str]:
    options = [f"--{name}={value}" for name, value in choice.items()]
    return [sys.executable, "-m", "pyfaceau", "batch", *map(str, arguments), *options]


def run_command(choice: dict[str, str], *arguments: object, **more) -> subprocess.CompletedProcess[str]:
    command = batch_command(choice, *arguments)
    return subprocess.run(command, capture_output=True, text=True, timeout=300, **more)


def journal_rows(output: Path, query: str) -> list[tuple]:
    connection = sqlite3.connect(output / ".pyfaceau" / "journal.sqlite")
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def children(parent: int) -> list[int]:
    """Processes that a process has started and that are alive (Linux)."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[1]) == parent and fields[0] != "Z":
                found.append(int(entry.name))
    return found


def workers_of(batch: int) -> list[int]:
    """Worker processes of a batch, without joblib's tracker of resources."""
    found = []
    for child in children(batch):
        try:
            words = Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if any(b"popen_loky" in word for word in words):
            found.append(child)
    return found


def is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
