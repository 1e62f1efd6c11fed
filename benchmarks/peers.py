"""Compare with the packages that people could use instead: ``nox -s bench-peers``; writes docs/benchmarks-peers.md.

Each peer is installed from the package index into an environment of its own and runs a probe of `peer_probes/` on the
same frames. What a peer needs beside its packages (models) is used if it is given, and never downloaded: where it
lacks, the table says so.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import time
import venv
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from weights.au.labels import BLENDSHAPES

ROOT = Path(__file__).resolve().parent.parent
PROBES = Path(__file__).resolve().parent / "peer_probes"
PAGE = ROOT / "docs" / "benchmarks-peers.md"
OURS = ("./pyfhog", "./pymtcnn", "./pyclnf", "./pyfaceau")
VERSION_1 = ("pyfaceau==1.4.1", "pyclnf==0.4.1", "pymtcnn==1.2.0", "pyfhog==0.1.5")
LIMIT = 1800  # s for an installation or a probe
AUS = tuple(name for name in BLENDSHAPES if name != "AU28")


WORDS = """\
Each package runs in an environment of its own, with its default threads, on the same frames, decoded by OpenCV.
Start-up is the time from the start of Python to the first result, the size that of everything that pip installs.
Agreement is with the C++ OpenFace's table of the same video, or with the known action units of `demo.mp4`, an animated
portrait that says nothing about people: mean distance of the 68 landmarks, mean correlation of the intensities that
move (frame by frame, before any final pass), and how boxes overlap with the extent of the reference's landmarks.
MediaPipe's blendshapes are summed to action units as `weights/au/labels.py` says."""


@dataclass(frozen=True)
class Peer:
    """A row of the table.

    Attributes
    ----------
    name, does : str
        What it is called, and what it was asked to do.
    environment : str
        Peers of one environment share it.
    needs : tuple of str
        What pip installs there.
    probe : str
        Script of `peer_probes`.
    asset : str
        Name of the argument with what the probe needs beside its packages.
    why_not : str
        Why it is not tried.
    hint : str
        What is probably behind a failure.
    """

    name: str
    does: str
    environment: str = ""
    needs: tuple[str, ...] = ()
    probe: str = ""
    asset: str = ""
    why_not: str = ""
    hint: str = ""


PEERS = (
    Peer("pyfaceau 2, OpenFace's models", "landmarks, pose, AUs", "ours", OURS, "ours", "openface_models"),
    Peer("pyfaceau 2, open models", "landmarks, pose, AUs", "ours", OURS, "ours"),
    Peer("pyfaceau 1.4.1, pyclnf 0.4.1", "landmarks, pose, AUs", "version-1", VERSION_1, "pyfaceau_1",
         "openface_models", hint="it needs OpenFace's four CE-CLM patch experts, 430 MB"),
    Peer("MediaPipe Face Landmarker", "478 points, blendshapes", "mediapipe", ("mediapipe",), "mediapipe_landmarker",
         "mediapipe_model"),
    Peer("py-feat", "landmarks, pose, AUs",
         why_not="its package holds no weights: it downloads them when it is first used"),
    Peer("pymtcnn 2", "boxes, a search a frame", "ours", OURS, "our_detector"),
    Peer("pymtcnn 1.2.0, ONNX Runtime", "boxes, a search a frame", "version-1", VERSION_1, "pymtcnn_1"),
    Peer("dlib HOG", "boxes, a search a frame", "dlib", ("dlib-bin", "opencv-python-headless"), "dlib_hog"),
    Peer("dlib, 68 landmarks", "landmarks",
         why_not="its shape predictor is a download of its own, which is not on the package index"),
)  # fmt: skip


@dataclass
class Row:
    """What was seen of a peer on one clip."""

    peer: Peer
    clip: str
    found: dict[str, Any] = field(default_factory=dict)
    why_not: str = ""
    agreement: str = ""


def main() -> int:
    """Run the command line."""
    arguments = _parser().parse_args()
    folder = Path(arguments.environments)
    wanted = [
        peer for peer in PEERS if not arguments.only or any(text in peer.name for text in arguments.only)
    ]
    rows, sizes = [], {}
    for peer in wanted:
        python, failure = (None, peer.why_not) if peer.why_not else environment(folder, peer)
        if python is not None and peer.environment not in sizes:
            sizes[peer.environment] = size_of(folder / peer.environment)
        for clip in arguments.clips:
            row = Row(peer, Path(clip).name, why_not=failure)
            if python is not None:
                row.found, row.why_not = probed(python, peer, clip, arguments)
                if row.found:
                    row.agreement = agreement(row.found.pop("values"), arguments.references.get(row.clip))
            print(f"{peer.name}, {row.clip}: {row.why_not or row.found}", flush=True)
            rows.append(row)
    PAGE.write_text(page(rows, sizes, arguments), encoding="utf-8")
    print(PAGE)
    return 0


