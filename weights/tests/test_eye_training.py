"""The eye network in torch: what it starts from and what it writes."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

from pyclnf.io.archive import read_archive
from pyclnf.models import open_model_path
from pyclnf.open_arrays import EYES_FILE
from pyclnf.open_eyes import ARRAYS, OpenEyes
from weights.eyes import net
from weights.eyes.dataset import EyeSet
from weights.eyes.scenes import SHAPE, Scenes


def test_wider_network_starts_with_the_outputs_of_the_narrower_one(monkeypatch):
    arrays = read_archive(open_model_path().with_name(EYES_FILE), ARRAYS)
    monkeypatch.setattr(net, "CHANNELS", tuple(len(arrays[f"conv{k + 1}"]) + 4 for k in range(4)))
    monkeypatch.setattr(net, "HIDDEN", arrays["dense1"].shape[1] + 8)
    monkeypatch.setattr(net, "START_NOISE", 0.0)
    torch.manual_seed(0)
    wide = net.EyeNet()
    net.start_from(wide, arrays)
    rng = np.random.default_rng(0)
    windows = rng.uniform(0, 255, (5, 32, 48)).astype(np.float32)
    heads = rng.normal(0, 0.3, (5, 2)).astype(np.float32)
    centre, share = np.asarray(arrays["centre"], np.float64), float(arrays["share"])
    np.testing.assert_allclose(
        OpenEyes(net.arrays_of(wide.eval(), centre, share)).outputs(windows, heads),
        OpenEyes(arrays).outputs(windows, heads),
        atol=1e-4,
    )


def test_unknown_targets_do_not_pull():
    out = torch.zeros(3, net.OUTPUTS, requires_grad=True)
    target = torch.full((3, net.OUTPUTS), float("nan"))
    target[:, 4] = 0.5
    net.losses(out, target).backward()
    moved = torch.nonzero(out.grad.abs().sum(dim=0)).ravel().tolist()
    assert moved == [4]


def test_guessed_gaze_counts_for_less():
    out = torch.zeros(2, net.OUTPUTS, requires_grad=True)
    target = torch.full((2, net.OUTPUTS), float("nan"))
    target[:, :2] = 0.2
    target[0, -1] = 1.0
    net.losses(out, target).backward()
    pull = out.grad[:, :2].abs().sum(dim=1)
    assert float(pull[1] / pull[0]) == pytest.approx(net.GUESS_WEIGHT)


def test_training_lowers_the_loss_and_goes_on_where_it_stopped(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(net, "CHANNELS", (4, 4, 4, 4))
    monkeypatch.setattr(net, "HIDDEN", 16)
    monkeypatch.setattr(net, "BATCH", 32)
    rng = np.random.default_rng(0)
    n = 64
    points = rng.normal(100, 5, (n, 28, 2)).astype(np.float32)
    corners = np.tile(np.array([[[70.0, 88], [176, 88]]], np.float32), (n, 1, 1))
    gaze = np.tile(np.array([[0.3, 0.1, -0.9487]], np.float32), (n, 1))
    drawn = Scenes(
        rng.integers(0, 255, (n, *SHAPE)).astype(np.uint8), points, corners, np.full(n, 9.0, np.float32), gaze,
        np.tile(np.eye(3, dtype=np.float32), (n, 1, 1)), np.full(n, 2.0, np.float32), np.ones(n, bool),
        np.zeros(n, bool), np.array(["m01"] * n),
    )  # fmt: skip
    caplog.set_level("INFO", logger=net.__name__)
    once = net.train([drawn], 3, 0, tmp_path / "once.pt")
    losses = [float(r.args[1]) for r in caplog.records]
    assert losses[-1] < 0.8 * losses[0]
    real_save = torch.save

    def stop_after_one(state, path):
        real_save(state, path)
        if state["round"] == 1:
            path.replace(path.with_suffix(".pt"))
            raise KeyboardInterrupt

    monkeypatch.setattr(torch, "save", stop_after_one)
    with pytest.raises(KeyboardInterrupt):
        net.train([drawn], 3, 0, tmp_path / "twice.pt")
    monkeypatch.setattr(torch, "save", real_save)
    again = net.train([drawn], 3, 0, tmp_path / "twice.pt")
    for one, two in zip(once.parameters(), again.parameters(), strict=True):
        torch.testing.assert_close(one, two)


def test_solving_gaze_anew_gathers_real_eyes_and_leaves_the_other_outputs():
    arrays = read_archive(open_model_path().with_name(EYES_FILE), ARRAYS)
    rng = np.random.default_rng(1)
    windows = rng.integers(0, 255, (900, 32, 48)).astype(np.uint8)
    heads = rng.normal(0, 0.3, (900, 2)).astype(np.float32)
    seen = OpenEyes(arrays).outputs(windows.astype(np.float32), heads)
    everything = EyeSet(windows, heads, seen.copy(), np.array(["m01"] * 900))
    lens = everything.part(np.arange(900) < 60)
    lens.targets[:, :2] = 0.0
    solved = net.refitted(arrays, everything.part(np.arange(900) >= 60), lens, 1.0)
    found = OpenEyes(solved).outputs(windows.astype(np.float32), heads)
    np.testing.assert_array_equal(found[:, 2:], seen[:, 2:])
    assert np.linalg.norm(found[:60, :2], axis=1).mean() < 0.8 * np.linalg.norm(seen[:60, :2], axis=1).mean()
    drift = np.linalg.norm(found[60:, :2] - seen[60:, :2], axis=1).mean()
    assert drift < np.linalg.norm(seen[60:, :2], axis=1).mean()
