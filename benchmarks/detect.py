"""Milliseconds a frame of each engine and detector: ``python -m benchmarks.detect``.

Other packages run in environments of their own: ``--peer mtcnn=PYTHON --peer pymtcnn-1.2.0=PYTHON``, with the Python of
each. All take turns. The table has processor time, which other work on the machine changes least; a detector that uses
several threads at once takes less time than that, and the JSON file has both.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.machine import machine

SIZES = ((480, 640), (1080, 1920))
BATCH = 16

# Run by the other environment's Python: reads frames, times what its package offers, prints JSON.
_PEER = """
import importlib.metadata, json, sys, time
import numpy as np
name, path, runs = sys.argv[1], sys.argv[2], int(sys.argv[3])
frame = np.load(path, allow_pickle=False)
if name.startswith("pymtcnn"):
    from pymtcnn import MTCNN
    detector = MTCNN()  # looks for faces from 60 px, like the others here
    version = importlib.metadata.version("pymtcnn")
    def detect():
        return len(detector.detect(frame)[0])
    def batch():
        detector.detect_batch([frame] * 16)
else:
    from mtcnn import MTCNN
    detector = MTCNN()
    version = importlib.metadata.version("mtcnn")
    rgb = np.ascontiguousarray(frame[:, :, ::-1])
    # With min_face_size=60 it finds no face in this frame, so its default of 20 px stays.
    def detect():
        return len(detector.detect_faces(rgb))
    def batch():
        detector.detect_faces([rgb] * 16)
def timed(function, share):
    start, busy = time.perf_counter(), time.process_time()
    function()
    return [1e3 * (time.process_time() - busy) / share, 1e3 * (time.perf_counter() - start) / share]