def environment(folder: Path, peer: Peer) -> tuple[Path | None, str]:
    """Return the Python of a peer's environment, made if it is not there; else None and why."""
    home = folder / peer.environment
    python = (home / ("Scripts/python.exe" if os.name == "nt" else "bin/python")).absolute()
    done = home / "installed"
    if not done.exists():
        venv.create(home, with_pip=True, clear=True)
        command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *peer.needs]
        failure = _run(command)
        if failure:
            return None, f"cannot be installed: {failure}"
        done.touch()
    return python, ""


def size_of(home: Path) -> int:
    """Bytes of what was installed into an environment, pip left out."""
    total = 0
    for place in home.rglob("site-packages"):
        for path in place.rglob("*"):
            inner = path.relative_to(place).parts[0]
            if path.is_file() and not inner.startswith(("pip", "setuptools", "_distutils")):
                total += path.stat().st_size
    return total


def probed(python: Path, peer: Peer, clip: str, arguments: argparse.Namespace) -> tuple[dict[str, Any], str]:
    """Run a peer's probe; an empty dictionary and why if it fails."""
    asset = getattr(arguments, peer.asset, "") if peer.asset else ""
    if peer.asset and not asset:
        return {}, f"its models are not in the package and were not given (--{peer.asset.replace('_', '-')})"
    out = Path(arguments.environments).resolve() / "probe.json"
    out.unlink(missing_ok=True)
    probe = PROBES / f"{peer.probe}.py"
    command = [str(python), str(probe), clip, str(arguments.frames), str(out), repr(time.time()), asset]
    # Version 1 converts models beside the originals, so it gets a copy.
    models = Path(arguments.environments) / "openface-models"
    if arguments.openface_models and not models.exists():
        shutil.copytree(arguments.openface_models, models)
    failure = _run(command, str(models.resolve()) if models.exists() else "")
    if failure or not out.exists():
        return {}, (failure or "it wrote no result") + (f" ({peer.hint})" if peer.hint else "")
    found: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    return found, ""


def _run(command: list[str], models: str = "") -> str:
    """Run a command; return why it failed, or nothing."""
    quiet = {"PYTHONWARNINGS": "ignore"} | ({"OPENFACE_MODELS_DIR": models} if models else {})
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=LIMIT,
            cwd=ROOT,
            env={**os.environ, **quiet},
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"it took more than {LIMIT // 60} minutes"
    if done.returncode == 0:
        return ""
    lines = [line.strip() for line in (done.stderr or done.stdout).splitlines() if line.strip()]
    errors = [line for line in lines if re.match(r"[\w.]+(Error|Exception): ", line)] or lines
    why = re.sub(r"^[\w.]+(?=\.\w+: )\.", "", errors[-1]) if errors else f"exit status {done.returncode}"
    return why[:200].replace("|", "/").replace(str(ROOT), "").replace(str(Path.home()), "~")


def agreement(values: list[dict[str, Any]], reference: pd.DataFrame | None) -> str:
    """Say how far values agree with a reference of the same frames.

    Parameters
    ----------
    values : list of dict
        One entry a frame, as the probes write them; empty where no face was found.
    reference : pandas.DataFrame or None
        With OpenFace's column names; without landmarks only intensities are compared.

    Returns
    -------
    str
        Mean distance of the 68 landmarks, mean correlation of the intensities that move, mean overlap of boxes with
        the extent of the landmarks, and the share of frames with a face; whatever can be had.
    """
    parts = [f"face in {100 * sum(map(bool, values)) / max(1, len(values)):.0f} %"]
    if reference is None:
        return parts[0]
    reference = reference.iloc[: len(values)]
    pairs = [(n, value) for n, value in enumerate(values[: len(reference)]) if value]
    if "x_0" in reference and pairs:
        x, y = (reference[[f"{axis}_{i}" for i in range(68)]].to_numpy() for axis in "xy")
        found = [
            np.linalg.norm(np.array(v["landmarks"]).T - (x[n], y[n]), axis=0)
            for n, v in pairs
            if "landmarks" in v
        ]
        if found:
            parts.insert(0, f"{np.mean(found):.2f} px")
        boxes = [
            _overlap(v["box"], (x[n].min(), y[n].min(), np.ptp(x[n]), np.ptp(y[n])))
            for n, v in pairs
            if "box" in v
        ]
        if boxes:
            parts.insert(0, f"overlap {np.mean(boxes):.2f}")
    series = [(name, _intensities(pairs, name)) for name in AUS]
    r = [
        np.corrcoef(found, wanted)[0, 1]
        for name, found in series
        if found is not None and f"{name}_r" in reference
        for wanted in [reference[f"{name}_r"].to_numpy()[[n for n, _ in pairs]]]
        if np.std(wanted) > 0.05 and np.std(found) > 0
    ]
    if r:
        parts.insert(0, f"AU r {np.mean(r):.2f} ({len(r)} AUs)")
    return ", ".join(parts)


