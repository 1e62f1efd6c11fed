"""CEN patch experts: all experts of one scale and view trained together as batched small networks."""

from __future__ import annotations

import itertools
import logging
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from .patches import REACH, SCALES, AreaSet
from .sampling import SUPPORT

LOG = logging.getLogger(__name__)
HIDDEN: dict[float, tuple[int, int, int]] = {
    0.25: (100, 40, 20),
    0.35: (100, 40, 20),
    0.5: (128, 48, 24),
    1.0: (128, 48, 24),
}
# width of the wanted response, reference px: label noise is about 2 mm
TARGET_SIGMA: dict[float, float] = {0.25: 1.0, 0.35: 1.1, 0.5: 1.3, 1.0: 1.8}
AREAS_PER_STEP, NEAR_WINDOWS, FAR_WINDOWS = 32, 6, 10
NEAR_REACH = 2
LEARNING_RATE, LATER_LEARNING_RATE = 3e-3, 1.5e-3  # peak of the first and of later cycles
WEIGHT_DECAY = 1e-4
INPUT_GAIN = 11.0  # unit-norm patches have elements of about 1/11


@dataclass(frozen=True)
class Networks:
    """Trained layers of E experts: per layer bias (E, out) and weight (E, out, in), input 121 unit-norm pixels."""

    biases: tuple[NDArray[np.float32], ...]
    weights: tuple[NDArray[np.float32], ...]

    def take(self, rows: NDArray[np.int64]) -> Networks:
        """Return some of the experts."""
        return Networks(tuple(b[rows] for b in self.biases), tuple(w[rows] for w in self.weights))

    def put(self, rows: NDArray[np.int64], others: Networks) -> Networks:
        """Return all experts, those of ``rows`` replaced by ``others``."""
        biases, weights = ([array.copy() for array in arrays] for arrays in (self.biases, self.weights))
        for mine, theirs in zip([*biases, *weights], [*others.biases, *others.weights], strict=True):
            mine[rows] = theirs
        return Networks(tuple(biases), tuple(weights))

    def save(self, path: Path) -> None:
        """Write to an npz file."""
        arrays = {f"bias{k}": b for k, b in enumerate(self.biases)}
        arrays |= {f"weight{k}": w for k, w in enumerate(self.weights)}
        np.savez(path, **arrays)  # type: ignore[arg-type]

    @classmethod
    def load(cls, path: Path) -> Networks:
        """Read back what :meth:`save` wrote."""
        with np.load(path, allow_pickle=False) as stored:
            count = len(stored.files) // 2
            return cls(
                tuple(stored[f"bias{k}"] for k in range(count)),
                tuple(stored[f"weight{k}"] for k in range(count)),
            )


def _start(count: int, sizes: tuple[int, ...], generator: torch.Generator) -> list[torch.Tensor]:
    parameters = []
    for k, (fan_in, fan_out) in enumerate(itertools.pairwise(sizes)):
        weight = torch.randn(count, fan_in, fan_out, generator=generator) * (2.0 / fan_in) ** 0.5
        last = k == len(sizes) - 2
        bias = torch.full((count, 1, fan_out), -3.0 if last else 0.0)
        parameters += [(weight * (0.3 if last else 1.0)).requires_grad_(), bias.requires_grad_()]
    return parameters


def _forward(x: torch.Tensor, parameters: list[torch.Tensor]) -> torch.Tensor:
    """Logits (E, B); products in bfloat16, which this problem does not notice and CPUs love."""
    layers = len(parameters) // 2
    for k in range(layers):
        weight, bias = parameters[2 * k].to(torch.bfloat16), parameters[2 * k + 1].to(torch.bfloat16)
        x = torch.baddbmm(bias, x, weight)
        if k < layers - 1:
            x = torch.relu(x)
    return x[..., 0].float()


def normalised(windows: torch.Tensor) -> torch.Tensor:
    """Contrast-normalised windows (..., 121): zero mean, unit norm times the input gain."""
    windows = windows - windows.mean(dim=-1, keepdim=True)
    # flat windows become zero, as in the fitter
    energy = (windows * windows).sum(dim=-1, keepdim=True)
    return windows.mul_(INPUT_GAIN * torch.rsqrt(energy.clamp_min(1e-6)))


