"""What the pages hold: packed values, events in other programs' formats, nothing that anybody else put there."""

from __future__ import annotations

import base64
import json
import re
import xml.etree.ElementTree as ET
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from browsing import browsing
from made_up_recording import FRAMES, RATE, SMILE, moving_face
from typer.testing import CliRunner

from pyfaceau.cli.app import app
from pyfaceau.errors import MissingColumnsError, OutputError
from pyfaceau.report import Event, Recording, boris, eaf, write_report
from pyfaceau.report.packing import extremes, pack

HOSTILE = '</script><script>window.hacked=1</script><img src=x onerror="window.hacked=1">\'"&<!--'
EVENTS = [
    Event(0, "AU12", 1.0, 1.5, 2.0, 1.04, 3.25, True),
    Event(0, "AU12", 3.0, 3.2, 3.4, 0.44, 1.5, True),
    Event(0, "AU01", 0.5, 0.6, 0.9, 0.44, 2.0, False),
]
ABOUT = Recording("clip", "../videos/a & b.mp4", RATE, 4.0, "2026-01-02T03:04:05+00:00")


def unpacked(packed: dict) -> np.ndarray:
    """Undo `pack` in another way than the page does."""
    kind = np.dtype(packed["type"])
    planes = np.frombuffer(zlib.decompress(base64.b64decode(packed["data"])), np.uint8)
    unsigned = np.dtype(f"u{kind.itemsize}")
    steps = sum(
        plane.astype(unsigned) << unsigned.type(8 * n)
        for n, plane in enumerate(planes.reshape(kind.itemsize, -1))
    )
    return np.cumsum(steps, dtype=unsigned).view(kind)


def content_of(page: Path) -> dict:
    return json.loads(re.search(r'id="data">(.*?)</script>', page.read_text("utf-8"), re.S)[1])


@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.uint32])
def test_packed_values_come_back_as_they_were(kind):
    limits = np.iinfo(kind)
    values = np.random.default_rng(1).integers(limits.min, limits.max, 1000, kind, endpoint=True)
    values[:4] = limits.min, limits.max, limits.max, limits.min
    np.testing.assert_array_equal(unpacked(pack(values)), values)
    assert pack(values[:0])["count"] == 0


def test_values_of_other_kinds_are_not_packed():
    with pytest.raises(TypeError, match="float64"):
        pack(np.zeros(3))


def test_thinning_keeps_every_peak_and_every_gap():
    values = np.zeros((1000, 1))
    values[123], values[124] = 5.0, np.nan
    values[500:520] = np.nan
    low, high = extremes(values, 10)
    assert np.nanmax(high) == 5.0
    assert np.flatnonzero(high[:, 0] == 5.0).tolist() == [12]
    assert np.flatnonzero(np.isnan(high[:, 0])).tolist() == [50, 51]
    assert np.nanmax(low) == 0.0


@pytest.fixture(scope="module")
def hours(tmp_path_factory) -> Path:
    """The page of two hours with every unit, one of which has a peak of a single frame."""
    n = 216_000
    rng = np.random.default_rng(3)
    time = np.arange(n) / 30
    table = pd.DataFrame({"frame": np.arange(1, n + 1), "timestamp": time, "confidence": 0.95, "success": 1})
    for unit in (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 25, 26, 45):
        slow = 1.2 + np.sin(time / (3 + unit / 7))
        table[f"AU{unit:02d}_r"] = (slow + rng.normal(0, 0.03, n)).clip(0, 5)
    table.loc[100_001, "AU12_r"] = 4.9  # a single frame
    return write_report(table, tmp_path_factory.mktemp("hours") / "hours.html").path


def test_a_page_of_hours_stays_usable(chromium, hours):
    with browsing(chromium, hours) as seen:
        seen.page.focus("[role=slider]")
        seen.page.keyboard.press("End")
        assert seen.frame() == 216_000
        seen.page.click("#closer")
        seen.page.focus("[role=slider]")
        seen.page.keyboard.press("ArrowLeft")
        assert seen.frame() == 215_999
        assert seen.errors == []


