"""The eye network in torch: training, its errors, and its file."""

from __future__ import annotations

import logging
import time
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from pyclnf.open_eyes import OUTPUTS, OpenEyes, joint_directions, standardised

from .dataset import F64, EyeSet

LOG = logging.getLogger(__name__)
CHANNELS, HIDDEN = (16, 32, 32), 160
LEARNING_RATE, WEIGHT_DECAY, BATCH = 2e-3, 2e-3, 192
START_NOISE = 0.02  # of the weights of units that a network which is trained on has not had before
#: Weights of the parts of the loss: gaze, points, opening, confidence.
GAZE, POINTS, OPENING, CONFIDENCE = 30.0, 8.0, 4.0, 0.15
NOISE_BANK = 1 << 21  # normal values that are drawn once
FAR_OFF = 0.2  # sine of an angle beyond which a window hardly counts when the last layer is solved anew
TRUSTED_DEGREES = 12.0  # a gaze within this counts as seen
PUPIL_WEIGHT = 0.3  # pupils are often too small or too dark to see


class EyeNet(torch.nn.Module):  # type: ignore[misc,unused-ignore]
    """Three convolutions and two dense layers; the head's direction joins before the first dense one."""

    def __init__(self) -> None:
        super().__init__()
        a, b, c = CHANNELS
        self.conv1, self.conv2, self.conv3 = (
            torch.nn.Conv2d(1, a, 5, 2), torch.nn.Conv2d(a, b, 3, 2), torch.nn.Conv2d(b, c, 3),
        )  # fmt: skip
        self.dense1, self.dense2 = torch.nn.Linear(c * 32 + 2, HIDDEN), torch.nn.Linear(HIDDEN, OUTPUTS)
        self.dropout = torch.nn.Dropout(0.1)

    def forward(self, x: torch.Tensor, head: torch.Tensor) -> torch.Tensor:
        """Compute outputs (n, 60) of standardised windows (n, 32, 48) and head directions (n, 2)."""
        x = torch.relu(self.conv1(x[:, None]))
        x = torch.relu(self.conv3(torch.relu(self.conv2(x))))
        x = self.dropout(torch.cat([x.flatten(1), head], dim=1))
        return torch.as_tensor(self.dense2(torch.relu(self.dense1(x))))


def _weights() -> torch.Tensor:
    weight = torch.ones(OUTPUTS - 4)
    weight[40:] = PUPIL_WEIGHT
    return weight


