"""Whole stages on a device by ONNX Runtime: a frame goes there once, levels and candidates run in batches."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from ..networks import DetectorWeights
from ..pyramid import Frame, PyramidLevel, crop_taps
from .interface import ONET_SIDE, RNET_SIDE, EngineOptions, NetworkOutput, interpret
from .mosaic import Place, build_mosaic
from .onnx_graphs import FrameType, crops_model, mosaic_model
from .sessions import CUDA_PROVIDER, create_session, engine_errors

__all__ = ["DeviceBackend"]

Float32 = NDArray[np.float32]
Index = NDArray[np.intp]
_Stage = Literal["pnet", "rnet", "onet"]

# ONNX Runtime's names of the memory that providers compute in; all others take their inputs from the processor's.
_MEMORY = {CUDA_PROVIDER: "cuda", "DmlExecutionProvider": "dml"}

# Numbers of candidates are rounded up to a power of two from here on, so that a device prepares for few shapes.
_SMALLEST_BATCH = 8
# Candidates that run together; bounds the device's memory on frames full of faces.
_LARGEST_BATCH = 1024

# Frame sizes whose layout stays on the device.
_LAYOUTS_KEPT = 4


@dataclass(frozen=True)
class _Layout:
    """A mosaic whose arrays are on the device."""

    places: tuple[Place, ...]
    inputs: dict[str, Any]


class DeviceBackend:
    """The three stages on one execution provider of ONNX Runtime.

    Implements `pymtcnn.backends.Backend` and `BatchBackend`. PNet runs over all levels of a pyramid in one image; the
    pyramid and the crops are sampled on the device, with the arithmetic of `pymtcnn.pyramid`. Boxes stay on the
    processor, in NumPy.

    Parameters
    ----------
    weights : DetectorWeights
        Weights of the networks.
    provider : str
        Execution provider.
    options : EngineOptions
        Device and threads.

    Raises
    ------
    EngineError
        The provider is missing or does not start.
    """

    def __init__(self, weights: DetectorWeights, provider: str, options: EngineOptions) -> None:
        self.provider = provider
        self.name = "cuda" if provider == CUDA_PROVIDER else f"onnx ({provider})"
        self._weights = weights
        self._options = options
        self._memory = _MEMORY.get(provider, "cpu")
        self._sessions: dict[tuple[_Stage, FrameType], onnxruntime.InferenceSession] = {}
        self._layouts: OrderedDict[tuple[Any, ...], _Layout] = OrderedDict()
        self._lock = threading.Lock()
        self._session("pnet", "uint8")  # fails here rather than at the first frame

    @property
    def details(self) -> dict[str, str]:
        """Version, provider and device."""
        return {
            "onnxruntime": onnxruntime.__version__,
            "provider": self.provider,
            "device": str(self._options.device),
        }

    def open(self, frames: Sequence[Frame]) -> _DeviceFrames:
        """Take frames to the device; see `pymtcnn.backends.BatchBackend.open`."""
        return _DeviceFrames(self, np.stack(frames))

    def propose(self, frame: Frame, levels: Sequence[PyramidLevel]) -> list[NetworkOutput]:
        """Apply PNet; see `pymtcnn.backends.Backend.propose`."""
        return self.open([frame]).propose(levels)[0]

    def refine(self, frame: Frame, boxes: Float32) -> NetworkOutput:
        """Apply RNet; see `pymtcnn.backends.Backend.refine`."""
        return self.open([frame]).refine(np.zeros(len(boxes), np.intp), boxes)

    def finish(self, frame: Frame, boxes: Float32) -> NetworkOutput:
        """Apply ONet; see `pymtcnn.backends.Backend.finish`."""
        return self.open([frame]).finish(np.zeros(len(boxes), np.intp), boxes)

    def upload(self, values: NDArray[Any]) -> Any:
        """Copy an array to the device's memory."""
        with engine_errors(f"copying to the device of {self.provider}"):
            return onnxruntime.OrtValue.ortvalue_from_numpy(values, self._memory, self._options.device)

    def run(self, stage: _Stage, frame_type: FrameType, inputs: dict[str, Any]) -> Float32:
        """Run a stage on arrays of either memory; its output, in the processor's."""
        session = self._session(stage, frame_type)
        with engine_errors(f"{self.provider} in {stage}"):
            binding = session.io_binding()
            for name, value in inputs.items():
                if isinstance(value, np.ndarray):
                    binding.bind_cpu_input(name, value)
                else:
                    binding.bind_ortvalue_input(name, value)
            binding.bind_output("outputs")
            session.run_with_iobinding(binding)
            output: Float32 = binding.copy_outputs_to_cpu()[0]
        return output

    def layout(self, shape: tuple[int, ...], levels: Sequence[PyramidLevel]) -> _Layout:
        """Mosaic for frames of a shape, prepared once."""
        key = (shape, tuple((level.scale, level.height, level.width) for level in levels))
        with self._lock:
            if key in self._layouts:
                self._layouts.move_to_end(key)
                return self._layouts[key]
        mosaic = build_mosaic(levels, shape[1])
        size = np.array([-1, mosaic.height, mosaic.width, 3], np.int64)
        arrays = {name: getattr(mosaic, name) for name in ("taps", "column_weights", "row_weights", "valid")}
        inputs = {name: self.upload(values) for name, values in arrays.items()}
        layout = _Layout(mosaic.places, {**inputs, "size": size})
        with self._lock:
            self._layouts[key] = layout
            while len(self._layouts) > _LAYOUTS_KEPT:
                self._layouts.popitem(last=False)
        return layout

    def _session(self, stage: _Stage, frame_type: FrameType) -> onnxruntime.InferenceSession:
        with self._lock:
            key = (stage, frame_type)
            if key not in self._sessions:
                build = mosaic_model if stage == "pnet" else crops_model
                model = build(getattr(self._weights, stage), frame_type)
                self._sessions[key] = create_session(model, self.provider, self._options)
            return self._sessions[key]


