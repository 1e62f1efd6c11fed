"""CoreML: the worker that owns the models, the programs that are written, and what they compute."""

from __future__ import annotations

import gc
import os
import threading
import time
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import mtcnn_oracle as oracle
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from pymtcnn import MTCNN, BackendWarning, DetectorWeights, EngineError, EngineOptions, engines
from pymtcnn.backends.worker import Worker

pytestmark = pytest.mark.slow

NAMES = ("PNet", "RNet", "ONet")


def test_a_worker_runs_everything_in_one_thread_in_order() -> None:
    seen: list[tuple[int, int]] = []
    worker = Worker(lambda: threading.get_ident())

    def note(owner: int, i: int) -> int:
        seen.append((i, threading.get_ident()))
        assert owner == threading.get_ident()
        return i * i

    assert [worker.call(lambda owner, i=i: note(owner, i)) for i in range(20)] == [i * i for i in range(20)]
    assert [i for i, _ in seen] == list(range(20))
    assert len({ident for _, ident in seen}) == 1
    assert seen[0][1] != threading.get_ident()
    worker.close()


def test_calls_of_many_threads_never_overlap() -> None:
    inside, most = 0, 0
    worker = Worker(object, capacity=2)

    def job(_: object) -> int:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        time.sleep(0.001)
        inside -= 1
        return threading.get_ident()

    found: list[int] = []
    threads = [
        threading.Thread(target=lambda: found.extend(worker.call(job) for _ in range(10))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1
    assert len(found) == 80
    assert len(set(found)) == 1
    worker.close()


def test_no_more_calls_wait_than_the_capacity() -> None:
    worker = Worker(object, capacity=2)
    gate, entered = threading.Event(), threading.Event()

    def block(_: object) -> None:
        entered.set()
        gate.wait(10)

    threads = [threading.Thread(target=worker.call, args=(block,)) for _ in range(6)]
    for thread in threads:
        thread.start()
    assert entered.wait(10)
    deadline = time.monotonic() + 10
    while worker._queue.qsize() < 2 and time.monotonic() < deadline:
        time.sleep(0.001)
    assert worker._queue.qsize() == 2
    gate.set()
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()
    worker.close()


def test_an_exception_crosses_and_the_worker_goes_on() -> None:
    worker = Worker(lambda: {"a": 1})
    with pytest.raises(KeyError, match="b"):
        worker.call(lambda owned: owned["b"])
    assert worker.call(lambda owned: owned["a"]) == 1
    worker.close()


def test_a_failed_start_is_tried_again() -> None:
    attempts: list[int] = []

    def load() -> str:
        attempts.append(1)
        if len(attempts) == 1:
            raise OSError("disk is full")
        return "loaded"

    worker = Worker(load)
    with pytest.raises(OSError, match="disk is full"):
        worker.call(str)
    assert worker.call(str) == "loaded"
    assert worker.call(str) == "loaded"
    assert len(attempts) == 2
    worker.close()


def test_a_closed_worker_refuses_and_its_thread_ends() -> None:
    worker = Worker(object, name="closing")
    worker.call(str)
    (thread,) = [t for t in threading.enumerate() if t.name == "closing"]
    worker.close()
    assert not thread.is_alive()
    with pytest.raises(RuntimeError, match="closed"):
        worker.call(str)
    worker.close()


def test_a_forgotten_worker_ends_its_thread() -> None:
    worker = Worker(object, name="forgotten")
    worker.call(str)
    (thread,) = [t for t in threading.enumerate() if t.name == "forgotten"]
    gone = weakref.ref(worker)
    del worker
    gc.collect()
    assert gone() is None
    thread.join(10)
    assert not thread.is_alive()


def test_a_waiting_worker_keeps_no_result_alive() -> None:
    class Result:
        pass

    worker = Worker(object)
    result = worker.call(lambda _: Result())
    gone = weakref.ref(result)
    del result
    worker.call(str)
    gc.collect()
    assert gone() is None
    worker.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_process_gets_a_thread_of_its_own(tmp_path: Path) -> None:
    import subprocess
    import sys

    code = (
        "import os, sys\n"
        "from pymtcnn.backends.worker import Worker\n"
        "worker = Worker(os.getpid)\n"
        "assert worker.call(int) == os.getpid()\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    os._exit(0 if worker.call(int) == os.getpid() else 1)\n"
        "sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
    )
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], timeout=60, check=False)
    assert done.returncode == 0


def test_a_capacity_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="capacity"):
        Worker(object, capacity=0)


@pytest.fixture(scope="module")
def packages(
    weights: DetectorWeights, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, dict[str, Path]]:
    """Packages of each precision by names of the networks."""
    pytest.importorskip("onnxruntime", reason="needs the extra 'onnx'")
    pytest.importorskip("coremltools", reason="needs the extra 'coreml'")
    pytest.importorskip(
        "coremltools.libmilstoragepython", reason="this coremltools cannot write weights here"
    )
    from pymtcnn.backends.coreml_program import save_package

    networks = {n.name: n for n in (weights.pnet, weights.rnet, weights.onet)}
    found: dict[str, dict[str, Path]] = {}
    for precision in ("float32", "mixed"):
        folder = tmp_path_factory.mktemp(precision)
        found[precision] = {name: save_package(networks[name], folder, precision) for name in NAMES}  # type: ignore[arg-type]
    return found


