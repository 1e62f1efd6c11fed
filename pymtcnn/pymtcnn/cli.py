"""The command ``pymtcnn``: what can run here, and the networks as files."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from .backends.interface import EngineOptions
from .backends.registry import extra_of
from .engines import BackendInfo, available_backends
from .errors import BackendError, PyMTCNNError
from .weights import load_weights

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    arguments : sequence of str, optional
        Words after the command's name; those of the process by default.

    Returns
    -------
    int
        Exit status: 0, or 1 after an error that is printed.
    """
    parsed = _parser().parse_args(arguments)
    try:
        if parsed.command == "backends":
            _list_backends(parsed)
        else:
            _export(parsed)
    except (PyMTCNNError, OSError, ValueError) as error:
        print(f"pymtcnn: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="pymtcnn", description="Face detection with OpenFace 2.2's MTCNN.")
    commands = parser.add_subparsers(dest="command", required=True)
    backends = commands.add_parser("backends", help="list the engines, and how fast they are here")
    backends.add_argument("--no-measure", action="store_true", help="do not start and measure them")
    backends.add_argument("--threads", type=int, default=1, help="threads on one image (default 1)")
    backends.add_argument("--json", action="store_true", help="print JSON")
    export = commands.add_parser("export", help="write the networks as ONNX or CoreML files")
    export.add_argument("format", choices=("onnx", "coreml"))
    export.add_argument("folder", type=Path)
    export.add_argument(
        "--weights", type=Path, help="OpenFace's weights; those of the package mtcnn by default"
    )
    export.add_argument(
        "--precision", choices=("float32", "mixed"), default="float32", help="of CoreML's programs"
    )
    return parser


def _list_backends(parsed: argparse.Namespace) -> None:
    infos = available_backends(not parsed.no_measure, EngineOptions(threads=parsed.threads))
    if parsed.json:
        print(json.dumps([asdict(info) for info in infos], indent=1))
        return
    for info in infos:
        print(f"{info.name:8} {_state(info)}")


def _state(info: BackendInfo) -> str:
    if not info.available:
        return f"not available: {info.reason}"
    if info.milliseconds is None:
        return "available"
    return f"available  {info.milliseconds:7.2f} ms for a frame of 640 x 480"


def _export(parsed: argparse.Namespace) -> None:
    weights = load_weights(parsed.weights)
    parsed.folder.mkdir(parents=True, exist_ok=True)
    try:
        if parsed.format == "onnx":
            from .backends.onnx_graphs import network_model
        else:
            from .backends.coreml_program import save_package
    except ImportError as error:
        raise BackendError(
            f'{parsed.format} files cannot be written ({error}); run: pip install "pymtcnn[{extra_of(parsed.format)}]"'
        ) from error
    for network in (weights.pnet, weights.rnet, weights.onet):
        if parsed.format == "onnx":
            path = parsed.folder / f"{network.name}.onnx"
            path.write_bytes(network_model(network).SerializeToString())
        else:
            path = save_package(network, parsed.folder, parsed.precision)
        print(path)
