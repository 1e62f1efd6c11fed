"""``table.face``: each figure against one computed by hand, and what survives what pandas makes of tables."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

import pyfaceau.findings
from pyfaceau import FaceTable, MissingColumnsError
from pyfaceau.demo import DEMO_TRUTH
from pyfaceau.findings.asymmetry import MIRRORED

RATE = 25.0
LANDMARKS = [f"{axis}_{n}" for axis in "xy" for n in range(68)]


def made_up(n: int = 100, **columns) -> pd.DataFrame:
    table = pd.DataFrame(
        {
            "frame": np.arange(1, n + 1),
            "face_id": 0,
            "timestamp": np.arange(n) / RATE,
            "confidence": 0.95,
            "success": 1,
            "AU06_r": 0.0,
            "AU12_r": np.arange(n) % 5.0,
            "AU12_c": pd.array(np.arange(n) % 2, "Int64"),
        }
    ).assign(**columns)
    table.attrs = {"source": "a.mp4", "fps": RATE}
    return table


def of_landmarks(faces: np.ndarray, **columns) -> pd.DataFrame:
    return pd.concat(
        [
            made_up(
                len(faces), pose_Rx=0.0, pose_Ry=0.0, pose_Rz=0.0, pose_Tx=0.0, pose_Ty=0.0, pose_Tz=500.0
            ),
            pd.DataFrame(faces.transpose(0, 2, 1).reshape(len(faces), -1), columns=LANDMARKS),
        ],
        axis=1,
    ).assign(**columns)


def survivors():
    table = made_up()
    other = pd.DataFrame({"face_id": [0], "group": ["a"]})
    yield "slice", table[table["AU12_r"] > 1]
    yield "copy", table.copy()
    yield "deepcopy", copy.deepcopy(table)
    yield "pickle", pickle.loads(pickle.dumps(table))
    yield "concat", pd.concat({"a": table, "b": table}, names=["video", "row"])
    yield "concat with plain", pd.concat([pd.DataFrame(table), table])
    yield "merge", other.merge(table, on="face_id")
    yield "groupby", next(iter(table.groupby("face_id")))[1]
    yield "filter", table.groupby("face_id").filter(lambda part: True)
    yield "assign", table.assign(z=1)
    yield "query", table.query("AU12_r > 1")
    yield "reset_index", table.reset_index()
    yield "convert_dtypes", table.convert_dtypes()


@pytest.mark.parametrize("table", [pytest.param(table, id=name) for name, table in survivors()])
def test_accessor_survives(table):
    assert isinstance(table.face, FaceTable)
    assert table.face.aus["AU12"].max() == 4
    assert len(table.face.summary(resamples=0)) >= 2


def test_accessor_survives_parquet(tmp_path):
    made_up().to_parquet(tmp_path / "t.parquet")
    back = pyfaceau.read_table(tmp_path / "t.parquet")
    assert back.attrs["source"] == "a.mp4"
    pd.testing.assert_frame_equal(back.face.summary(), made_up().face.summary())


@pytest.mark.slow
@pytest.mark.parametrize(
    "first", ["import pandas\nimport pyfaceau", "from pyfaceau import read_table\nimport pandas"]
)
def test_importing_pyfaceau_gives_tables_their_accessor(first):
    program = f"{first}\nprint(pandas.DataFrame({{'AU12_r': [1.0]}}).face)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "FaceTable" in done.stdout


def test_a_table_of_something_else_has_no_faces():
    with pytest.raises(AttributeError, match="results of pyfaceau or OpenFace"):
        _ = pd.DataFrame({"a": [1]}).face
    assert not hasattr(pd.DataFrame({"a": [1]}), "face")


def test_parts_are_the_columns_with_gaps_where_there_is_no_face():
    table = made_up(4, success=[1, 0, 1, 1], confidence=[0.9, 0.1, 0.5, 0.99])
    assert np.isnan(table.face.aus.loc[1]).all()  # OpenFace's files have zeros there
    assert table.face.aus["AU12"].tolist()[2:] == [2.0, 3.0]
    assert table.face.presence["AU12"].isna().tolist() == [False, True, False, False]
    assert str(table.face.presence["AU12"].dtype) == "Int64"
    assert table.face.valid()["frame"].tolist() == [1, 3, 4]
    assert table.face.valid(0.8)["frame"].tolist() == [1, 4]
    faces = np.arange(4 * 136.0).reshape(4, 68, 2)
    found = of_landmarks(faces, success=[1, 0, 1, 1]).face
    np.testing.assert_array_equal(found.landmarks[[0, 2, 3]], faces[[0, 2, 3]])
    assert np.isnan(found.landmarks[1]).all()
    assert found.pose["pose_Tz"].tolist()[0] == 500


@pytest.mark.parametrize(
    ("part", "names", "remedy"),
    [("gaze", "gaze_0_x", "-gaze"), ("landmarks", "x_0", "landmarks"), ("pose", "pose_Tx", "--include pose")],
)
def test_missing_columns_are_named_with_what_brings_them(part, names, remedy):
    with pytest.raises(MissingColumnsError, match=names) as caught:
        getattr(made_up().face, part)
    assert remedy in str(caught.value)


def test_wrong_ideas_meet_a_remedy():
    face = made_up(AU28_c=0).face
    with pytest.raises(MissingColumnsError, match="no intensity 'smile'; it has AU06, AU12"):
        face.events("smile")
    with pytest.raises(MissingColumnsError, match="only a presence"):
        face.events(["AU12", "AU28"])
    with pytest.raises(TypeError, match="named by words"):
        face.events(12)
    with pytest.raises(TypeError, match="read_table"):
        face.correlate("other.csv")
    with pytest.raises(ValueError, match="between 0 and 1"):
        face.valid(80)
    with pytest.raises(pyfaceau.ResultFileError, match="no such file"):
        pyfaceau.read_table("other.parquet")
    assert set(face.events(["AU06", "AU12"])["au"]) == {"AU12"}


def test_photographs_have_figures_but_no_time():
    photographs = made_up(6, input=list("aabbcc")).drop(columns=["frame", "timestamp"])
    found = photographs.face.summary()
    assert found.loc["AU12", "mean"] == np.mean([0, 1, 2, 3, 4, 0])
    assert np.isnan(found.loc["AU12", "onsets_per_minute"])
    with pytest.raises(MissingColumnsError, match="photographs have no time"):
        photographs.face.events()
    with pytest.raises(MissingColumnsError, match="photographs have no time"):
        photographs.assign(frame=1).face.smooth()


# events


def test_events_have_the_onsets_apexes_and_offsets_that_were_made():
    signal, truth = np.zeros(500), []
    for onset, apex, offset, peak in ((20, 30, 50, 3.0), (100, 101, 102, 1.5), (300, 350, 360, 5.0)):
        signal[onset : apex + 1] = np.linspace(1.0, peak, apex - onset + 1)
        signal[apex : offset + 1] = np.linspace(peak, 1.0, offset - apex + 1)
        truth.append([onset / RATE, apex / RATE, offset / RATE, peak])
    found = made_up(500, AU12_r=signal).face.events("AU12")
    np.testing.assert_allclose(found[["onset", "apex", "offset", "peak"]].to_numpy(float), truth, atol=1e-12)
    assert found["duration"].tolist() == pytest.approx([31 / RATE, 3 / RATE, 61 / RATE])
    assert found[["first", "last"]].to_numpy().tolist() == [[20, 50], [100, 102], [300, 360]]
    assert found["complete"].all()
    assert len(made_up(500, AU12_r=signal).face.events("AU12", min_duration=0.2)) == 2
    assert len(made_up(500, AU12_r=signal).face.events("AU12_r", max_gap=2.0)) == 2
    assert made_up(500, AU12_r=0.0).face.events().empty


def test_events_do_not_bridge_frames_without_a_face_or_left_out():
    signal = np.zeros(30)
    signal[5:25] = 2.0
    lost = made_up(30, AU12_r=signal, success=[1] * 10 + [0] * 3 + [1] * 17)
    found = lost.face.events("AU12", max_gap=1.0)
    assert found[["first", "last", "complete"]].to_numpy().tolist() == [[5, 9, False], [13, 24, False]]
    assert len(lost.face.valid().face.events("AU12", max_gap=1.0)) == 2
    assert lost.face.summary(resamples=0).loc["AU12", "onsets_per_minute"] == pytest.approx(60 * RATE / 27)


def test_faces_and_videos_are_never_mixed():
    table = pd.concat([made_up(10, AU12_r=0.0), made_up(10, AU12_r=2.0, face_id=1)]).sort_values("frame")
    found = table.face.summary(resamples=0)
    assert found.index.names == ["face_id", "au"]
    assert found["mean"].xs("AU12", level="au").tolist() == [0.0, 2.0]
    assert table.face.events("AU12")["face_id"].tolist() == [1]
    videos = pd.concat({"a": table, "b": table}, names=["video", "row"])
    assert videos.face.summary(resamples=0).index.names == ["video", "face_id", "au"]
    assert len(videos.face.quality()) == 4
    assert len(videos.face.resample(RATE)) == len(videos)


# signals


def test_smoothing_is_a_mean_of_neighbours_that_are_there():
    table = made_up(7, AU12_r=[0.0, 3.0, 0.0, 9.0, 0.0, 0.0, 3.0], success=[1, 1, 1, 0, 1, 1, 1])
    found = table.face.smooth(3 / RATE)
    assert found["AU12_r"].tolist() == [1.5, 1.0, 1.5, 9.0, 0.0, 1.0, 1.5]
    assert table.face.smooth(3 / RATE, "median")["AU12_r"].tolist() == [1.5, 0.0, 1.5, 9.0, 0.0, 0.0, 1.5]
    pd.testing.assert_frame_equal(found.drop(columns="AU12_r"), table.drop(columns="AU12_r"))
    assert found.attrs == table.attrs
    pd.testing.assert_frame_equal(table.face.smooth(0.5 / RATE), table)


def test_resampling_interpolates_and_keeps_gaps():
    table = made_up(10, AU12_r=np.arange(10.0))
    up = table.face.resample(2 * RATE)
    np.testing.assert_allclose(up["AU12_r"], np.arange(19) / 2)
    assert up["frame"].tolist() == list(range(1, 20))
    assert up.attrs["resampled_to_fps"] == 2 * RATE
    holed = table[(table["frame"] < 4) | (table["frame"] > 7)].face.resample(2 * RATE)
    expected = np.arange(19) / 2
    expected[(expected > 2) & (expected < 7)] = np.nan
    np.testing.assert_allclose(holed["AU12_r"], expected)
    assert (holed["success"] == (~np.isnan(expected)).astype(int)).all()
    constant = made_up(100, AU12_r=2.0).face.resample(10)
    np.testing.assert_allclose(constant["AU12_r"], 2.0)
    assert len(constant) == 40


def test_a_lower_rate_does_not_turn_fast_movements_into_slow_ones():
    time = np.arange(1000) / RATE
    fast = made_up(1000, AU12_r=2.5 + np.sin(2 * np.pi * 11 * time))  # seen at 10 Hz it would look like 1 Hz
    assert np.ptp(fast.face.resample(10)["AU12_r"].iloc[2:-2]) < 0.75


def test_correlation_finds_who_follows_and_by_how_much():
    rng = np.random.default_rng(0)
    base = np.convolve(rng.normal(size=700), np.ones(10) / 10, "same")
    one, two = made_up(600, AU12_r=base[50:650]), made_up(600, AU12_r=base[35:635])  # 15 frames later
    found = one.face.correlate(two, max_lag=1.0)
    assert found["AU12"].idxmax() == pytest.approx(15 / RATE)
    assert found["AU12"].max() == pytest.approx(1.0)
    assert found.loc[0.0, "AU12"] == pytest.approx(np.corrcoef(base[50:650], base[35:635])[0, 1])
    assert two.face.correlate(one, max_lag=1.0)["AU12"].idxmax() == pytest.approx(-15 / RATE)
    assert np.isnan(found["AU06"]).all()  # never moves


def test_correlation_leaves_out_frames_without_a_face():
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=50), rng.normal(size=50)
    seen = rng.random(50) > 0.3
    one, two = made_up(50, AU12_r=a, success=seen.astype(int)), made_up(50, AU12_r=b)
    assert one.face.correlate(two, max_lag=0).loc[0.0, "AU12"] == pytest.approx(
        np.corrcoef(a[seen], b[seen])[0, 1]
    )
    both = pd.concat([one, two.assign(face_id=1)])
    with pytest.raises(ValueError, match="2 faces"):
        both.face.correlate(one)


# asymmetry


def symmetric_faces(n: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    half = rng.integers(-90, 90, (n, 68, 2)).astype(float)
    half[:, 36], half[:, 45] = (-200, 0), (200, 0)
    return half + half[:, MIRRORED] * [-1, 1]


def test_a_face_that_is_its_own_mirror_image_has_exactly_no_asymmetry():
    faces = symmetric_faces(20)
    for shift in ((0, 0), (320, 240)):
        found = of_landmarks(faces + shift).face.asymmetry()
        assert (found[["face", "brows", "eyes", "mouth"]] == 0.0).all(axis=None)
        assert (found[["brows_movement", "eyes_movement", "mouth_movement"]] == 0.0).all(axis=None)


def test_asymmetry_does_not_depend_on_place_size_or_tilt():
    faces = symmetric_faces(5) + np.random.default_rng(1).normal(0, 5, (5, 68, 2))
    angle = 0.4
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    before, after = (of_landmarks(each).face.asymmetry() for each in (faces, 1.7 * faces @ turn + [50, -20]))
    np.testing.assert_allclose(before, after, atol=1e-12)
    assert (before["face"] > 0.003).all()


def test_asymmetry_is_half_the_distance_to_the_mirror_image():
    face = symmetric_faces(1)
    drooping = face.copy()
    drooping[0, 48, 1] += 40  # the right corner of the mouth
    width = np.linalg.norm(face[0, 36] - face[0, 45])
    found = of_landmarks(drooping).face.asymmetry().iloc[0]
    assert found["face"] == pytest.approx(2 * (40 / width / 2) / 68)
    assert found["mouth"] == pytest.approx((40 / width / 2) / 8)
    assert found["brows"] == 0


def test_movement_of_one_side_only_has_a_sign():
    faces = np.repeat(symmetric_faces(1), 30, axis=0)
    faces[20:, [54, 53, 52, 55, 56, 64, 63, 65], 1] -= 60  # the left half of the mouth
    found = of_landmarks(faces).face.asymmetry(rest=(1, 10))
    assert (found["mouth_movement"].iloc[20:] == 1).all()
    assert found["mouth_movement"].iloc[:20].isna().all()
    mirrored = faces[:, MIRRORED] * [-1, 1]
    assert (of_landmarks(mirrored).face.asymmetry(rest=(1, 10))["mouth_movement"].iloc[20:] == -1).all()


def test_turned_heads_are_left_out_of_asymmetry():
    found = of_landmarks(symmetric_faces(3), pose_Ry=np.radians([0.0, 11.0, -30.0])).face
    assert found.asymmetry()["face"].isna().tolist() == [False, True, True]
    assert found.asymmetry(max_yaw=None)["face"].notna().all()
    assert found.asymmetry(max_yaw=20)["face"].isna().tolist() == [False, False, True]
    with pytest.raises(MissingColumnsError, match="pose_Tx"):
        of_landmarks(symmetric_faces(3)).drop(columns="pose_Tx").face.asymmetry()


# quality and reprs


def test_quality_is_what_the_table_tells():
    table = made_up(
        10,
        success=[1, 0, 0, 0, 1, 1, 1, 0, 1, 1],
        confidence=[0.9] * 8 + [0.5, 0.7],
        pose_Rx=0.0,
        pose_Ry=np.radians([0, 80, 80, 80, 46, 44, 0, 80, 0, 0]),
        pose_Rz=0.0,
    )
    found = table.face.quality().iloc[0]
    assert found["tracked"] == 0.6
    assert found["longest_gap"] == 3
    assert found["confidence"] == pytest.approx((4 * 0.9 + 0.5 + 0.7) / 6)
    assert found["low_confidence"] == pytest.approx(2 / 6)
    assert found["pose_outside"] == pytest.approx(1 / 6)
    assert np.isnan(made_up().face.quality()["pose_outside"].iloc[0])


def test_quality_looks_at_the_video(tmp_path):
    import cv2

    path = str(tmp_path / "v.avi")
    writer = cv2.VideoWriter(path, cv2.VideoWriter.fourcc(*"MJPG"), RATE, (64, 48))
    for n in range(20):
        writer.write(np.full((48, 64, 3), 60 + 4 * n, np.uint8))
    writer.release()
    found = made_up().face.quality(video=path).iloc[0]
    assert found["brightness"] == pytest.approx(60 + 4 * 9.5, abs=1.5)
    assert found["dark"] == found["bright"] == 0
    assert found["sharpness"] < 1


def test_notebooks_show_what_a_table_holds():
    table = pd.read_csv(DEMO_TRUTH)
    table.attrs = {"source": "<b>a&b</b>.mp4", "hints": ["AU04"]}
    html = table.face._repr_html_()
    assert "&lt;b&gt;a&amp;b" in html
    assert "<b>a&b" not in html
    assert "AU12 Lip corner puller" in html
    assert "AU04 Brow lowerer (hint only)" in html
    assert "450 rows" in html
    assert "<script" not in html
    assert len(repr(table.face)) < 200
    assert pd.DataFrame({"confidence": [0.5]}).face._repr_html_()
    assert made_up(0).face._repr_html_()
    many = pd.concat({f"v{n}": made_up(4) for n in range(40)}, names=["video", "row"])
    assert "more rows" in many.face._repr_html_()
