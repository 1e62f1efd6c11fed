"""The overview of a batch: what is done, what failed and why, groups, and a page for each recording."""

from __future__ import annotations

import shutil
from urllib.parse import unquote

import pytest
from browsing import browsing
from typer.testing import CliRunner

from pyfaceau import AnalysisOptions, run_batch
from pyfaceau.cli.app import app
from pyfaceau.demo import DEMO_CLIP
from pyfaceau.errors import BatchError
from pyfaceau.report import write_batch_report

NAMES = ("one.mp4", "<b>two & #3.mp4", "four.mp4")
WITHOUT = "<script>window.hacked=1</script>"

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture(scope="module")
def batch(tmp_path_factory):
    """Three recordings in two groups, and a file that is no video."""
    folder = tmp_path_factory.mktemp("batch")
    for name in NAMES:
        shutil.copy(DEMO_CLIP, folder / name)
    (folder / "broken.mp4").write_bytes(b"no video")
    lines = [
        "path,group",
        f"{NAMES[0]},control",
        f'"{NAMES[1]}",control',
        f"{NAMES[2]},{WITHOUT}",
        "broken.mp4,control",
    ]
    (folder / "study.csv").write_text("\n".join(lines) + "\n")
    options = AnalysisOptions(models="open", include=("pose", "landmarks", "aus"))
    run_batch([folder / "study.csv"], folder / "out", options, max_frames=40)
    return folder / "out"


def test_the_overview_leads_to_every_page_and_names_every_failure(chromium, batch):
    done = CliRunner().invoke(app, ["report", str(batch), "-q"])
    assert done.exit_code == 0, done.output
    with browsing(chromium, batch / "report.html", ready=False) as seen:
        page = seen.page
        assert page.evaluate("window.hacked") is None
        assert page.locator("section:has(#failures-title) tbody tr").count() == 1
        assert "not a video" in seen.text("section:has(#failures-title) tbody")
        links = page.locator("section:has(#files-title) tbody a")
        assert links.all_text_contents() == [name.removesuffix(".mp4") for name in NAMES]
        groups = seen.text("section:has(#groups-title) thead")
        assert "control (n = 2)" in groups
        assert f"{WITHOUT} (n = 1)" in groups
        assert seen.errors == []
        links.nth(1).click()
        page.wait_for_selector("html[data-ready]")
        assert unquote(page.url).endswith("/<b>two & #3_report.html")
        assert seen.text("h1") == "<b>two & #3"
        assert seen.outside == []


def test_axe_finds_no_violation_in_the_overview(chromium, batch):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe-playwright-python")
    write_batch_report(batch)
    with browsing(chromium, batch / "report.html", ready=False) as seen:
        found = axe.Axe().run(seen.page).response
    assert found["passes"]
    assert [each["id"] for each in found["violations"] if each["impact"] in ("serious", "critical")] == []


def test_a_folder_that_has_been_moved_is_read_where_it_is(batch, tmp_path):
    moved = tmp_path / "moved"
    shutil.copytree(batch, moved)
    hidden = batch.rename(batch.with_name("elsewhere"))
    try:
        assert write_batch_report(moved).remarks == []
    finally:
        hidden.rename(batch)
    assert (moved / "one_report.html").is_file()


def test_a_folder_without_a_batch_is_refused(tmp_path):
    with pytest.raises(BatchError, match="not the output folder of a batch"):
        write_batch_report(tmp_path)