def test_a_page_of_hours_is_small_and_holds_each_peak(hours):
    assert hours.stat().st_size < 3_000_000
    content = content_of(hours)
    (face,) = content["faces"]
    points = -(-216_000 // face["width"])
    high = unpacked(face["high"]).reshape(-1, points)
    unit = [each["unit"] for each in content["units"]].index("AU12")
    assert high[unit].argmax() == 100_001 // face["width"]
    assert high[unit].max() / 50 == pytest.approx(4.9, abs=0.01)
    assert len(unpacked(face["clock"])) == 216_000


def test_an_elan_file_has_a_tier_for_each_unit_and_the_times_of_its_events():
    root = ET.fromstring(eaf(EVENTS, ABOUT).encode())
    assert (root.tag, root.get("FORMAT")) == ("ANNOTATION_DOCUMENT", "3.0")
    assert [child.tag for child in root] == ["HEADER", "TIME_ORDER", "TIER", "TIER", "LINGUISTIC_TYPE"]
    assert root.find("HEADER").get("TIME_UNITS") == "milliseconds"
    media = root.find("HEADER/MEDIA_DESCRIPTOR")
    assert media.get("RELATIVE_MEDIA_URL") == "./../videos/a & b.mp4"
    assert media.get("MIME_TYPE") == "video/mp4"
    slots = {slot.get("TIME_SLOT_ID"): int(slot.get("TIME_VALUE")) for slot in root.iter("TIME_SLOT")}
    assert list(slots.values()) == sorted(slots.values())
    kinds = {kind.get("LINGUISTIC_TYPE_ID") for kind in root.iter("LINGUISTIC_TYPE")}
    found = {}
    for tier in root.iter("TIER"):
        assert tier.get("LINGUISTIC_TYPE_REF") in kinds
        found[tier.get("TIER_ID")] = [
            (
                slots[each.get("TIME_SLOT_REF1")],
                slots[each.get("TIME_SLOT_REF2")],
                each.find("ANNOTATION_VALUE").text,
            )
            for each in tier.iter("ALIGNABLE_ANNOTATION")
        ]
    assert found == {"AU01": [(500, 940, "2.00")], "AU12": [(1000, 2040, "3.25"), (3000, 3440, "1.50")]}
    numbers = [each.get("ANNOTATION_ID") for each in root.iter("ALIGNABLE_ANNOTATION")]
    assert len(set(numbers)) == len(EVENTS)


def test_a_boris_project_pairs_each_start_with_a_stop():
    project = json.loads(boris(EVENTS, ABOUT))
    assert project["project_format_version"] == "7.0"
    codes = {each["code"]: each["type"] for each in project["behaviors_conf"].values()}
    assert codes == {"AU01": "State event", "AU12": "State event"}
    observation = project["observations"]["clip"]
    assert observation["type"] == "MEDIA"
    assert observation["file"]["1"] == ["../videos/a & b.mp4"]
    assert observation["media_info"]["fps"] == {"../videos/a & b.mp4": RATE}
    rows = observation["events"]
    assert [row[0] for row in rows] == sorted(row[0] for row in rows)
    assert [row[0] for row in rows if row[2] == "AU12"] == [1.0, 2.04, 3.0, 3.44]
    assert rows[0][:4] == [0.5, "", "AU01", ""]
    assert rows[0][5] == round(0.5 * RATE)


def test_a_name_that_xml_cannot_hold_leaves_an_elan_file_that_can_be_read():
    odd = Recording("clip", "a\x01\udcff<&>.mp4", RATE, 4.0, "2026-01-02T03:04:05+00:00")
    root = ET.fromstring(eaf(EVENTS, odd))
    assert root.find("HEADER/MEDIA_DESCRIPTOR").get("MEDIA_URL") == "a\ufffd\ufffd<&>.mp4"


def test_several_faces_are_subjects_and_tiers_of_their_own():
    two = [*EVENTS, Event(3, "AU12", 1.0, 1.1, 1.2, 0.24, 2.0, True)]
    tiers = [tier.get("TIER_ID") for tier in ET.fromstring(eaf(two, ABOUT)).iter("TIER")]
    assert tiers == ["AU01 face 0", "AU12 face 0", "AU12 face 3"]
    project = json.loads(boris(two, ABOUT))
    assert [each["name"] for each in project["subjects_conf"].values()] == ["face 0", "face 3"]


def test_names_and_records_of_strangers_do_nothing(chromium, tmp_path):
    table = moving_face()
    table.attrs |= dict.fromkeys(
        ("models", "models_choice", "landmark_model", "source", "au_models"), HOSTILE
    )
    table.attrs |= {"versions": {HOSTILE: HOSTILE}, "options": {HOSTILE: [HOSTILE]}, "hints": [HOSTILE]}
    table.attrs |= {"camera": {"fx": HOSTILE}, "detector": {"class": HOSTILE}, HOSTILE: HOSTILE}
    table[HOSTILE] = HOSTILE
    page = write_report(table, tmp_path / "hostile.html", title=HOSTILE).path
    text = page.read_text("utf-8")
    assert HOSTILE not in text
    assert text.count("<script") == 2
    with browsing(chromium, page) as seen:
        assert seen.page.evaluate("window.hacked") is None
        assert seen.text("h1") == HOSTILE
        assert seen.errors == []
        assert seen.outside == []


def test_the_policy_lets_nothing_else_run_or_load(chromium, tmp_path):
    page = write_report(moving_face(), tmp_path / "report.html").path
    text = page.read_text("utf-8")
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)[1]
    assert policy.startswith("default-src &#39;none&#39;;")
    assert "unsafe" not in policy
    assert "http" not in policy
    broken = text.replace(
        "</main>", "<script>window.hacked=1</script><img src='https://example.org/x.png'></main>"
    )
    (tmp_path / "broken.html").write_text(broken, "utf-8")
    with browsing(chromium, tmp_path / "broken.html") as seen:
        assert seen.page.evaluate("window.hacked") is None
        assert sum("Content Security Policy" in error for error in seen.errors) >= 2


