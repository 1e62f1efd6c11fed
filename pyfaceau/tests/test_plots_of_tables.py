"""Plots: that they show the numbers, keep peaks, take axes, and say what is missing."""

from __future__ import annotations

import time

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot

from pyfaceau import MissingColumnsError, plots
from pyfaceau.findings.asymmetry import MIRRORED
from pyfaceau.output.columns import group_columns
from pyfaceau.plots.axes import thinned

matplotlib.use("Agg")
N = 120


@pytest.fixture(autouse=True)
def _no_figures_left():
    yield
    pyplot.close("all")


def face(rng: np.random.Generator, n: int = N, smile: float = 10.0) -> pd.DataFrame:
    """A person whose mouth's corners move up while AU12 is active, in the second half."""
    points = np.repeat(10 * plots.DrawnFace.of({}).points[None], n, axis=0)
    active = np.arange(n) >= n // 2
    points[:, [48, 54], 1] -= smile * active[:, None]
    points += rng.normal(0, 0.1, points.shape)
    columns = {
        "frame": np.arange(1, n + 1),
        "face_id": 0,
        "timestamp": np.arange(n) / 30,
        "confidence": 0.95,
        "success": 1,
        "AU06_r": 1.0,
        "AU12_r": 3.0 * active,
    }
    columns |= {name: rng.normal(0, 0.05, n) for name in group_columns("pose") + group_columns("gaze")}
    columns |= dict(zip(group_columns("landmarks"), points.transpose(2, 1, 0).reshape(136, n), strict=True))
    return pd.DataFrame(columns)


@pytest.fixture
def table() -> pd.DataFrame:
    return face(np.random.default_rng(0))


OF_TABLES = {
    "aus": plots.plot_aus,
    "heatmap": plots.plot_heatmap,
    "pose": plots.plot_pose,
    "gaze": plots.plot_gaze,
    "quality": plots.plot_quality,
    "landmarks": plots.plot_landmarks,
    "movement": lambda table, ax=None: plots.plot_movement(table, "AU12", ax=ax),
    "groups": lambda table, ax=None: plots.plot_groups(table, "success", ax=ax),
}


@pytest.mark.parametrize("plot", OF_TABLES.values(), ids=OF_TABLES)
def test_plots_draw_into_the_axes_that_they_are_given(plot, table):
    _, ax = pyplot.subplots()
    assert plot(table, ax=ax) is ax
    new = plot(table)
    assert new is not ax
    new.figure.canvas.draw()
    assert new.has_data()


@pytest.mark.parametrize("plot", OF_TABLES.values(), ids=OF_TABLES)
def test_plots_name_what_is_missing(plot, table):
    bare = table[["frame", "face_id", "timestamp", "success"]]
    if plot is plots.plot_quality:
        assert plot(bare).has_data()
        return
    with pytest.raises(MissingColumnsError, match=r"analyse with|no intensity"):
        plot(bare)


def test_plots_over_time_take_one_face(table):
    both = pd.concat([table, table.assign(face_id=1)])
    with pytest.raises(ValueError, match="choose one by face_id"):
        plots.plot_aus(both)
    with pytest.raises(ValueError, match="no rows"):
        plots.plot_pose(table.iloc[:0])


def test_thinned_lines_keep_peaks_and_gaps():
    rng = np.random.default_rng(0)
    y = rng.normal(size=100_000)
    y[[1234, 77_777]] = 40, -40
    y[50_000:60_000] = np.nan
    x = np.arange(100_000.0)
    new_x, new_y = thinned(x, y)
    assert len(new_y) <= 4001
    assert (np.diff(new_x) >= 0).all()
    assert new_y[new_x == 1234].tolist()[0] == 40
    assert -40 in new_y
    assert np.isnan(new_y[(new_x > 50_100) & (new_x < 59_900)]).all()
    same = thinned(x[:100], y[:100])
    np.testing.assert_array_equal(same[1], y[:100])


def test_heat_maps_show_the_strongest_frame_of_each_column():
    n = 50_000
    values = np.zeros(n)
    values[31_111] = 4.5
    table = pd.DataFrame({"frame": np.arange(1, n + 1), "timestamp": np.arange(n) / 30, "AU12_r": values})
    (image,) = plots.plot_heatmap(table).get_images()
    picture = np.asarray(image.get_array())
    assert picture.max() == 4.5
    assert (picture == 4.5).sum() == 1
    assert picture.argmax() == pytest.approx(31_111 / n * picture.shape[1], abs=1.5)


