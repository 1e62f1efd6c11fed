"""The page of a recording in a real browser: plays, seeks, steps, draws, exports, and asks nothing of the network."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pandas as pd
import pytest
from browsing import DESKTOP, PHONE, browsing
from made_up_recording import FRAMES, RATE, SIZE, SMILE, moving_face, write_film

from pyfaceau.report import page_beside, write_report

ODD_NAME = "a b#1?ü%20 'x\" & <y>: z.mp4"


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> Path:
    """A report with its video one folder further, under a name with everything that addresses trip over."""
    folder = tmp_path_factory.mktemp("report")
    (folder / "videos").mkdir()
    plain = write_film(folder / "plain.mp4")
    film = plain.rename(folder / "videos" / ODD_NAME)
    return write_report(moving_face(), folder / "pages" / "report.html", video=film).path


def test_the_video_plays_and_the_drawing_follows_it(chromium, report):
    with browsing(chromium, report) as seen:
        page = seen.page
        page.wait_for_selector("#video:not([hidden])")
        assert page.evaluate("document.getElementById('video').error") is None
        page.click("#play")
        page.wait_for_timeout(1500)
        page.click("#play")
        page.wait_for_timeout(300)
        assert 5 < seen.frame() < FRAMES
        shown = page.evaluate("document.getElementById('video').currentTime")
        assert abs(seen.frame() - 1 - shown * RATE) <= 1.5
        assert seen.drawn() > 1000
        assert seen.errors == []
        assert seen.outside == []


def test_every_arrow_key_is_one_frame_of_video_and_table(chromium, report):
    with browsing(chromium, report) as seen:
        page = seen.page
        page.focus("[role=slider]")
        for _ in range(3):
            page.keyboard.press("ArrowRight")
        assert seen.frame() == 4
        page.wait_for_timeout(300)
        assert page.evaluate("document.getElementById('video').currentTime") == pytest.approx(3.5 / RATE)
        page.keyboard.press("ArrowLeft")
        assert seen.frame() == 3
        page.keyboard.press("End")
        assert seen.frame() == FRAMES
        page.keyboard.press("Home")
        assert seen.frame() == 1
        page.keyboard.press("Shift+ArrowRight")
        assert seen.frame() == 1 + RATE


def test_events_are_reached_by_key_button_and_table(chromium, report):
    with browsing(chromium, report) as seen:
        page = seen.page
        page.focus("[role=slider]")
        page.keyboard.press("PageDown")
        assert seen.frame() == SMILE[1] + 1
        page.keyboard.press("Home")
        page.click("#next")
        assert seen.frame() == SMILE[1] + 1
        page.keyboard.press("Home")
        page.click("#events button[aria-label*=apex]")
        page.wait_for_timeout(200)
        assert seen.frame() == SMILE[1] + 1
        assert seen.text(".track:has([data-unit='1']) [data-value]") == "3.00"


def test_a_click_on_a_timeline_goes_there(chromium, report):
    with browsing(chromium, report) as seen:
        strip = seen.page.locator(".strip:has([data-unit='1'])")
        strip.scroll_into_view_if_needed()
        box = strip.bounding_box()
        seen.page.mouse.click(box["x"] + 0.5 * box["width"], box["y"] + 5)
        assert seen.frame() == pytest.approx(FRAMES / 2, abs=2)


def test_layers_are_switched_one_by_one_and_lost_frames_show_none(chromium, report):
    with browsing(chromium, report) as seen:
        page = seen.page
        page.focus("[role=slider]")
        page.keyboard.press("PageDown")
        whole = seen.drawn()
        for layer in ("landmarks", "box", "units"):
            page.uncheck(f"[data-show={layer}]")
            less = seen.drawn()
            assert less < whole
            whole = less
        assert whole == 0
        assert page.is_disabled("[data-show=gaze]")  # the table has none
        for layer in ("landmarks", "box", "units"):
            page.check(f"[data-show={layer}]")
        page.focus("[role=slider]")
        page.keyboard.press("Home")
        for _ in range(2):
            page.keyboard.press("Shift+ArrowRight")
        for _ in range(20):
            page.keyboard.press("ArrowRight")
        assert seen.frame() == 71
        assert "no face" in seen.text("#time")
        assert seen.drawn() == 0


def test_landmarks_are_drawn_where_the_table_has_them(chromium, report):
    with browsing(chromium, report) as seen:
        page = seen.page
        for layer in ("box", "units"):
            page.uncheck(f"[data-show={layer}]")
        page.focus("[role=slider]")
        page.keyboard.press("PageDown")
        bounds = page.evaluate(
            """() => {
                const canvas = document.getElementById("overlay");
                const { width, height } = canvas;
                const data = canvas.getContext("2d").getImageData(0, 0, width, height).data;
                const box = [Infinity, Infinity, -Infinity, -Infinity];
                for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) {
                    if (data[4 * (y * width + x) + 3] < 128) continue;
                    box[0] = Math.min(box[0], x); box[1] = Math.min(box[1], y);
                    box[2] = Math.max(box[2], x); box[3] = Math.max(box[3], y);
                }
                return [box[0] / width, box[1] / height, box[2] / width, box[3] / height];
            }"""
        )
    x = 130 + 0.5 * SMILE[1]
    expected = [(x - 50) / SIZE[0], 60 / SIZE[1], (x + 50) / SIZE[0], 180 / SIZE[1]]
    assert bounds == pytest.approx(expected, abs=0.012)  # a dot has a radius of 1.7 px of the screen


def test_events_are_saved_for_elan_and_boris(chromium, report):
    with browsing(chromium, report) as seen:
        saved = {}
        for kind in ("eaf", "boris"):
            with seen.page.expect_download() as waiting:
                seen.page.click(f"[data-export={kind}]")
            saved[kind] = Path(waiting.value.path()).read_text(encoding="utf-8")
            assert waiting.value.suggested_filename.endswith(f".{kind}")
        assert seen.errors == []
    document = ET.fromstring(saved["eaf"])
    assert [tier.get("TIER_ID") for tier in document.iter("TIER")] == ["AU12"]
    (observation,) = json.loads(saved["boris"])["observations"].values()
    assert [row[2] for row in observation["events"]] == ["AU12", "AU12"]


@pytest.mark.parametrize("size", [DESKTOP, PHONE])
def test_nothing_is_cut_off_at_the_width_of_a_desktop_and_of_a_phone(chromium, report, size):
    with browsing(chromium, report, size) as seen:
        assert seen.page.evaluate("document.documentElement.scrollWidth") <= size[0]
        assert seen.page.locator("#play").bounding_box()["height"] >= 40
        assert seen.errors == []
        assert seen.outside == []


@pytest.mark.parametrize("size", [DESKTOP, PHONE])
def test_axe_finds_no_violation(chromium, report, size):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe-playwright-python")
    with browsing(chromium, report, size) as seen:
        found = axe.Axe().run(seen.page)
    serious = [
        (each["id"], [node["html"][:100] for node in each["nodes"]])
        for each in found.response["violations"]
        if each["impact"] in ("serious", "critical")
    ]
    assert found.response["passes"]
    assert serious == []


def test_without_its_video_the_page_says_so_and_goes_on(chromium, report, tmp_path):
    alone = tmp_path / "alone.html"
    alone.write_bytes(report.read_bytes())
    with browsing(chromium, alone) as seen:
        seen.page.wait_for_selector("#unplayable:not([hidden])")
        seen.page.click("#forward")
        assert seen.frame() == 2
        assert seen.drawn() > 1000
        seen.page.click("#play")
        seen.page.wait_for_timeout(700)
        assert seen.frame() > 5


def test_a_table_without_video_plays_its_landmarks(chromium, tmp_path):
    page = write_report(moving_face(), tmp_path / "report.html").path
    with browsing(chromium, page) as seen:
        assert seen.page.query_selector("video") is None
        seen.page.click("#next")
        assert seen.frame() == SMILE[1] + 1
        assert seen.drawn() > 1000
        assert seen.errors == []


def test_a_table_with_nothing_to_draw_has_timelines(chromium, tmp_path):
    table = moving_face()[["frame", "timestamp", "AU12_r"]]
    table.attrs = {}
    page = write_report(table, tmp_path / "report.html").path
    with browsing(chromium, page) as seen:
        assert seen.page.query_selector("#stage") is None
        seen.page.click("#next")
        assert seen.frame() == SMILE[1] + 1
        assert seen.errors == []


def test_two_faces_are_told_apart(chromium, tmp_path):
    first, second = moving_face(), moving_face()
    second["face_id"], second["AU12_r"] = 7, 0.0
    second.loc[60:90, "success"] = 0
    table = pd.concat([first, second]).sort_values(["frame", "face_id"], ignore_index=True)
    table.attrs = first.attrs
    page = write_report(table, tmp_path / "report.html").path
    with browsing(chromium, page) as seen:
        assert seen.page.locator("#face option").all_text_contents() == ["face 0", "face 7"]
        seen.page.click("#next")
        assert seen.text(".track:has([data-unit='1']) [data-value]") == "3.00"
        seen.page.select_option("#face", "1")
        assert seen.text(".track:has([data-unit='1']) [data-value]") == "0.00"


def test_a_page_without_a_name_goes_beside_its_result():
    assert page_beside(Path("a/clip.parquet")) == Path("a/clip_report.html")