class _DeviceFrames:
    """Frames on the device; implements `pymtcnn.backends.FrameBatch`."""

    def __init__(self, backend: DeviceBackend, frames: NDArray[Any]) -> None:
        self._backend = backend
        self._shape = frames.shape
        self._type: FrameType = "uint8" if frames.dtype == np.uint8 else "float32"
        self._frames = backend.upload(frames)

    def propose(self, levels: Sequence[PyramidLevel]) -> list[list[NetworkOutput]]:
        if not levels:
            return [[] for _ in range(self._shape[0])]
        layout = self._backend.layout(self._shape[1:], levels)
        raw = self._backend.run("pnet", self._type, {"frames": self._frames, **layout.inputs})
        everything = interpret(raw.swapaxes(0, 1))
        outputs: list[list[NetworkOutput]] = [[] for _ in range(self._shape[0])]
        for place in layout.places:
            rows, columns = place.cells
            for i, found in enumerate(outputs):
                probability = everything.probability[i : i + 1, rows, columns]
                found.append(NetworkOutput(probability, everything.regression[i : i + 1, :, rows, columns]))
        return outputs

    def refine(self, which: Index, boxes: Float32) -> NetworkOutput:
        return self._candidates("rnet", RNET_SIDE, which, boxes)

    def finish(self, which: Index, boxes: Float32) -> NetworkOutput:
        return self._candidates("onet", ONET_SIDE, which, boxes)

    def _candidates(self, stage: _Stage, side: int, which: Index, boxes: Float32) -> NetworkOutput:
        raw = np.concatenate(
            [
                self._run(
                    stage, side, which[start : start + _LARGEST_BATCH], boxes[start : start + _LARGEST_BATCH]
                )
                for start in range(0, len(boxes), _LARGEST_BATCH)
            ]
        )
        return interpret(raw.T)

    def _run(self, stage: _Stage, side: int, which: Index, boxes: Float32) -> Float32:
        _, height, width, _ = self._shape
        count = len(boxes)
        padded = max(_SMALLEST_BATCH, 1 << (count - 1).bit_length())
        fill = np.zeros(padded, np.intp)
        fill[:count] = np.arange(count)
        which, boxes = which[fill], boxes[fill]
        taps = crop_taps(boxes, side, height, width)
        # Weights of the two neighbours; 0 makes what lies outside the frame black.
        weights = np.stack([np.float32(1) - taps.weights, taps.weights], axis=1)
        rows = taps.rows * width + (which * (height * width))[:, None, None]
        inputs = {
            "frames": self._frames,
            "rows": rows.astype(np.int64)[..., None, None],
            "columns": taps.columns.astype(np.int64)[:, None, None],
            "row_weights": (weights * taps.row_inside)[..., None, None, None],
            "column_weights": (weights * taps.column_inside)[:, None, None, :, :, None],
        }
        return self._backend.run(stage, self._type, inputs)[:count]
