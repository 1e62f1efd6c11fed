"""The open models against what the C++ reference put out with it (see `tests/parity/open_pack.py`)."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from pyclnf.io import read_cen, write_cen
from pyclnf.models import open_model_path

sys.path.insert(0, str(Path(__file__).parent / "parity"))

from open_pack import errors, units


def test_reference_loads_the_pack_and_tracks_the_same_landmarks():
    distance, equal = errors()
    assert distance.mean() < 0.05
    assert np.percentile(distance, 99) < 0.2
    assert equal.all()


def test_reference_reads_the_action_unit_models_and_gives_the_same_values():
    ours, theirs, columns = units()
    intensity = np.array([column.endswith("_r") for column in columns])
    assert np.abs(ours - theirs)[:, intensity].mean() < 0.02
    assert (ours == theirs)[:, ~intensity].mean() > 0.98


@pytest.mark.parametrize("scale", ["0.25", "0.35", "0.50", "1.00"])
def test_export_is_openfaces_layout_with_the_same_weights(tmp_path, scale):
    packed = read_cen(open_model_path().parent / "patch_experts" / f"cen_patches_{scale}_open.dat")
    exported = tmp_path / "full.dat"
    write_cen(exported, packed)
    data = exported.read_bytes()
    # f64 scale, i32 views, then one 3x1 f64 matrix a view: rows, columns, type 6.
    assert np.frombuffer(data, "<f8", 1)[0] == float(scale)
    views = int(np.frombuffer(data, "<i4", 1, 8)[0])
    assert np.frombuffer(data, "<i4", 3, 12).tolist() == [3, 1, 6]
    assert views == len(packed.centres)
    again = read_cen(exported)
    for ours, theirs in zip(packed.experts, again.experts, strict=True):
        for a, b in zip(ours, theirs, strict=True):
            for x, y in zip(a.layers, b.layers, strict=True):
                assert y.weight.dtype == np.float32
                np.testing.assert_array_equal(x.weight, y.weight)
                np.testing.assert_array_equal(x.bias, y.bias)


def test_face_that_looks_ahead_has_a_gaze_near_the_camera():
    """The demo clip is drawn from a portrait that looks into the lens; its eyes do not turn."""
    from pyfaceau.demo import DEMO_CLIP
    from pyfaceau.pipeline import FullPythonAUPipeline
    from pyfaceau.video import open_video

    pipeline = FullPythonAUPipeline(models="open", include=("gaze", "eye_landmarks"))
    with open_video(DEMO_CLIP) as source:
        found = pipeline.process_image(next(iter(source)).image)[0].gaze
    assert found is not None
    eyes = found.landmarks_3d.mean(axis=0)
    mean = found.directions.mean(axis=0)
    cosine = mean @ -eyes / np.linalg.norm(eyes) / np.linalg.norm(mean)
    assert np.degrees(np.arccos(cosine)) < 8
    assert found.confidence is not None
    assert found.confidence.min() > 0.5