def programs(packages: dict[str, dict[str, Path]], precision: str) -> dict[str, Any]:
    from mil_interpreter import Program

    return {name: Program(path) for name, path in packages[precision].items()}


@pytest.mark.parametrize("precision", ["float32", "mixed"])
def test_packages_are_small(packages: dict[str, dict[str, Path]], precision: str) -> None:
    files = [f for path in packages[precision].values() for f in path.rglob("*") if f.is_file()]
    assert 1_000_000 < sum(f.stat().st_size for f in files) < 4_000_000


@pytest.mark.parametrize("precision", ["float32", "mixed"])
def test_inputs_have_the_shapes_that_the_detector_needs(
    packages: dict[str, dict[str, Path]], precision: str
) -> None:
    expected = {
        "PNet": [(1, 1), (3, 3), (12, 4096), (12, 4096)],
        "RNet": [(1, 256), (3, 3), (24, 24), (24, 24)],
        "ONet": [(1, 256), (3, 3), (48, 48), (48, 48)],
    }
    for name, program in programs(packages, precision).items():
        (images,) = program.spec.description.input
        assert images.name == "images"
        ranges = images.type.multiArrayType.shapeRange.sizeRanges
        assert [(r.lowerBound, r.upperBound) for r in ranges] == expected[name]
        assert [output.name for output in program.spec.description.output] == ["outputs"]
        float32 = images.type.multiArrayType.ArrayDataType.Value("FLOAT32")
        assert images.type.multiArrayType.dataType == float32
        # CoreML 5: macOS 12, iOS 15 and later.
        assert list(program.spec.mlProgram.functions["main"].block_specializations) == ["CoreML5"]


@pytest.mark.parametrize("precision", ["float32", "mixed"])
def test_weights_in_the_packages_are_ours(
    weights: DetectorWeights, packages: dict[str, dict[str, Path]], precision: str
) -> None:
    for network in (weights.pnet, weights.rnet, weights.onet):
        program = programs(packages, precision)[network.name]
        half = precision == "mixed" and network.name == "ONet"
        kernels = [layer.kernels for layer in network.layers if hasattr(layer, "kernels")]
        stored = [
            value
            for name, value in program.constants.items()
            if name.startswith("layer") and "weight" in name and np.ndim(value) == 4 and value.shape[2] > 1
        ]
        assert len(stored) == len(kernels)
        for ours, theirs in zip(kernels, stored, strict=True):
            assert theirs.dtype == (np.float16 if half else np.float32)
            assert_array_equal(theirs, ours.astype(theirs.dtype))
        assert program.spec.description.metadata.userDefined["weights_sha256"] == network.sha256


@pytest.mark.parametrize(("name", "side", "count"), [("PNet", 31, 1), ("RNet", 24, 3), ("ONet", 48, 2)])
@pytest.mark.parametrize(("precision", "bound"), [("float32", 5e-6), ("mixed", 1e-2)])
def test_programs_compute_the_networks(
    weights: DetectorWeights,
    packages: dict[str, dict[str, Path]],
    precision: str,
    bound: float,
    name: str,
    side: int,
    count: int,
) -> None:
    layers = getattr(weights, name.lower()).layers
    images = np.random.default_rng(3).uniform(-1, 1, (count, 3, side, side)).astype(np.float32)
    found = programs(packages, precision)[name].predict({"images": images})["outputs"]
    expected = np.array([oracle.network(image, layers) for image in images])
    assert found.dtype == np.float32
    assert_allclose(found, expected, atol=bound * max(1, np.abs(expected).max()))


def coreml_detector(weights: DetectorWeights, models: Mapping[str, Any], fallback: bool = False) -> MTCNN:
    """A detector on CoreML's engine, with models of the same interface."""
    from pymtcnn.backends import coreml

    detector = MTCNN("numpy", weights, fallback=fallback)
    detector._engine = coreml.make_backend(lambda: models, EngineOptions())
    return detector


@pytest.mark.parametrize(("precision", "bound"), [("float32", 1e-3), ("mixed", 0.1)])
def test_the_engine_finds_the_face(
    weights: DetectorWeights,
    packages: dict[str, dict[str, Path]],
    astronaut: np.ndarray,
    precision: str,
    bound: float,
) -> None:
    detector = coreml_detector(weights, programs(packages, precision))
    (expected,) = MTCNN("numpy", weights).detect(astronaut)
    (found,) = detector.detect(astronaut)
    assert_allclose(found.box, expected.box, atol=bound)
    assert_allclose(found.points, expected.points, atol=bound)
    assert detector.backend == "coreml"
    assert detector.provenance["compute_units"] == "all"