faces = detect()
single = [timed(detect, 1) for _ in range(runs)]
several = [timed(batch, 16) for _ in range(2)]
print(json.dumps({"single": single, "batch": several, "faces": faces, "version": version}))
"""


def main() -> int:
    """Run the command line."""
    arguments = _parser().parse_args()
    frames = {size: frame(arguments.image, *size) for size in SIZES}
    engines = _engines(arguments)
    report: dict[str, Any] = {
        "machine": {**machine(), "opencv": cv2.__version__},
        "threads": arguments.threads,
        "rows": {},
    }
    times: dict[str, dict[str, list[_Times]]] = {name: {} for name in engines}
    faces: dict[str, dict[str, int]] = {name: {} for name in engines}
    versions: dict[str, str] = {}
    for size, image in frames.items():
        label = f"{size[1]}x{size[0]}"
        for name, (single, batch) in engines.items():
            faces[name][label] = single(image)  # the first run prepares
            if batch is not None:
                batch([image] * BATCH)
        for _ in range(arguments.runs):
            for name, (single, batch) in engines.items():
                times[name].setdefault(label, []).append(_ms(single, image))
                if batch is not None:
                    busy, wall = _ms(batch, [image] * BATCH)
                    times[name].setdefault(f"{label} x {BATCH}", []).append((busy / BATCH, wall / BATCH))
        for peer in arguments.peer:
            name, python = peer.split("=", 1)
            result = _peer(name, python, image, arguments.runs)
            columns = times.setdefault(name, {})
            columns[label] = [(busy, wall) for busy, wall in result["single"]]
            columns[f"{label} x {BATCH}"] = [(busy, wall) for busy, wall in result["batch"]]
            faces.setdefault(name, {})[label] = result["faces"]
            versions[name] = result["version"]
    for name, columns in times.items():
        report["rows"][name] = {
            "processor_ms": {label: round(min(busy for busy, _ in v), 2) for label, v in columns.items()},
            "elapsed_ms": {label: round(min(wall for _, wall in v), 2) for label, v in columns.items()},
            "faces": faces[name],
            "version": versions.get(name),
        }
    print(_table(report))
    if arguments.json:
        arguments.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.detect", description=__doc__)
    parser.add_argument("--image", type=Path, help="a photograph; by default the astronaut of scikit-image")
    parser.add_argument("--threads", type=int, default=1, help="threads of the engines and of OpenCV")
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--yunet", type=Path, help="YuNet's model file")
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=PYTHON")
    parser.add_argument("--json", type=Path, help="write the figures there")
    return parser


def frame(path: Path | None, height: int, width: int) -> NDArray[np.uint8]:
    """Scale a photograph to a height, and put it into a grey frame of a size."""
    if path is None:
        import skimage.data

        photograph = np.ascontiguousarray(skimage.data.astronaut()[:, :, ::-1])
    else:
        photograph = np.asarray(cv2.imread(str(path)), np.uint8)
    scale = min(height / photograph.shape[0], width / photograph.shape[1])
    size = (round(photograph.shape[1] * scale), round(photograph.shape[0] * scale))
    scaled = cv2.resize(photograph, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    image = np.full((height, width, 3), 127, np.uint8)
    image[: scaled.shape[0], : scaled.shape[1]] = scaled
    return image


_Times = tuple[float, float]  # of the processor, and elapsed, ms
_Run = tuple[Callable[[Any], int], Callable[[Any], Any] | None]


def _engines(arguments: argparse.Namespace) -> dict[str, _Run]:
    """List what can run here: name, and how to detect in one frame and in a list of frames."""
    from pyfaceau.detectors import HaarDetector, YuNetDetector
    from pymtcnn import MTCNN, EngineOptions, available_backends

    options = EngineOptions(threads=arguments.threads)
    engines: dict[str, _Run] = {}
    for info in available_backends(options=options):
        if not info.available:
            print(f"{info.name}: {info.reason}", file=sys.stderr)
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            detector = MTCNN(info.name, threads=arguments.threads)  # type: ignore[arg-type]
        engines[f"pymtcnn {info.name}"] = (_counting(detector), detector.detect_batch)
    if any(name == "pymtcnn onnx" for name in engines):
        device = MTCNN(
            "cuda", options=EngineOptions(provider="CPUExecutionProvider"), threads=arguments.threads
        )
        engines["pymtcnn cuda's class on the CPU provider"] = (_counting(device), device.detect_batch)
    cv2.setNumThreads(arguments.threads)
    engines["OpenCV Haar"] = (_counting(HaarDetector()), None)
    if arguments.yunet:
        engines["OpenCV YuNet"] = (_counting(YuNetDetector(arguments.yunet)), None)
    return engines


def _counting(detector: Any) -> Callable[[Any], int]:
    return lambda image: len(detector.detect(image))


def _ms(function: Callable[[Any], Any], argument: Any) -> _Times:
    began, busy = time.perf_counter(), time.process_time()
    function(argument)
    return 1e3 * (time.process_time() - busy), 1e3 * (time.perf_counter() - began)


def _peer(name: str, python: str, image: NDArray[np.uint8], runs: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "frame.npy"
        np.save(path, image, allow_pickle=False)
        quiet = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}
        done = subprocess.run(
            [python, "-c", _PEER, name, str(path), str(runs)],
            capture_output=True,
            text=True,
            check=False,
            env=quiet,
            cwd=folder,
        )
    if done.returncode:
        raise SystemExit(f"{name}: {done.stderr.strip()[-2000:]}")
    result: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return result


def _table(report: dict[str, Any]) -> str:
    """Write a Markdown table of the least times, as a busy machine only ever adds."""
    labels = [label for size in SIZES for label in (f"{size[1]}x{size[0]}", f"{size[1]}x{size[0]} x {BATCH}")]
    lines = [
        "| ms of processor time a frame | " + " | ".join(labels) + " | faces |",
        "|---|" + "---|" * (len(labels) + 1),
    ]
    for name, row in report["rows"].items():
        cells = [
            f"{row['processor_ms'][label]:.1f}" if label in row["processor_ms"] else "" for label in labels
        ]
        counts = ", ".join(str(count) for count in row["faces"].values())
        lines.append(f"| {name} | " + " | ".join(cells) + f" | {counts} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