def test_records_of_the_wrong_kind_are_passed_over(tmp_path):
    table = moving_face()
    table.attrs = {
        "fps": "fast",
        "hints": 3,
        "frame_size": "big",
        "rotated": "left",
        "camera": [1],
        "options": 7,
    }
    page = write_report(table, tmp_path / "report.html").path
    assert content_of(page)["size"] is None


def test_the_page_tells_of_quality_first_and_of_what_made_the_table(tmp_path):
    table = moving_face()
    table.loc[50:, ["success", "confidence"]] = 0
    text = write_report(table, tmp_path / "report.html").path.read_text("utf-8")
    headings = re.findall(r'<h2 id="(\w+)-title"', text)
    assert headings == ["quality", "timelines", "apexes", "summary", "events", "provenance", "cite"]
    assert 'class="verdict poor"' in text
    assert "50.0%" in text
    assert "Baltrušaitis" in text
    assert "AU04: hints only" in text


def test_the_threshold_moves_onsets(tmp_path):
    onsets = []
    for threshold in (1.0, 2.0):
        page = write_report(moving_face(), tmp_path / "report.html", threshold=threshold).path
        events = content_of(page)["events"]
        assert unpacked(events["apex"]).tolist() == [round(SMILE[1] / RATE * 1e4)]
        onsets += unpacked(events["onset"]).tolist()
    assert onsets[0] < onsets[1] < SMILE[1] / RATE * 1e4


def test_what_is_no_recording_is_refused(tmp_path):
    with pytest.raises(MissingColumnsError, match="AU"):
        write_report(moving_face()[["frame", "timestamp", "confidence"]], tmp_path / "r.html")
    with pytest.raises(MissingColumnsError, match="photographs"):
        write_report(moving_face().assign(input="a.jpg"), tmp_path / "r.html")
    with pytest.raises(ValueError, match="no rows"):
        write_report(moving_face().iloc[:0], tmp_path / "r.html")
    with pytest.raises(OutputError, match="html"):
        write_report(moving_face(), tmp_path / "r.pdf")
    assert list(tmp_path.iterdir()) == []


def run(*arguments: object):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_a_report_is_made_on_the_command_line_from_csv_and_parquet(tmp_path):
    table = moving_face()
    table.to_parquet(tmp_path / "one.parquet")
    table.to_csv(tmp_path / "two.csv", index=False)
    for name in ("one.parquet", "two.csv"):
        done = run("report", tmp_path / name, "-q")
        assert done.exit_code == 0, done.output
        page = tmp_path / f"{Path(name).stem}_report.html"
        assert str(page) in done.stdout
        assert unpacked(content_of(page)["faces"][0]["frames"]).tolist() == list(range(1, FRAMES + 1))
    assert "says nothing about what made it" in (tmp_path / "two_report.html").read_text("utf-8")
    assert run("report", tmp_path, "--video", tmp_path / "a.mp4").exit_code == 2