def losses(out: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Sum of the parts of the loss; targets that are NaN do not count."""
    known = ~torch.isnan(target)
    clean = torch.nan_to_num(target)

    def part(columns: slice, weight: torch.Tensor | float = 1.0) -> torch.Tensor:
        mask = known[:, columns].float() * weight
        error = functional.smooth_l1_loss(out[:, columns], clean[:, columns], reduction="none", beta=0.1)
        return (error * mask).sum() / mask.sum().clamp_min(1.0)

    gaze = part(slice(0, 2))
    points = part(slice(2, -2), _weights())
    opening = part(slice(-2, -1))
    off = (out[:, :2] - clean[:, :2]).detach().norm(dim=1)
    near = torch.exp(-((off / np.sin(np.radians(TRUSTED_DEGREES))) ** 2))
    wanted = torch.where(known[:, 0], near, torch.zeros_like(near))
    wanted = wanted * clean[:, -1]
    mask = known[:, -1].float()
    confidence = functional.binary_cross_entropy_with_logits(out[:, -1], wanted, reduction="none")
    confidence = (confidence * mask).sum() / mask.sum().clamp_min(1.0)
    return GAZE * gaze + POINTS * points + OPENING * opening + CONFIDENCE * confidence


def start_from(net: EyeNet, arrays: dict[str, NDArray[np.generic]]) -> None:
    """Give a network the weights of a trained one that is as wide or narrower; its outputs stay what they were."""
    before = [len(np.asarray(arrays[f"conv{k}"])) for k in (1, 2, 3)]
    sides = (5, 3, 3)
    with torch.no_grad():
        for k, inputs in zip((1, 2, 3), (1, before[0], before[1]), strict=True):
            layer = getattr(net, f"conv{k}")
            side = sides[k - 1]
            weight = np.asarray(arrays[f"conv{k}"], np.float32).reshape(-1, inputs, side, side)
            layer.weight[: len(weight), inputs:] = 0.0
            layer.weight[: len(weight), :inputs] = torch.from_numpy(weight)
            layer.bias[: len(weight)] = torch.from_numpy(np.asarray(arrays[f"bias{k}"], np.float32))
        dense = np.asarray(arrays["dense1"], np.float32)
        hidden = dense.shape[1]
        rows = torch.cat([torch.arange(before[2] * 32), torch.tensor([-2, -1])]) % net.dense1.in_features
        net.dense1.weight[:hidden] = 0.0
        net.dense1.weight[:hidden, rows] = torch.from_numpy(dense.T.copy())
        net.dense1.bias[:hidden] = torch.from_numpy(np.asarray(arrays["offset1"], np.float32))
        net.dense2.weight[:, :hidden] = torch.from_numpy(np.asarray(arrays["dense2"], np.float32).T.copy())
        net.dense2.weight[:, hidden:] *= START_NOISE
        net.dense2.bias[:] = torch.from_numpy(np.asarray(arrays["offset2"], np.float32))


def train(
    sets: list[EyeSet],
    shares: list[float],
    epochs: int,
    seed: int,
    checkpoint: Path,
    start: dict[str, NDArray[np.generic]] | None = None,
) -> EyeNet:
    """Train on several sets, of which an epoch takes the given shares (1 = every window once).

    With `start`, the arrays of a trained network's file, training goes on from there.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    windows = np.concatenate([s.windows for s in sets])
    heads, targets = (
        torch.from_numpy(np.concatenate([getattr(s, name) for s in sets])) for name in ("heads", "targets")
    )
    starts = np.cumsum([0, *(len(s.windows) for s in sets)])
    per_epoch = sum(round(share * len(s.windows)) for s, share in zip(sets, shares, strict=True))
    net = EyeNet()
    if start is not None:
        start_from(net, start)
    noise = rng.normal(size=NOISE_BANK).astype(np.float32)
    optimiser = torch.optim.AdamW(net.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    steps = epochs * (per_epoch // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, LEARNING_RATE, total_steps=steps + 1, pct_start=0.15
    )
    first = 0
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        if state["epochs"] == epochs:
            net.load_state_dict(state["net"])
            optimiser.load_state_dict(state["optimiser"])
            schedule.load_state_dict(state["schedule"])
            first = state["epoch"]
    for epoch in range(first, epochs):
        net.train()
        started, total, count = time.time(), 0.0, 0
        picks = [
            start + rng.permutation(len(s.windows))[: round(share * len(s.windows))]
            if share <= 1 else start + rng.integers(0, len(s.windows), round(share * len(s.windows)))
            for s, share, start in zip(sets, shares, starts, strict=False)
        ]  # fmt: skip
        order = rng.permutation(np.concatenate(picks))
        for at in range(0, len(order) // BATCH * BATCH, BATCH):
            chosen = order[at : at + BATCH]
            x = torch.from_numpy(varied(windows[chosen], rng, noise))
            loss = losses(net(x, heads[chosen]), targets[chosen])
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            schedule.step()
            total, count = total + float(loss.detach()), count + 1
        LOG.info("eyes epoch %d: loss %.4f (%.0f s)", epoch, total / max(count, 1), time.time() - started)
        state = {"epochs": epochs, "epoch": epoch + 1, "net": net.state_dict(),
                 "optimiser": optimiser.state_dict(), "schedule": schedule.state_dict()}  # fmt: skip
        torch.save(state, checkpoint.with_suffix(".tmp"))
        checkpoint.with_suffix(".tmp").replace(checkpoint)
    net.eval()
    return net


def refitted(
    arrays: dict[str, NDArray[np.generic]], drawn: EyeSet, lens: EyeSet, share: float
) -> dict[str, NDArray[np.generic]]:
    """Solve the last layer's two rows of gaze anew, for drawn eyes and real ones that look into the lens.

    Drawn eyes alone leave real people's gaze scattered; the real ones together weigh `share` of what the drawn ones do.
    Weighted least squares that trusts far-off windows less, held to the trained rows by a ridge.
    """
    eyes = OpenEyes(arrays)
    before = np.vstack([arrays["dense2"][:, :2], arrays["offset2"][:2]]).astype(np.float64)
    x, y, weight = [], [], []
    known = np.flatnonzero(~np.isnan(drawn.targets[:, 0]))
    for windows, chosen, total in ((drawn, known, 1.0), (lens, np.arange(len(lens.windows)), share)):
        hidden = [
            eyes.hidden(windows.windows[part].astype(np.float32), windows.heads[part])
            for part in np.array_split(chosen, max(len(chosen) // 500, 1))
        ]
        x.append(np.column_stack([np.concatenate(hidden), np.ones(len(chosen))]).astype(np.float64))
        y.append(windows.targets[chosen, :2].astype(np.float64))
        weight.append(np.full(len(chosen), total / len(chosen)))
    inputs, wanted, weights = np.concatenate(x), np.concatenate(y), np.concatenate(weight)
    weights /= 1 + (np.linalg.norm(inputs @ before - wanted, axis=1) / FAR_OFF) ** 2
    gram = (inputs * weights[:, None]).T @ inputs
    ridge = 1e-3 * np.trace(gram) / len(gram)
    solved = np.linalg.solve(
        gram + ridge * np.eye(len(gram)), (inputs * weights[:, None]).T @ wanted + ridge * before
    )
    dense, offset = (np.array(arrays[name], np.float64) for name in ("dense2", "offset2"))
    dense[:, :2], offset[:2] = solved[:-1], solved[-1]
    return {**arrays, "dense2": dense.astype(np.float16), "offset2": offset.astype(np.float16)}


def varied(
    windows: NDArray[np.uint8], rng: np.random.Generator, noise: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Standardised windows under another uneven light, with some of `noise`; now and then a part is covered."""
    n, rows, cols = windows.shape
    x = standardised(windows.astype(np.float32))
    y, z = np.linspace(-1, 1, rows)[:, None], np.linspace(-1, 1, cols)
    slope = rng.normal(0, 0.3, (2, n, 1, 1)).astype(np.float32)
    x = x + slope[0] * y.astype(np.float32) + slope[1] * z.astype(np.float32)
    at = int(rng.integers(len(noise) - x.size))
    x += noise[at : at + x.size].reshape(x.shape) * rng.uniform(0, 0.25, (n, 1, 1)).astype(np.float32)
    for k in np.flatnonzero(rng.random(n) < 0.08):
        height, width = rng.integers(3, 10), rng.integers(4, 16)
        a, b = rng.integers(0, rows - height), rng.integers(0, cols - width)
        x[k, a : a + height, b : b + width] = rng.normal()
    return standardised(x)


def arrays_of(net: EyeNet, centre: F64, share: float) -> dict[str, NDArray[np.float16]]:
    """Return the network's arrays as the product reads them, in half precision."""
    out = {"centre": np.asarray(centre), "share": np.asarray(share)}
    for k in (1, 2, 3):
        layer = getattr(net, f"conv{k}")
        out[f"conv{k}"] = layer.weight.detach().numpy().reshape(len(layer.weight), -1)
        out[f"bias{k}"] = layer.bias.detach().numpy()
    for k in (1, 2):
        layer = getattr(net, f"dense{k}")
        out[f"dense{k}"], out[f"offset{k}"] = layer.weight.detach().numpy().T, layer.bias.detach().numpy()
    return {name: np.array(value, np.float16, order="C") for name, value in out.items()}


def eye_axes_error(eyes: OpenEyes, pairs: EyeSet, gaze: F64, heads: F64) -> F64:
    """Angle (n,) in degrees between drawn gaze and the mean direction of both eyes of each pair."""
    out = eyes.outputs(pairs.windows.astype(np.float32), pairs.heads).astype(np.float64)
    error = np.empty(len(gaze))
    for k in range(len(gaze)):
        two = out[2 * k : 2 * k + 2]
        confidence = 1 / (1 + np.exp(-two[:, -1]))
        direction = joint_directions(two[:, :2], confidence, 0.0)[0]
        roll = np.arctan2(heads[k][1, 0], heads[k][0, 0])
        x, y = direction[:2]
        turned = np.array(
            [np.cos(roll) * x - np.sin(roll) * y, np.sin(roll) * x + np.cos(roll) * y, direction[2]]
        )
        error[k] = np.degrees(np.arccos(np.clip(turned @ gaze[k], -1, 1)))
    return error


__all__ = ["EyeNet", "arrays_of", "eye_axes_error", "refitted", "start_from", "train", "varied"]
