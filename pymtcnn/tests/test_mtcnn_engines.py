"""Which engine runs: by name, by itself, and in place of one that fails."""

from __future__ import annotations

import importlib
import importlib.util
import json
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mtcnn_engines import engine_detector
from numpy.testing import assert_array_equal
from numpy.typing import NDArray

from pymtcnn import (
    MTCNN,
    BackendError,
    BackendWarning,
    DetectorWeights,
    EngineError,
    EngineOptions,
    available_backends,
    cli,
    engines,
)
from pymtcnn.backends import ENGINES, registry

Image = NDArray[np.uint8]

needs_onnx = pytest.mark.skipif(
    importlib.util.find_spec("onnxruntime") is None, reason="needs the extra 'onnx'"
)


def state(name: str, **settings: Any) -> engines.BackendInfo:
    return next(info for info in available_backends(**settings) if info.name == name)


def hide(monkeypatch: pytest.MonkeyPatch, engine: str, *modules: str) -> None:
    """Make an engine's modules impossible to import."""
    for module in modules:
        monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.delitem(sys.modules, f"pymtcnn.backends.{engine}", raising=False)


def hide_native(monkeypatch: pytest.MonkeyPatch) -> None:
    hide(monkeypatch, "native", "pymtcnn._core")
    monkeypatch.delattr("pymtcnn._core", raising=False)


@pytest.mark.slow
def test_every_engine_is_listed_and_those_that_run_come_first() -> None:
    infos = available_backends()
    assert {info.name for info in infos} == set(ENGINES)
    flags = [info.available for info in infos]
    assert flags == sorted(flags, reverse=True)
    assert infos[0].name == "native"
    assert all((info.reason is None) == info.available for info in infos)
    assert all(info.milliseconds is None for info in infos)


def test_measured_engines_have_a_time() -> None:
    infos = [info for info in available_backends(measure=True) if info.available]
    assert {"native", "numpy"} <= {info.name for info in infos}
    assert all(info.milliseconds is not None and 0 < info.milliseconds < 5000 for info in infos)


def test_the_first_entry_exists_even_where_nothing_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ENGINES:
        monkeypatch.setitem(sys.modules, f"pymtcnn.backends.{name}", None)
    infos = available_backends()
    assert not infos[0].available
    assert "cannot be used here" in str(infos[0].reason)
    with pytest.raises(BackendError, match="cannot be used here"):
        MTCNN()


def test_auto_takes_the_compiled_engine_and_says_so(weights: DetectorWeights) -> None:
    detector = MTCNN(weights=weights)
    assert detector.backend == "native"
    assert detector.provenance["backend"] == "native"
    assert detector.provenance["instruction_set"]
    assert detector.provenance["sha256_ONet"] == weights.onet.sha256


def test_auto_without_the_compiled_engine_takes_numpy_with_a_warning(
    weights: DetectorWeights, monkeypatch: pytest.MonkeyPatch
) -> None:
    hide_native(monkeypatch)
    with pytest.warns(BackendWarning, match="compiled engine is not installed"):
        detector = MTCNN(weights=weights)
    assert detector.backend == "numpy"
    assert not state("native").available
    with pytest.raises(BackendError, match="'native' cannot be used here"):
        MTCNN(backend="native", weights=weights)


def test_an_unknown_engine_is_refused_with_the_known_ones(weights: DetectorWeights) -> None:
    with pytest.raises(BackendError, match=r"unknown backend 'tensorrt'.*'auto', 'native', .*'numpy'"):
        MTCNN(backend="tensorrt", weights=weights)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("engine", "module", "extra"),
    [("onnx", "onnxruntime", "onnx"), ("cuda", "onnxruntime", "cuda"), ("coreml", "coremltools", "coreml")],
)
def test_a_missing_package_is_an_error_that_names_the_extra(
    weights: DetectorWeights, monkeypatch: pytest.MonkeyPatch, engine: Any, module: str, extra: str
) -> None:
    for name in [m for m in sys.modules if m.startswith("pymtcnn.backends.")]:
        if name.rsplit(".", 1)[1] in {"onnx", "cuda", "device", "sessions", "coreml", "quiet_coremltools"}:
            monkeypatch.delitem(sys.modules, name)
    hide(monkeypatch, engine, module)
    remedy = rf'pip install "pymtcnn\[{extra}\]"'
    with pytest.raises(BackendError, match=remedy):
        MTCNN(backend=engine, weights=weights)
    assert state(engine).reason is not None
    assert f"pymtcnn[{extra}]" in str(state(engine).reason)


