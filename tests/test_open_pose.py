"""Head pose of the open pack beside the C++ reference's with its own models."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pyfaceau.pipeline import FullPythonAUPipeline


@pytest.mark.parametrize(
    ("name", "pitch_r"), [("2015-10-15-15-14.avi", 0.97), ("default.wmv", 0.85)], ids=["nods", "talks"]
)
def test_pitch_and_yaw_follow_those_of_the_reference(shared, name, pitch_r):
    gold = shared / "gold" / "cli" / f"FeatureExtraction_clnf_{name.split('.')[0]}.csv.gz"
    theirs = pd.read_csv(gold, skipinitialspace=True)
    ours = FullPythonAUPipeline(models="open", include=("pose",)).process_video(
        shared / "media" / name, progress=False
    )
    for column, least in (("pose_Rx", pitch_r), ("pose_Ry", 0.95)):
        a, b = ours[column].to_numpy(float), theirs[column].to_numpy(float)
        assert np.corrcoef(a, b)[0, 1] > least
        assert 0.7 < np.polyfit(b, a, 1)[0] < 1.2