def test_lost_frames_are_gaps(table):
    lost = table.assign(success=np.where(table["frame"].between(30, 60), 0, 1))
    (line, *_) = [each for each in plots.plot_pose(lost).get_lines() if len(each.get_xdata()) > 2]
    x, y = line.get_data()
    assert np.isnan(y[(x > 29.5 / 30) & (x < 58.5 / 30)]).all()


def test_arrows_show_what_a_unit_moves(table):
    (arrows,) = [c for c in plots.plot_movement(table, "AU12", scale=1).collections if hasattr(c, "U")]
    length = np.hypot(arrows.U, arrows.V)
    assert set(np.argsort(length)[-2:]) == {48, 54}
    assert (arrows.V[[48, 54]] < 0).all()  # up
    with pytest.raises(ValueError, match="always"):
        plots.plot_movement(table, "AU06")


def test_groups_show_recordings_not_frames():
    rng = np.random.default_rng(0)
    videos = {f"v{n}": face(rng).assign(group="ab"[n % 2]) for n in range(6)}
    ax = plots.plot_groups(pd.concat(videos, names=["video", "row"]), "group", ["AU12"])
    dots = [line for line in ax.get_lines() if line.get_marker() == "."]
    assert [len(line.get_xdata()) for line in dots] == [3, 3]
    assert dots[0].get_xdata() == pytest.approx(1.5)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["a (n = 3)", "b (n = 3)"]
    with pytest.raises(MissingColumnsError, match="manifest"):
        plots.plot_groups(face(rng), "group")


@pytest.mark.slow
def test_two_hours_are_plotted_in_seconds():
    n = 216_000
    rng = np.random.default_rng(0)
    units = np.clip(np.cumsum(rng.normal(0, 0.1, (17, n)), axis=1) % 6 - 1, 0, 5)
    columns = {"frame": np.arange(1, n + 1), "timestamp": np.arange(n) / 30, "success": 1}
    names = [f"AU{k:02d}_r" for k in (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 25, 26, 45)]
    table = pd.concat([pd.DataFrame(columns), pd.DataFrame(units.T, columns=names)], axis=1)
    for plot in (plots.plot_aus, plots.plot_heatmap):
        begin = time.perf_counter()
        ax = plot(table)
        ax.figure.canvas.draw()
        assert time.perf_counter() - begin < 5
        points = sum(len(line.get_xdata()) for line in ax.get_lines())
        assert points < 17 * 5000


# the drawn face


def test_drawn_faces_move_as_the_units_say():
    rest = plots.DrawnFace.of({}).points
    moved = {unit: plots.DrawnFace.of({unit: 5.0}).points - rest for unit in plots.drawn_face.known_units()}
    up = {unit: -points[:, 1] for unit, points in moved.items()}
    assert up["AU12"][[48, 54]].min() > 2  # corners of the mouth, mm
    assert up["AU15"][[48, 54]].max() < -1
    assert up["AU01"][[21, 22]].min() > 2
    assert up["AU02"][[17, 26]].min() > 1
    assert up["AU04"][[20, 21, 22, 23]].max() < 0
    assert up["AU26"][8] < -10  # the chin
    assert up["AU45"][[37, 38, 43, 44]].max() < -2  # upper lids
    assert up["AU05"][[37, 38, 43, 44]].min() > 0.5
    gap = rest[[65, 66, 67], 1] - rest[[63, 62, 61], 1]
    assert np.abs(gap).mean() < 1  # the mouth is shut at rest
    halves = plots.DrawnFace.of({"AU12": 2.5}).points - rest
    np.testing.assert_allclose(halves, moved["AU12"] / 2, atol=0.3)


def test_drawn_faces_are_symmetric():
    points = plots.DrawnFace.of({"AU06": 3, "AU12": 4}).points
    np.testing.assert_allclose(
        points[MIRRORED] * [-1, 1], points - [2 * points[27:31, 0].mean(), 0], atol=1.0
    )


def test_drawn_faces_take_rows_of_tables_and_refuse_unknown_units(table):
    ax = plots.plot_face(table.face.aus.iloc[-1], muscles=True)
    assert len(ax.patches) > 30
    assert len(plots.plot_face({"AU12_r": float("nan")}).patches) < 12
    with pytest.raises(ValueError, match="AU99"):
        plots.plot_face({"AU99": 1})


@pytest.mark.slow
def test_an_animation_has_the_frames_of_the_recording(table, tmp_path):
    animation = plots.animate_face(table.head(60), fps=5, muscles=True)
    animation.save(tmp_path / "face.gif", dpi=40)
    from PIL import Image

    with Image.open(tmp_path / "face.gif") as picture:
        assert picture.n_frames == 10