def test_the_name_cpu_of_earlier_versions_still_works(weights: DetectorWeights) -> None:
    with pytest.warns(DeprecationWarning, match=r"pymtcnn 1\.x"):
        assert MTCNN(backend="cpu", weights=weights).backend == "native"


@needs_onnx
def test_a_missing_device_is_replaced_with_a_warning_that_says_why(
    weights: DetectorWeights, astronaut: Image
) -> None:
    options = EngineOptions(provider="NoSuchExecutionProvider")
    with pytest.warns(
        BackendWarning, match=r"'cuda' cannot be used \(.*no NoSuchExecutionProvider.*'native' runs"
    ) as seen:
        detector = MTCNN("cuda", weights, options=options)
    assert [warning.filename for warning in seen] == [__file__]  # points at the caller
    assert detector.backend == "native"
    assert detector.provenance["backend_asked_for"] == "cuda"
    assert_array_equal(detector.detect(astronaut)[0].box, MTCNN("native", weights).detect(astronaut)[0].box)


@needs_onnx
def test_without_fallback_a_missing_device_is_an_error(weights: DetectorWeights) -> None:
    with pytest.raises(EngineError, match="no NoSuchExecutionProvider"):
        MTCNN("cuda", weights, options=EngineOptions(provider="NoSuchExecutionProvider"), fallback=False)


@pytest.mark.skipif(sys.platform == "darwin", reason="CoreML predicts here")
def test_coreml_elsewhere_than_on_macos_is_replaced(weights: DetectorWeights) -> None:
    pytest.importorskip("coremltools", reason="needs the extra 'coreml'")
    with pytest.warns(BackendWarning, match="macOS only"):
        assert MTCNN("coreml", weights).backend == "native"
    assert "macOS" in str(state("coreml").reason)


def break_runs(monkeypatch: pytest.MonkeyPatch, after: int) -> list[int]:
    """Let ONNX Runtime fail as a lost device does, from a run on; counts the runs."""
    import onnxruntime

    original: Callable[..., Any] = onnxruntime.InferenceSession.run_with_iobinding
    runs: list[int] = []

    def failing(session: Any, *arguments: Any) -> Any:
        runs.append(1)
        if len(runs) > after:
            raise RuntimeError("CUDA failure 999: unknown error\nand a long trace")
        return original(session, *arguments)

    monkeypatch.setattr(onnxruntime.InferenceSession, "run_with_iobinding", failing)
    return runs


