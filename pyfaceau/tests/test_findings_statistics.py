"""Figures against libraries of statistics and against plain loops; and how long two hours take."""

from __future__ import annotations

import json
import time

import numpy as np
import pandas as pd
import pingouin
import pytest
import scipy.stats
from typer.testing import CliRunner

from pyfaceau import MissingColumnsError, ResultFileError, compare, read_openface_csv, read_table
from pyfaceau.cli.app import app
from pyfaceau.findings.statistics import block_sums
from pyfaceau.output.openface_csv import write_openface_csv

UNITS = [f"AU{n:02d}_r" for n in (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 25, 26, 45)]


def autocorrelated(n: int, rho: float, seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(size=n)
    out = np.zeros(n)
    for k in range(1, n):
        out[k] = rho * out[k - 1] + noise[k]
    return out


def recording(n: int, **columns) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "frame": np.arange(1, n + 1),
            "face_id": 0,
            "timestamp": np.arange(n) / 30,
            "confidence": 0.9,
            "success": 1,
            **columns,
        }
    )


# summary


def test_summary_is_what_loops_count():
    rng = np.random.default_rng(0)
    signal = np.clip(autocorrelated(400, 0.9, 1) + 1, 0, 5)
    seen = rng.random(400) > 0.05
    found = recording(400, AU12_r=signal, success=seen.astype(int)).face.summary(resamples=0).loc["AU12"]
    onsets = sum(
        bool(seen[k] and seen[k - 1] and signal[k] >= 1 and signal[k - 1] < 1) for k in range(1, 400)
    )
    assert found["frames"] == seen.sum()
    assert found["mean"] == pytest.approx(signal[seen].mean())
    assert found["peak"] == signal[seen].max()
    assert found["active"] == pytest.approx((signal[seen] >= 1).mean())
    assert found["onsets_per_minute"] == pytest.approx(onsets / (seen.sum() / 30 / 60))
    assert np.isnan(found["mean_low"])


def test_block_sums_are_sums_of_stretches():
    series = np.random.default_rng(0).normal(size=50)
    draws = np.random.default_rng(1).integers(0, 41, (20, 5))
    expected = [sum(series[begin : begin + 10].sum() for begin in row) for row in draws]
    np.testing.assert_allclose(block_sums(series, draws, 10), expected)


def test_intervals_of_independent_frames_are_those_of_the_normal_distribution():
    signal = np.clip(np.random.default_rng(3).normal(2.5, 0.5, 20000), 0, 5)
    found = recording(20000, AU12_r=signal).face.summary(resamples=2000, block=1.0).loc["AU12"]
    low, high = scipy.stats.norm.interval(0.95, signal.mean(), signal.std() / np.sqrt(20000))
    assert found["mean_low"] == pytest.approx(low, abs=0.001)
    assert found["mean_high"] == pytest.approx(high, abs=0.001)


def test_intervals_know_that_frames_resemble_their_neighbours():
    # The variance of the mean of an AR(1) series is (1 + rho) / (1 - rho) times that of independent values.
    signal = 2.5 + 0.1 * autocorrelated(40000, 0.9, 5)
    found = recording(40000, AU12_r=signal).face.summary(resamples=1000).loc["AU12"]
    width = found["mean_high"] - found["mean_low"]
    naive = 2 * 1.96 * signal.std() / np.sqrt(40000)
    assert width / naive == pytest.approx(np.sqrt(1.9 / 0.1), rel=0.2)


def test_the_same_seed_gives_the_same_intervals():
    table = recording(600, AU12_r=np.clip(autocorrelated(600, 0.9, 7), 0, 5))
    pd.testing.assert_frame_equal(table.face.summary(), table.face.summary())
    assert not table.face.summary().equals(table.face.summary(seed=1))


def test_a_recording_of_one_block_has_no_intervals():
    table = recording(100, AU12_r=np.linspace(0, 4, 100))
    assert table.face.summary(block=60.0)[["mean_low", "active_high"]].isna().all(axis=None)
    assert table.face.summary().notna().all(axis=None)


# agreement


@pytest.fixture
def pair() -> tuple[pd.DataFrame, pd.DataFrame]:
    rng = np.random.default_rng(0)
    a = np.clip(autocorrelated(200, 0.8, 2) + 1, 0, 5)
    return recording(200, AU12_r=a), recording(200, AU12_r=0.8 * a + 0.3 + rng.normal(0, 0.2, 200))


@pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore:.*:FutureWarning"
)  # of pingouin's use of pandas
def test_agreement_is_that_of_libraries_of_statistics(pair):
    found = compare(*pair).columns.loc["AU12_r"]
    a, b = (table["AU12_r"].to_numpy() for table in pair)
    assert found["r"] == pytest.approx(scipy.stats.pearsonr(a, b).statistic, abs=1e-12)
    long = pd.DataFrame(
        {"row": np.tile(np.arange(200), 2), "rater": np.repeat(["a", "b"], 200), "x": np.r_[a, b]}
    )
    icc = pingouin.intraclass_corr(long, targets="row", raters="rater", ratings="x").set_index("Type")["ICC"]
    name = next(each for each in icc.index if each in ("ICC3", "ICC(C,1)"))
    assert found["icc"] == pytest.approx(icc[name], abs=1e-9)
    assert found["mean_abs_difference"] == pytest.approx(np.abs(a - b).mean())
    assert found["bias"] == pytest.approx((a - b).mean())
    assert found["lower"] == pytest.approx((a - b).mean() - 1.96 * (a - b).std(ddof=1))
    assert found["upper"] == pytest.approx((a - b).mean() + 1.96 * (a - b).std(ddof=1))


def test_rows_are_matched_by_frame_and_face(pair):
    a, b = pair
    shuffled = b.sample(frac=1, random_state=0).iloc[:150]
    found = compare(a, shuffled)
    assert found.rows["both"] == 150
    assert found.rows["only_in_a"] == 50
    kept = sorted(shuffled["frame"] - 1)
    expected = np.corrcoef(a["AU12_r"].iloc[kept], b["AU12_r"].iloc[kept])[0, 1]
    assert found.columns.loc["AU12_r", "r"] == pytest.approx(expected)
    with pytest.raises(MissingColumnsError, match="same recording"):
        compare(a, b.assign(frame=b["frame"] + 1000))
    with pytest.raises(MissingColumnsError, match="only one has frames"):
        compare(a, b.drop(columns="frame"))


def test_frames_that_only_one_sees_do_not_count(pair):
    a, b = pair
    b = b.copy()
    b.loc[:49, "success"] = 0
    b.loc[:49, "AU12_r"] = 0.0
    found = compare(a, b)
    assert found.rows["face_only_in_a"] == 50
    assert found.columns.loc["AU12_r", "n"] == 150


def test_worst_frames_are_those_that_differ_most(pair):
    a, b = pair
    b = b.copy()
    b.loc[[17, 120], "AU12_r"] = [5.0, 4.9]
    b["AU12_r"] = b["AU12_r"].where(b.index.isin([17, 120]), a["AU12_r"])
    found = compare(a, b).worst_frames(count=2)
    assert set(found["frame"]) == {18, 121}
    assert compare(a, b).worst_frames("AU12_r", 1)["difference"].iloc[0] == pytest.approx(
        max(abs(5.0 - a["AU12_r"][17]), abs(4.9 - a["AU12_r"][120]))
    )


def test_without_action_units_the_worst_frames_are_by_shares_of_each_columns_spread():
    rng = np.random.default_rng(2)
    a = recording(50, pose_Tz=600 + rng.normal(0, 10, 50), pose_Rx=rng.normal(0, 0.1, 50))
    b = a.copy()
    b.loc[7, "pose_Tz"] += 5.0  # half of its spread
    b.loc[21, "pose_Rx"] += 0.3  # three times its spread, if a smaller number
    assert compare(a, b).worst_frames(count=2)["frame"].tolist() == [22, 8]
    with pytest.raises(MissingColumnsError, match="no column AU12_r in common"):
        compare(a, b).worst_frames("AU12_r")


def test_figures_that_cannot_be_are_refused_and_a_table_without_rows_has_none():
    table = recording(10, AU12_r=1.0)
    with pytest.raises(ValueError, match="level is a share"):
        table.face.summary(level=95)
    with pytest.raises(ValueError, match="resamples"):
        table.face.summary(resamples=-1)
    found = table.iloc[:0].face.summary()
    assert found.loc["AU12", "frames"] == 0
    assert found.drop(columns="frames").isna().all(axis=None)


