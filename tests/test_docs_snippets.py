"""Every snippet of the README files and the guide runs as it stands, on small files of the names that it uses."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import warnings
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest
from doc_snippets import Command, Snippet, commands, read_snippets

from pyfaceau.demo import DEMO_CLIP

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).resolve().parents[1]
DOCUMENTS = sorted(
    path.relative_to(REPOSITORY).as_posix()
    for pattern in ("*.md", "docs/*.md", "*/README.md")
    for path in REPOSITORY.glob(pattern)
    if not path.relative_to(REPOSITORY).parts[0].startswith(".")
)
# Least blocks of Python and lines of commands that run, so that none gets lost.
RUN = {
    "README.md": {"python": 1, "console": 2},
    "docs/guide.md": {"python": 9, "console": 4},
    "pyclnf/README.md": {"python": 1},
    "pyfaceau/README.md": {"python": 1},
    "pyfhog/README.md": {"python": 1},
    "pymtcnn/README.md": {"python": 1},
}
FRAMES = 95  # the guide takes frames 1 to 90 for neutral
VIDEOS = (
    "video.mp4",
    "video.avi",
    "talk.mp4",
    "task.mp4",
    "rest.mp4",
    "a.mp4",
    "b.mp4",
    "v.mp4",
    "camera.avi",
)
ONE_FACE, TWO_FACES = ("face.jpg", "face.png"), ("group.jpg", "people.jpg")


def pyfaceau(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pyfaceau", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


@pytest.fixture(scope="session")
def images() -> list[np.ndarray]:
    video = cv2.VideoCapture(str(DEMO_CLIP))
    images = [image for _ in range(FRAMES) if (image := video.read()[1]) is not None]
    video.release()
    assert len(images) == FRAMES
    return images


@pytest.fixture(scope="session")
def files(tmp_path_factory, images) -> Path:
    """A folder with everything that the snippets name."""
    folder = tmp_path_factory.mktemp("files")
    height, width = images[0].shape[:2]
    for name in VIDEOS:
        codec = cv2.VideoWriter.fourcc(*("mp4v" if name.endswith("mp4") else "MJPG"))
        writer = cv2.VideoWriter(str(folder / name), codec, 25.0, (width, height))
        for image in images:
            writer.write(image)
        writer.release()
    for name in ONE_FACE:
        cv2.imwrite(str(folder / name), images[0])
    for name in TWO_FACES:
        cv2.imwrite(str(folder / name), np.concatenate([images[0], images[1]], axis=1))
    old = (
        "video.mp4",
        "-o",
        "from_openface.csv",
        "--format",
        "openface",
        "--models",
        "open",
        "--max-frames",
        "2",
    )
    assert pyfaceau("extract", *old, folder=folder).returncode == 0
    return folder


@pytest.fixture
def folder(files, tmp_path, monkeypatch) -> Path:
    """The working folder of one document: links to the files, no models of OpenFace, a clip as camera 0."""
    work = tmp_path / "work"
    work.mkdir()
    for path in files.iterdir():
        os.link(path, work / path.name)
    monkeypatch.chdir(work)
    for variable in ("OPENFACE_MODELS_DIR", "HOME", "XDG_DATA_HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(variable, str(tmp_path / "home"))
    open_capture = cv2.VideoCapture
    monkeypatch.setattr(cv2, "VideoCapture", lambda source, *more: open_capture(*camera_clip(source), *more))
    return work


def camera_clip(source: object) -> tuple[object]:
    return ("camera.avi" if source == 0 else source,)


def run_python(snippet: Snippet, document: str, names: dict[str, object]) -> None:
    """Run a block; a traceback shows the line of the document."""
    code = "\n" * (snippet.line - 1) + "\n".join(snippet.code)
    with warnings.catch_warnings():
        warnings.simplefilter("default")  # which models were chosen, for instance
        warnings.simplefilter("error", DeprecationWarning)
        exec(compile(code, str(REPOSITORY / document), "exec"), names)


def run_command(command: Command, document: str, folder: Path) -> None:
    """Run a line, and compare what it prints, whatever the numbers, with what the document shows."""
    words = shlex.split(command.text)
    place = f"{document}:{command.line}"
    assert words[0] == "pyfaceau", f"{place}: only `pyfaceau` is run here; mark the line with a reason"
    done = pyfaceau(*words[1:], folder=folder)
    assert done.returncode == 0, f"{place}: {done.stderr}"
    for expected in command.output:
        pattern = re.sub(r"\d+", r"\\d+", re.escape(expected))
        assert re.search(f"^{pattern}$", done.stdout, re.MULTILINE), f"{place}: prints {done.stdout!r}"


@pytest.mark.parametrize("document", DOCUMENTS)
def test_snippets_run_as_they_stand(document, folder, images):
    names: dict[str, object] = {"__name__": document, "images": images[:5], "frames": images[:5]}
    run, used = Counter[str](), Counter[str]()
    snippets = read_snippets(REPOSITORY / document)
    for snippet in snippets:
        assert snippet.language in ("python", "console", "text"), (
            f"{document}:{snippet.line}: of what language?"
        )
        if snippet.language == "console":
            for command in commands(snippet):
                reason = snippet.reason(command.text)
                used.update(
                    begins for begins in snippet.not_run if begins in ("*", command.text[: len(begins)])
                )
                if reason is None:
                    run_command(command, document, folder)
                    run["console"] += 1
        elif snippet.language == "python":
            used.update(list(snippet.not_run))
            if not snippet.not_run:
                run_python(snippet, document, names)
                run["python"] += 1
    remarks = {begins for snippet in snippets for begins in snippet.not_run}
    assert remarks <= set(used), "remarks that concern no line"
    assert run >= Counter(RUN.get(document, {})), f"only {dict(run)} of {document} were run"


def test_documents_that_must_hold_snippets_exist():
    assert set(RUN) <= set(DOCUMENTS)


def test_first_table_of_the_readme_has_a_row_per_frame_and_an_action_unit_that_moves(folder):
    (snippet,) = (each for each in read_snippets(REPOSITORY / "README.md") if each.language == "python")
    names: dict[str, object] = {}
    run_python(snippet, "README.md", names)
    table = names["table"]
    assert len(table) == FRAMES
    assert table["success"].all()
    assert np.ptp(table["AU12_r"]) > 0.5


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("Text\n\n    pip install it\n", "indented code"),
        ("<!-- not run: * (why) -->\nText\n", "before no block"),
        ("```python\n1\n", "within a block"),
    ],
)
def test_code_that_would_be_passed_over_is_refused(tmp_path, text, complaint):
    path = tmp_path / "page.md"
    path.write_text(text)
    with pytest.raises(ValueError, match=complaint):
        read_snippets(path)


def test_commands_and_output_are_told_apart(tmp_path):
    path = tmp_path / "page.md"
    path.write_text(
        "- item\n\n    goes on\n\n<!-- not run: b (why) -->\n"
        "```console\n$ a -x  # remark\nsays 1\n$ b\n```\n```text\nz\n```\n"
    )
    console, text = read_snippets(path)
    assert [(each.line, each.text, each.output) for each in commands(console)] == [
        (7, "a -x", ["says 1"]),
        (9, "b", []),
    ]
    assert (console.reason("a -x"), console.reason("b")) == (None, "why")
    assert (text.language, text.not_run) == ("text", {})