def _batch(
    areas: torch.Tensor, truth: torch.Tensor, scale_index: int, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Random windows of random areas: inputs (E, B, 121) and targets (E, B).

    All areas of a step share the window offsets (the areas themselves are centred off the truth at random),
    so windows are plain slices.
    """
    reach = REACH[scale_index]
    sigma = TARGET_SIGMA[SCALES[scale_index]]
    chosen = torch.randint(areas.shape[1], (AREAS_PER_STEP,), generator=generator)
    near = torch.randint(-NEAR_REACH, NEAR_REACH + 1, (2, NEAR_WINDOWS), generator=generator)
    far = torch.randint(-reach, reach + 1, (2, FAR_WINDOWS), generator=generator)
    x, y = torch.cat([near, far], dim=1)
    # transposed: OpenFace's patches are column-major
    picked = areas[:, chosen].transpose(-1, -2).float()
    corners = [(int(a) + reach, int(b) + reach) for a, b in zip(x, y, strict=True)]
    windows = torch.stack([picked[:, :, a : a + SUPPORT, b : b + SUPPORT] for a, b in corners], dim=1)
    where = truth[:, chosen]
    distance = (where[..., 0][:, None] - x[None, :, None]) ** 2 + (
        where[..., 1][:, None] - y[None, :, None]
    ) ** 2
    target = torch.exp(-0.5 * distance / sigma**2).reshape(areas.shape[0], -1)
    flat = windows.reshape(areas.shape[0], -1, SUPPORT * SUPPORT)
    return normalised(flat).to(torch.bfloat16), target


def _from_networks(networks: Networks) -> list[torch.Tensor]:
    parameters = []
    for k, (weight, bias) in enumerate(zip(networks.weights, networks.biases, strict=True)):
        scaled = torch.from_numpy(weight / (INPUT_GAIN if k == 0 else 1.0)).transpose(1, 2).contiguous()
        parameters += [scaled.requires_grad_(), torch.from_numpy(bias)[:, None].clone().requires_grad_()]
    return parameters


def train_networks(
    data: AreaSet, scale_index: int, steps: int, seed: int, checkpoint: Path, start: Networks | None = None
) -> Networks:
    """Train the experts of one scale and view for one learning-rate cycle, on from ``start`` if given.

    Resumes from ``checkpoint`` if that exists and belongs to a run of as many steps.
    """
    scale = SCALES[scale_index]
    generator = torch.Generator().manual_seed(seed)
    areas, truth = torch.from_numpy(data.areas), torch.from_numpy(data.truth)
    sizes = (SUPPORT * SUPPORT, *HIDDEN[scale], 1)
    parameters = _start(areas.shape[0], sizes, generator) if start is None else _from_networks(start)
    peak = LEARNING_RATE if start is None else LATER_LEARNING_RATE
    optimiser = torch.optim.AdamW(parameters, lr=peak, weight_decay=WEIGHT_DECAY, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, peak, total_steps=steps + 1, pct_start=0.08)
    first = 0
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        if state["steps"] == steps:
            with torch.no_grad():
                for own, stored in zip(parameters, state["parameters"], strict=True):
                    own.copy_(stored)
            optimiser.load_state_dict(state["optimiser"])
            schedule.load_state_dict(state["schedule"])
            generator.set_state(state["generator"])
            first = state["step"]
    started, running = time.time(), 0.0
    for step in range(first, steps):
        x, target = _batch(areas, truth, scale_index, generator)
        loss = torch.nn.functional.binary_cross_entropy_with_logits(_forward(x, parameters), target)
        optimiser.zero_grad(set_to_none=True)
        (loss * areas.shape[0]).backward()  # each expert sees the gradient of its own mean loss
        optimiser.step()
        schedule.step()
        running = 0.98 * running + 0.02 * float(loss.detach()) if step > first else float(loss.detach())
        if (step + 1) % 500 == 0 or step + 1 == steps:
            LOG.info("scale %.2f step %d loss %.5f (%.0f s)", scale, step + 1, running, time.time() - started)
            state = {
                "steps": steps,
                "step": step + 1,
                "parameters": [p.detach() for p in parameters],
                "optimiser": optimiser.state_dict(),
                "schedule": schedule.state_dict(),
                "generator": generator.get_state(),
            }
            torch.save(state, checkpoint.with_suffix(".tmp"))
            checkpoint.with_suffix(".tmp").replace(checkpoint)
    weights = [p.detach().transpose(1, 2).numpy().copy() for p in parameters[0::2]]
    biases = [p.detach()[:, 0].numpy().copy() for p in parameters[1::2]]
    weights[0] *= INPUT_GAIN
    return Networks(tuple(biases), tuple(np.ascontiguousarray(w) for w in weights))


def correlation(
    networks: Networks, data: AreaSet, scale_index: int, sigma: float, window: int
) -> NDArray[np.float64]:
    """Correlation (E,) of response and Gaussian target over ``window`` x ``window`` positions of every area."""
    reach = REACH[scale_index]
    half = window // 2
    offsets = torch.arange(-half, half + 1)
    areas, truth = torch.from_numpy(data.areas), torch.from_numpy(data.truth)
    result = np.empty(areas.shape[0])
    for expert in range(areas.shape[0]):
        views = areas[expert].unfold(1, SUPPORT, 1).unfold(2, SUPPORT, 1).transpose(-1, -2)
        span = slice(reach - half, reach + half + 1)
        x = normalised(views[:, span, span].reshape(len(areas[expert]), -1, SUPPORT**2).float()) / INPUT_GAIN
        for k, (weight, bias) in enumerate(zip(networks.weights, networks.biases, strict=True)):
            x = x @ torch.from_numpy(weight[expert]).T + torch.from_numpy(bias[expert])
            x = torch.relu(x) if k < len(networks.weights) - 1 else torch.sigmoid(x)
        where = truth[expert]
        dy = (where[:, 1, None, None] - offsets[:, None]) ** 2
        dx = (where[:, 0, None, None] - offsets[None, :]) ** 2
        target = torch.exp(-0.5 * (dx + dy) / sigma**2).reshape(len(where), -1)
        result[expert] = np.corrcoef(x[..., 0].ravel().numpy(), target.ravel().numpy())[0, 1]
    return result