def test_results_that_cannot_be_read_are_named_with_what_is_wrong(tmp_path):
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 no table")
    recording(3, AU12_r=1.0).to_csv(tmp_path / "clip.csv", index=False)
    (tmp_path / "clip.csv.json").write_text("{no record")
    (tmp_path / "empty.csv").touch()
    for name, complaint in (
        ("broken.parquet", r"broken\.parquet: cannot be read"),
        ("clip.csv", r"clip\.csv\.json: cannot be read .* remove it if it is not the table's"),
        ("empty.csv", r"empty\.csv: not a table"),
        (".", "a folder, not a file"),
    ):
        with pytest.raises(ResultFileError, match=complaint):
            read_table(tmp_path / name)


def test_tables_of_photographs_are_read_with_their_names(tmp_path):
    photographs = pd.DataFrame({"input": ["a.jpg", "b.jpg"], "face_id": 0, "AU12_r": [1.0, 2.5]})
    photographs.to_csv(tmp_path / "photos.csv", index=False)
    pd.testing.assert_frame_equal(read_table(tmp_path / "photos.csv"), photographs)


def test_compare_reads_files_of_both_programs_and_of_every_separator(tmp_path, pair):
    a, b = pair
    write_openface_csv(a, tmp_path / "spaced.csv")
    write_openface_csv(b, tmp_path / "compact.csv", dialect="compact")
    b.to_parquet(tmp_path / "own.parquet")
    run = CliRunner().invoke(
        app, ["compare", str(tmp_path / "spaced.csv"), str(tmp_path / "own.parquet"), "--json"]
    )
    assert run.exit_code == 0, run.output
    record = json.loads(run.stdout)
    assert record["rows"]["both"] == 200
    (unit,) = (column for column in record["columns"] if column["column"] == "AU12_r")
    assert unit["r"] == pytest.approx(np.corrcoef(a["AU12_r"], b["AU12_r"])[0, 1], abs=1e-3)
    run = CliRunner().invoke(
        app,
        ["compare", str(tmp_path / "spaced.csv"), str(tmp_path / "compact.csv"), "-o", str(tmp_path / "out")],
    )
    assert run.exit_code == 0, run.output
    assert "ICC(3,1)" in run.stdout
    assert "AU12_r" in run.stdout
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "agreement.csv",
        "worst_frames.csv",
        "bland_altman.png",
    }
    run = CliRunner().invoke(app, ["compare", str(tmp_path / "spaced.csv"), str(tmp_path / "none.csv")])
    assert run.exit_code == 1
    assert "none.csv" in run.stderr


def test_compare_reads_the_csvs_of_earlier_openfaces(tmp_path):
    # OpenFace 1 had no face_id, and other columns at the end.
    old = recording(5, AU12_r=[0.0, 1, 2, 3, 4]).drop(columns="face_id")
    old.to_csv(tmp_path / "old.csv", index=False)
    found = compare(tmp_path / "old.csv", recording(5, AU12_r=[0.0, 1, 2, 3, 5]))
    assert found.rows["both"] == 5
    assert found.columns.loc["AU12_r", "mean_abs_difference"] == pytest.approx(0.2)


def test_results_agree_with_themselves_on_real_recordings(shared):
    for path in sorted((shared / "gold/cli").glob("*.csv.gz")):
        table = read_openface_csv(path)
        found = compare(path, table)
        assert found.rows["both"] == len(table)
        assert (found.columns["mean_abs_difference"].dropna() == 0).all()
        if len(table) > 1:
            assert found.columns["r"].dropna().to_numpy() == pytest.approx(1.0)


# two hours


def test_two_hours_are_summarised_in_seconds():
    n = 216_000
    rng = np.random.default_rng(0)
    units = np.clip(np.cumsum(rng.normal(0, 0.1, (len(UNITS), n)), axis=1) % 6 - 1, 0, 5)
    others = pd.DataFrame(np.zeros((714 - 5 - len(UNITS), n)).T, copy=False)
    table = pd.concat([recording(n), pd.DataFrame(units.T, columns=UNITS), others.add_prefix("c")], axis=1)
    assert table.shape == (n, 714)
    begin = time.process_time()
    np.sort(units[:4].ravel())  # how fast this machine is at the moment: some 0.06 s when nothing else runs
    machine = max(time.process_time() - begin, 0.05) / 0.06
    begin = time.process_time()
    found = table.face.summary()
    assert time.process_time() - begin < 2 * max(machine, 1)
    np.testing.assert_allclose(found["mean"], units.mean(axis=1))
