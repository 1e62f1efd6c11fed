"""The eye network in torch: training, its errors, and its file."""

from __future__ import annotations

import logging
import time
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from pyclnf.open_eyes import CONVOLUTIONS, LAST_PICTURE, OUTPUTS, OpenEyes, joint_directions, standardised

from .dataset import F64, EyeSet
from .scenes import Scenes, fresh_windows

LOG = logging.getLogger(__name__)
CHANNELS, HIDDEN = (32, 64, 64, 64), 256
LEARNING_RATE, WEIGHT_DECAY, BATCH = 2e-3, 1e-2, 256
PASSES = 3  # over the windows of a round, each time under other light
AVERAGED_STEPS = 1000.0  # over which the weights that are kept are averaged, at most
START_NOISE = 0.02  # of the weights of units that a network which is trained on has not had before
#: Weights of the parts of the loss: gaze, points, opening, confidence.
GAZE, POINTS, OPENING, CONFIDENCE = 30.0, 8.0, 4.0, 0.15
NOISE_BANK = 1 << 21  # normal values that are drawn once
FAR_OFF = 0.2  # sine of an angle beyond which a window hardly counts when the last layer is solved anew
TRUSTED_DEGREES = 12.0  # a gaze within this counts as seen
PUPIL_WEIGHT = 0.3  # pupils are often too small or too dark to see
GUESS_WEIGHT = 0.3  # of a gaze that was guessed from points
GAZE_BEND = 0.03  # sine of an angle around which the loss of gaze turns from squares to angles


class EyeNet(torch.nn.Module):  # type: ignore[misc,unused-ignore]
    """Convolutions and two dense layers; the head's direction joins before the first dense one."""

    def __init__(self) -> None:
        super().__init__()
        widths = (1, *CHANNELS)
        self.convolutions = torch.nn.ModuleList(
            torch.nn.Conv2d(widths[k], widths[k + 1], side, step)
            for k, (side, step) in enumerate(CONVOLUTIONS)
        )
        flat = CHANNELS[-1] * LAST_PICTURE[0] * LAST_PICTURE[1]
        self.dense1, self.dense2 = torch.nn.Linear(flat + 2, HIDDEN), torch.nn.Linear(HIDDEN, OUTPUTS)
        for layer in self.convolutions:
            torch.nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            torch.nn.init.zeros_(layer.bias)

    def forward(self, x: torch.Tensor, head: torch.Tensor) -> torch.Tensor:
        """Compute outputs (n, 60) of standardised windows (n, 32, 48) and head directions (n, 2)."""
        x = x[:, None]
        for layer in self.convolutions:
            x = torch.relu(layer(x))
        hidden = torch.relu(self.dense1(torch.cat([x.flatten(1), head], dim=1)))
        return torch.as_tensor(self.dense2(hidden))


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

    seen = known[:, 0] & known[:, 1]
    # without a word on whether there is an eye to see, the gaze was guessed
    trust = seen.float() * torch.where(known[:, -1], 1.0, GUESS_WEIGHT)
    bent = torch.sqrt((out[:, :2] - clean[:, :2]).square().sum(dim=1) + GAZE_BEND**2) - GAZE_BEND
    gaze = (bent * trust).sum() / trust.sum().clamp_min(1.0)
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
    pixels = LAST_PICTURE[0] * LAST_PICTURE[1]
    inputs = 1
    with torch.no_grad():
        for k, (layer, (side, _)) in enumerate(zip(net.convolutions, CONVOLUTIONS, strict=True), start=1):
            weight = np.asarray(arrays[f"conv{k}"], np.float32).reshape(-1, inputs, side, side)
            layer.weight[: len(weight), inputs:] = 0.0
            layer.weight[: len(weight), :inputs] = torch.from_numpy(weight)
            layer.bias[: len(weight)] = torch.from_numpy(np.asarray(arrays[f"bias{k}"], np.float32))
            inputs = len(weight)
        dense = np.asarray(arrays["dense1"], np.float32)
        hidden = dense.shape[1]
        rows = torch.cat([torch.arange(inputs * pixels), torch.tensor([-2, -1])]) % net.dense1.in_features
        net.dense1.weight[:hidden] = 0.0
        net.dense1.weight[:hidden, rows] = torch.from_numpy(dense.T.copy())
        net.dense1.bias[:hidden] = torch.from_numpy(np.asarray(arrays["offset1"], np.float32))
        net.dense2.weight[:, :hidden] = torch.from_numpy(np.asarray(arrays["dense2"], np.float32).T.copy())
        net.dense2.weight[:, hidden:] *= START_NOISE
        net.dense2.bias[:] = torch.from_numpy(np.asarray(arrays["offset2"], np.float32))


