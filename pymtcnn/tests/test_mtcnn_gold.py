"""Parity with the C++ reference."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pymtcnn import MTCNN

gold_mtcnn = pytest.importorskip("gold_mtcnn", reason="needs opencv-python-headless (extra 'test')")

pytestmark = pytest.mark.parity

BOX_BAR = 0.1  # px
SCORE_BAR = 1e-4


def test_all_faces_of_the_sample_images(shared: Path, detector: MTCNN) -> None:
    summary = gold_mtcnn.summarise(gold_mtcnn.compare_images(shared, detector))
    assert summary.faces == 19
    assert summary.wrong_counts == ()
    assert summary.box_error <= BOX_BAR
    assert summary.score_error <= SCORE_BAR


def test_all_faces_of_the_sampled_video_frames(shared: Path, detector: MTCNN) -> None:
    comparisons = gold_mtcnn.compare_videos(shared, detector)
    summary = gold_mtcnn.summarise(comparisons)
    assert summary.faces == sum(
        len(np.load(path)) for path in (shared / "gold/video/clnf").glob("*/mtcnn.npy")
    )
    assert summary.wrong_counts == ()
    assert summary.box_error <= BOX_BAR
    assert summary.score_error <= SCORE_BAR


def test_openfaces_own_files_give_the_same_boxes(shared: Path, openface_folder: Path) -> None:
    summary = gold_mtcnn.summarise(gold_mtcnn.compare_images(shared, MTCNN(weights=openface_folder)))
    assert summary.wrong_counts == ()
    assert summary.box_error <= BOX_BAR


def test_sixteen_bit_and_grey_images_have_the_face_of_their_original(shared: Path, detector: MTCNN) -> None:
    (original,) = detector.detect(gold_mtcnn.read_image(shared / "media/sample3.jpg"))
    for name in ("sample3_16bit_rgb.png", "sample3_16bit_gray.png"):
        image = gold_mtcnn.read_image(shared / "media" / name)
        assert image.dtype == np.uint16
        (found,) = detector.detect(image)
        np.testing.assert_allclose(found.box, original.box, atol=12)