@needs_onnx
@pytest.mark.parametrize("after", [0, 1, 2], ids=["in PNet", "in RNet", "in ONet"])
def test_a_device_that_fails_in_a_run_loses_no_frame(
    weights: DetectorWeights, astronaut: Image, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    detector = MTCNN("cuda", weights, options=EngineOptions(provider="CPUExecutionProvider"))
    break_runs(monkeypatch, after)
    frames = [astronaut, astronaut[:, ::-1], astronaut[:300]]
    with pytest.warns(
        BackendWarning, match=r"CUDA failure 999: unknown error.*'native' runs instead"
    ) as seen:
        found = detector.detect_batch(frames)
    assert len(seen) == 1
    assert "long trace" not in str(seen[0].message)
    assert seen[0].filename == __file__
    native = MTCNN("native", weights)
    for faces, frame in zip(found, frames, strict=True):
        assert_array_equal([f.box for f in faces], [f.box for f in native.detect(frame)])
    assert detector.backend == "native"
    assert detector.provenance["backend_asked_for"] == "cuda"
    assert len(detector.detect(astronaut)) == 1  # and says nothing any more


@needs_onnx
def test_without_fallback_a_failing_device_is_an_error(
    weights: DetectorWeights, astronaut: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    detector = engine_detector("device", weights)
    break_runs(monkeypatch, 0)
    with pytest.raises(EngineError, match="CUDA failure 999"):
        detector.detect(astronaut)


def test_a_mistake_of_the_caller_is_no_reason_to_change_the_engine(
    weights: DetectorWeights, detector: MTCNN
) -> None:
    before = detector.backend
    with pytest.raises(ValueError, match="empty"):
        detector.detect(np.empty((0, 5, 3), np.uint8))
    assert detector.backend == before


def accelerate(monkeypatch: pytest.MonkeyPatch, times: dict[str, float]) -> list[str]:
    """Stand ONNX Runtime's CPU provider in for CUDA's, with given times; counts the measurements."""
    probed: list[str] = []

    def measured(backend: Any) -> float:
        name = "processor" if backend.name in ("native", "numpy") else "cuda"
        probed.append(name)
        return times[name]

    cuda = importlib.import_module("pymtcnn.backends.cuda")
    monkeypatch.setattr(cuda, "CUDA_PROVIDER", "CPUExecutionProvider")
    monkeypatch.setattr(engines, "_has_cuda_build", lambda: True)
    monkeypatch.setattr(engines, "probe", measured)
    return probed


@needs_onnx
def test_auto_takes_a_clearly_faster_device_and_says_that_digits_change(
    weights: DetectorWeights, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    probed = accelerate(monkeypatch, {"processor": 3.0, "cuda": 0.5})
    with caplog.at_level(logging.INFO), pytest.warns(BackendWarning, match=r"auto takes 'cuda' \(0.50 ms"):
        detector = MTCNN(weights=weights)
    assert detector.provenance["provider"] == "CPUExecutionProvider"
    assert "processor 3.00 ms, cuda 0.50 ms" in caplog.text
    assert probed == ["processor", "cuda"]


@needs_onnx
def test_auto_measures_once_a_machine(
    weights: DetectorWeights, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    probed = accelerate(monkeypatch, {"processor": 3.0, "cuda": 2.9})
    for _ in range(3):
        assert MTCNN(weights=weights).backend == "native"
    assert probed == ["processor", "cuda"]
    (record,) = (tmp_path / "cache").glob("engines-*.json")
    assert json.loads(record.read_text())["milliseconds"] == {"processor": 3.0, "cuda": 2.9}
    record.write_text("[damaged")
    assert MTCNN(weights=weights).backend == "native"
    assert len(probed) == 4


@needs_onnx
def test_auto_goes_on_where_the_device_does_not_start(
    weights: DetectorWeights, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "_has_cuda_build", lambda: True)
    assert MTCNN(weights=weights).backend == "native"  # the installed build has no CUDA provider


def test_auto_does_not_load_onnx_runtime_for_nothing() -> None:
    import subprocess

    code = "import sys, pymtcnn; pymtcnn.MTCNN(); sys.exit('onnxruntime' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_probe_takes_about_fifty_milliseconds(weights: DetectorWeights) -> None:
    import time

    backend = registry.create_engine("native", weights)
    engines.probe(backend)
    began = time.perf_counter()
    milliseconds = engines.probe(backend)
    assert time.perf_counter() - began < 2
    assert 0.1 < milliseconds < 1000


@pytest.mark.parametrize(
    "settings",
    [{"threads": 0}, {"device": -1}, {"compute_units": "tpu"}, {"precision": "float8"}],
)
def test_options_out_of_range_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(settings))):
        EngineOptions(**settings)


def test_the_command_lists_engines(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["backends"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(ENGINES)
    assert lines[0].startswith("native")
    assert "ms for a frame of 640 x 480" in lines[0]


def test_the_command_lists_engines_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["backends", "--json", "--no-measure"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert {entry["name"] for entry in listed} == set(ENGINES)
    assert all(entry["available"] or entry["reason"] for entry in listed)


@needs_onnx
def test_the_command_writes_onnx_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["export", "onnx", str(tmp_path / "new")]) == 0
    assert [Path(line).name for line in capsys.readouterr().out.split()] == [
        "PNet.onnx",
        "RNet.onnx",
        "ONet.onnx",
    ]
    assert sum(path.stat().st_size for path in (tmp_path / "new").iterdir()) < 2_500_000


def test_the_command_says_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["export", "onnx", str(tmp_path), "--weights", str(tmp_path / "nowhere")]) == 1
    assert "nowhere" in capsys.readouterr().err
    assert cli.main(["backends", "--threads", "0"]) == 1
    assert "threads is 0" in capsys.readouterr().err