def train(
    scenes: list[Scenes],
    rounds: int,
    seed: int,
    checkpoint: Path,
    start: dict[str, NDArray[np.generic]] | None = None,
) -> EyeNet:
    """Train on eyes of which every round cuts new windows; returns the running average of the weights.

    A set that is named twice is cut twice. With `start`, the arrays of a trained network's file, training goes on from
    there. A stopped run goes on at its `checkpoint`, also towards another number of rounds.
    """
    torch.manual_seed(seed)
    net = EyeNet().to(memory_format=torch.channels_last)  # twice as fast on a processor
    if start is not None:
        start_from(net, start)
    average = torch.optim.swa_utils.AveragedModel(net, avg_fn=_averaged)
    noise = np.random.default_rng(seed).normal(size=NOISE_BANK).astype(np.float32)
    optimiser = torch.optim.AdamW(net.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    per_round = PASSES * (sum(map(len, scenes)) // BATCH)
    first = 0
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        for name, part in (("net", net), ("average", average), ("optimiser", optimiser)):
            part.load_state_dict(state[name])
        first = state["round"]
    for k in range(first, rounds):
        rng = np.random.default_rng([seed, k])
        started, total, count = time.time(), 0.0, 0
        new = EyeSet.joined([fresh_windows(s, rng) for s in scenes])
        cut = time.time() - started
        for _ in range(PASSES):
            order = rng.permutation(len(new.windows))
            for at in range(0, len(order) // BATCH * BATCH, BATCH):
                chosen = order[at : at + BATCH]
                x = torch.from_numpy(varied(new.windows[chosen], rng, noise))
                heads, targets = torch.from_numpy(new.heads[chosen]), torch.from_numpy(new.targets[chosen])
                loss = losses(net(x, heads), targets)
                for group in optimiser.param_groups:
                    group["lr"] = LEARNING_RATE * _rate((k * per_round + count) / (rounds * per_round))
                optimiser.zero_grad(set_to_none=True)
                loss.backward()
                optimiser.step()
                average.update_parameters(net)
                total, count = total + float(loss.detach()), count + 1
        LOG.info(
            "eyes round %d: loss %.4f (%.0f s, windows %.0f s)",
            k,
            total / max(count, 1),
            time.time() - started,
            cut,
        )
        state = {"round": k + 1, "net": net.state_dict(), "average": average.state_dict(),
                 "optimiser": optimiser.state_dict()}  # fmt: skip
        torch.save(state, checkpoint.with_suffix(".tmp"))
        checkpoint.with_suffix(".tmp").replace(checkpoint)
    kept: EyeNet = average.module
    kept.eval()
    return kept


def _rate(done: float) -> float:
    """Factor of the learning rate when so much of the training is done: a short rise, then half a cosine."""
    rising = 0.08
    return (
        done / rising if done < rising else 0.5 + 0.5 * float(np.cos(np.pi * (done - rising) / (1 - rising)))
    )


def _averaged(kept: torch.Tensor, now: torch.Tensor, count: torch.Tensor | int) -> torch.Tensor:
    """Move an average over the last tenth of the steps so far, up to a limit, by one step."""
    return kept + (now - kept) / min(1.0 + float(count) / 10, AVERAGED_STEPS)


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
    for k, layer in enumerate(net.convolutions, start=1):
        out[f"conv{k}"] = layer.weight.detach().contiguous().numpy().reshape(len(layer.weight), -1)
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