class Recorder:
    """A model that notes who calls it."""

    def __init__(self, model: Any, seen: list[tuple[int, int]]) -> None:
        self.model, self.seen = model, seen

    def predict(self, data: dict[str, Any]) -> Any:
        self.seen.append((threading.get_ident(), len(data["images"])))
        return self.model.predict(data)


def test_detectors_calls_from_several_threads_meet_the_models_in_one(
    weights: DetectorWeights, packages: dict[str, dict[str, Path]], astronaut: np.ndarray
) -> None:
    seen: list[tuple[int, int]] = []
    models = {name: Recorder(model, seen) for name, model in programs(packages, "float32").items()}
    detector = coreml_detector(weights, models)
    small = np.ascontiguousarray(astronaut[:256, 80:360])
    expected = detector.detect(small)[0].box
    found: list[np.ndarray] = []
    threads = [threading.Thread(target=lambda: found.append(detector.detect(small)[0].box)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert_array_equal(found, np.broadcast_to(expected, (4, 4)))
    assert len({ident for ident, _ in seen}) == 1


def test_more_candidates_than_a_program_takes_run_in_parts(weights: DetectorWeights) -> None:
    pytest.importorskip("coremltools", reason="needs the extra 'coreml'")
    from pymtcnn.backends.coreml import CoremlNetwork

    class Counting:
        def predict(self, data: dict[str, Any]) -> dict[str, Any]:
            images = data["images"]
            sizes.append(len(images))
            assert images.flags.c_contiguous
            means = images.mean(axis=(1, 2, 3))
            return {"outputs": np.stack([means] * 6, axis=1)}

    sizes: list[int] = []
    network = CoremlNetwork(Worker(lambda: {"RNet": Counting()}), "RNet")
    batch = np.random.default_rng(0).uniform(-1, 1, (600, 3, 24, 24)).astype(np.float32)
    output = network.run(batch)
    assert sizes == [256, 256, 88]
    assert_allclose(output.regression[:, 0], batch.mean(axis=(1, 2, 3)), atol=1e-6)


def test_models_that_fail_are_replaced_and_no_frame_is_lost(
    weights: DetectorWeights, astronaut: np.ndarray
) -> None:
    pytest.importorskip("coremltools", reason="needs the extra 'coreml'")

    class Broken:
        def predict(self, data: dict[str, Any]) -> dict[str, Any]:
            raise RuntimeError("Error computing NN outputs")

    models = dict.fromkeys(NAMES, Broken())
    detector = coreml_detector(weights, models, fallback=True)
    with pytest.warns(
        BackendWarning, match=r"'coreml' cannot be used \(CoreML failed in PNet: Error computing"
    ):
        (found,) = detector.detect(astronaut)
    assert_array_equal(found.box, MTCNN("native", weights).detect(astronaut)[0].box)
    with pytest.raises(EngineError, match="Error computing"):
        coreml_detector(weights, models).detect(astronaut)


def test_compiled_models_are_kept_by_weights_precision_and_version(
    weights: DetectorWeights, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """On macOS coremltools compiles and loads; here both are stood in for, the folder is real."""
    pytest.importorskip("onnxruntime", reason="needs the extra 'onnx'")
    pytest.importorskip("coremltools", reason="needs the extra 'coreml'")
    pytest.importorskip(
        "coremltools.libmilstoragepython", reason="this coremltools cannot write weights here"
    )
    from pymtcnn.backends import coreml

    compiled: list[str] = []

    def compile_model(package: str) -> str:
        compiled.append(Path(package).name)
        folder = tmp_path / f"compiled{len(compiled)}.mlmodelc"
        folder.mkdir()
        (folder / "model.mil").write_text(Path(package).name)
        return str(folder)

    class Loaded:
        def __init__(self, path: str, units: Any) -> None:
            self.path, self.units = Path(path), units

    monkeypatch.setattr(coreml.ct.models.utils, "compile_model", compile_model)
    monkeypatch.setattr(coreml.ct.models, "CompiledMLModel", Loaded)
    options = EngineOptions(compute_units="cpu_and_gpu")
    first = coreml.load_models(weights, options)
    assert compiled == [f"{name}.mlpackage" for name in NAMES]
    assert list(first) == list(NAMES)
    model = first["RNet"]
    assert isinstance(model, Loaded)
    assert (model.path / "model.mil").read_text() == "RNet.mlpackage"
    assert model.units == coreml.ct.ComputeUnit.CPU_AND_GPU
    assert not list(tmp_path.glob("compiled*"))
    again = coreml.load_models(weights, options)["RNet"]
    assert isinstance(again, Loaded)
    assert again.path == model.path
    assert len(compiled) == 3
    coreml.load_models(weights, EngineOptions(precision="mixed"))
    assert len(compiled) == 6
    assert sorted(p.name for p in model.path.parent.iterdir()) == sorted(f"{name}.mlmodelc" for name in NAMES)


def test_the_probe_runs_on_coremls_engine(
    weights: DetectorWeights, packages: dict[str, dict[str, Path]]
) -> None:
    from pymtcnn.backends import coreml

    backend = coreml.make_backend(lambda: programs(packages, "float32"), EngineOptions())
    assert engines.probe(backend) > 0