def _intensities(pairs: list[tuple[int, dict[str, Any]]], name: str) -> np.ndarray | None:
    if not pairs or not all("aus" in value or "blendshapes" in value for _, value in pairs):
        return None
    if "aus" in pairs[0][1]:
        keys = [key for key in (f"{name}_r", name) if key in pairs[0][1]["aus"]]
        return np.array([value["aus"][keys[0]] for _, value in pairs]) if keys else None
    return np.array(
        [
            sum(
                score
                for shape, score in value["blendshapes"].items()
                if _sideless(shape) in BLENDSHAPES[name]
            )
            for _, value in pairs
        ]
    )


def _sideless(shape: str) -> str:
    return shape.removesuffix("Left").removesuffix("Right")


def _overlap(a: Any, b: Any) -> float:
    """Intersection of two boxes (x, y, width, height) over their union."""
    width = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    height = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    both = max(0.0, width) * max(0.0, height)
    return float(both / (a[2] * a[3] + b[2] * b[3] - both))


def page(rows: list[Row], sizes: dict[str, int], arguments: argparse.Namespace) -> str:
    """Write the page."""
    detailed = PAGE.with_name("benchmarks.md")
    ours = f" Our own figures in detail: [benchmarks]({detailed.name})." if detailed.exists() else ""
    out = [
        "# Beside other packages",
        "",
        f"Written by `nox -s bench-peers`.{ours}",
        "",
        f"{_machine()}, {datetime.date.today():%Y-%m-%d}. {arguments.note}".rstrip(),
        "",
        *WORDS.splitlines(),
    ]
    for clip in dict.fromkeys(row.clip for row in rows):
        out += [
            "",
            f"## {clip}, at most {arguments.frames} frames",
            "",
            "| package | does | frames/s | processor time a frame, ms | start-up, s | peak memory, MB | installed, MB "
            "| agreement |",
            "|---|---|---|---|---|---|---|---|",
        ]
        for row in rows:
            if row.clip != clip:
                continue
            size = f"{sizes[row.peer.environment] / 1e6:.0f}" if row.peer.environment in sizes else ""
            if not row.found:
                out.append(f"| {row.peer.name} | {row.peer.does} | | | | | {size} | not run: {row.why_not} |")
                continue
            cells = [
                _figure(row.found[key])
                for key in ("frames_per_second", "processor_ms", "start_s", "memory_mb")
            ]
            out.append(
                f"| {row.peer.name} | {row.peer.does} | {' | '.join(cells)} | {size} | {row.agreement} |"
            )
    versions = sorted({f"{n} {v}" for row in rows for n, v in row.found.get("versions", {}).items()})
    return "\n".join([*out, "", f"Versions: {', '.join(versions)}; Python {platform.python_version()}.", ""])


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.0f}" if value >= 100 else f"{value:.1f}"


def _machine() -> str:
    from pyclnf import instruction_set

    name = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                name = line.partition(":")[2].strip()
                break
    return f"{name}, {os.cpu_count()} cores, {platform.system()}, kernels for {instruction_set()}"


def _parser() -> argparse.ArgumentParser:
    shared = (
        ROOT.parent / "shared" if "PYFACEAU_SHARED" not in os.environ else Path(os.environ["PYFACEAU_SHARED"])
    )
    demo = ROOT / "pyfaceau" / "pyfaceau" / "demo" / "data"
    parser = argparse.ArgumentParser(description=__doc__)
    clips = [path for path in (demo / "demo.mp4", shared / "media" / "default.wmv") if path.exists()]
    parser.add_argument("--clips", nargs="*", default=[str(path) for path in clips])
    parser.add_argument("--frames", type=int, default=100, help="at most so many of each clip")
    parser.add_argument("--only", nargs="*", help="peers whose name contains one of these")
    parser.add_argument(
        "--environments", default=str(ROOT / "build" / "peers"), help="folder for the environments"
    )
    parser.add_argument("--note", default="", help="about the machine, for the page")
    models, task = shared / "openface", shared / "data" / "mediapipe" / "face_landmarker.task"
    parser.add_argument(
        "--openface-models", default=str(models) if models.is_dir() else "", help="an installation"
    )
    parser.add_argument(
        "--mediapipe-model", default=str(task) if task.exists() else "", help="face_landmarker.task"
    )
    references = {"demo.mp4": demo / "demo_truth.csv"}
    references |= {"default.wmv": shared / "gold" / "cli" / "FeatureExtraction_clnf_default.csv.gz"}
    parser.set_defaults(
        references={
            name: pd.read_csv(path, skipinitialspace=True)
            for name, path in references.items()
            if path.exists()
        }
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
