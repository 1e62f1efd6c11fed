"""Videos and images of all kinds, made with FFmpeg, each with the result that it must give."""

from __future__ import annotations

import warnings

import cv2
import numpy as np
import pytest
from media_kinds import FPS, FRAMES, KINDS, Kind, Maker, ffmpeg_program

from pyfaceau import DamagedVideoWarning, InputWarning, RotationWarning, TimestampWarning
from pyfaceau.errors import VideoError


@pytest.fixture(scope="module")
def maker(tmp_path_factory) -> Maker:
    program = ffmpeg_program()
    if program is None:
        pytest.skip("needs an FFmpeg program, or `pip install imageio-ffmpeg`")
    return Maker(program, tmp_path_factory.mktemp("frames"))


def warned(kind: Kind) -> set[type[Warning]]:
    """Warnings that a kind must give, apart from that about its length and about its time stamps."""
    found: set[type[Warning]] = {RotationWarning} if kind.rotated else set()
    return found | ({DamagedVideoWarning} if kind.damage else set())


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_kind_of_file_gives_what_it_must(kind, maker, pipeline, tmp_path):
    path = tmp_path / kind.name
    kind.make(maker, path)
    if kind.error:
        with pytest.raises(VideoError, match=kind.error):
            pipeline.process_video(path, progress=False)
        return
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        if kind.photos:
            table = pipeline.process_images(path, progress=False)
        else:
            table = pipeline.process_video(path, progress=False, rotate="auto")
    found = {each.category for each in caught}
    assert found & {DamagedVideoWarning, RotationWarning, InputWarning} == warned(kind)
    if kind.times != ():
        assert (TimestampWarning in found) == (kind.times is not None and max(kind.times) > FRAMES / FPS)
    assert len(table) == kind.rows or (kind.rows < 0 < len(table) < FRAMES)
    assert tuple(sorted(table.attrs.get("damage", ()))) == kind.damage
    assert table["success"].all()
    assert table["AU12_r"].notna().all()
    assert table["AU12_c"].dtype == "Int64"
    if kind.photos:
        assert table.attrs["au_models"] == "static"
        assert table["input"].str.len().all()
        return
    assert (np.diff(table["timestamp"]) > 0).all() or kind.name == "numbered"
    if kind.times != ():
        times = [n / FPS for n in range(len(table))] if kind.times is None else kind.times
        np.testing.assert_allclose(table["timestamp"], times, atol=2e-3)
    if table.attrs["decoder"]["reader"] == "PyAV":
        assert table.attrs["timestamps"]["from"] == "container"
    assert table.attrs["rotated"] == kind.rotated
    width, height = table.attrs["frame_size"]
    assert (height > width) == kind.portrait


def test_there_are_twenty_kinds():
    assert len(KINDS) >= 20
    assert len({kind.name for kind in KINDS}) == len(KINDS)


def test_lossless_kinds_give_the_frames_themselves(maker, pipeline, tmp_path):
    """What a table says of a numbered folder is what it says of the frames."""
    kind = next(kind for kind in KINDS if kind.name == "numbered")
    kind.make(maker, tmp_path / "numbered")
    table = pipeline.process_video(tmp_path / "numbered", progress=False)
    expected = pipeline.process_frames(maker.frames, fps=FPS)
    aus = [name for name in table if name.endswith("_r")]
    np.testing.assert_array_equal(table[aus], expected[aus])
    assert cv2.imread(str(tmp_path / "numbered/img10.png")).tolist() == maker.frames[9].tolist()
