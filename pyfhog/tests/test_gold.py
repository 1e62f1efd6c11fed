"""FHOG of the C++ reference's own aligned faces."""

from __future__ import annotations

import numpy as np
import pytest

from pyfhog import extract_fhog

pytestmark = pytest.mark.parity

BAR = 1e-5  # both are float32 with a different order of additions


def test_equals_the_reference_on_video_faces(shared):
    cv2 = pytest.importorskip("cv2")
    compared = 0
    for folder in sorted((shared / "gold" / "video").glob("*/*")):
        frames = np.load(folder / "hog_frame.npy")[:, 0].astype(int)
        descriptors = np.load(folder / "hog.npy").reshape(len(frames), -1)
        for frame, descriptor in zip(frames, descriptors, strict=True):
            face = cv2.imread(str(folder / f"aligned_{frame:05d}.png"))
            found = extract_fhog(face).ravel()
            np.testing.assert_allclose(found, descriptor, rtol=0, atol=BAR, err_msg=f"{folder.name} {frame}")
            compared += 1
    assert compared >= 20


def test_equals_the_reference_on_still_faces(shared):
    cv2 = pytest.importorskip("cv2")
    compared = 0
    for path in sorted((shared / "gold" / "images").glob("*/hog_*.npy")):
        face = cv2.imread(str(path.with_name(path.stem.replace("hog_", "aligned_") + "_00.png")))
        found = extract_fhog(face).ravel()
        np.testing.assert_allclose(found, np.load(path).ravel(), rtol=0, atol=BAR, err_msg=str(path))
        compared += 1
    assert compared >= 6
