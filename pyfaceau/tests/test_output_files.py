"""Files beside the table: what was written is opened again and looked at."""

from __future__ import annotations

import struct

import cv2
import numpy as np
import pytest
from made_up_results import SIZE, made_up_image, made_up_result

import pyfaceau
from pyclnf.pose import Camera
from pyfaceau.alignment import FaceAligner
from pyfaceau.errors import OutputError, ResultFileError
from pyfaceau.output import (
    AlignedFaceSink,
    HogSink,
    OutputNames,
    TrackedImageSink,
    TrackedVideoSink,
    draw_result,
    read_hog,
    write_of_details,
)


class FlatFace:
    """A face model whose points lie on a grid of 20 mm."""

    mean = np.concatenate(
        [np.tile(np.arange(-80, 90, 20), 8)[:68], np.repeat(np.arange(-80, 100, 20), 9)[:68], np.zeros(68)]
    ).astype(np.float32)


def aligner(**options) -> FaceAligner:
    return FaceAligner(FlatFace(), np.array([[0, 8, 67]], np.int32), **options)


def write_hog(path, successes=(True, False, True)):
    sink = HogSink(path)
    for number, success in enumerate(successes, start=1):
        sink.write(made_up_result(number, success=success), made_up_image())
    sink.close()


# .hog


def test_hog_file_reads_back_exactly(tmp_path):
    write_hog(tmp_path / "clip.hog")
    hog = pyfaceau.read_hog(tmp_path / "clip.hog")
    assert hog.valid.tolist() == [True, False, True]
    assert hog.features.shape == (3, 12, 12, 31)
    np.testing.assert_array_equal(hog.features[2], made_up_result(3).analysis.hog)
    assert not hog.features[1].any()


def test_hog_file_has_openfaces_bytes(tmp_path):
    write_hog(tmp_path / "clip.hog", (True, False))
    data = (tmp_path / "clip.hog").read_bytes()
    assert len(data) == 2 * 17872
    assert struct.unpack("<iiif", data[:16]) == (12, 12, 31, 1.0)
    assert struct.unpack("<iiif", data[17872 : 17872 + 16]) == (12, 12, 31, -1.0)
    cell = 16 + 4 * ((3 * 12 + 5) * 31 + 7)  # row 3, column 5, value 7
    assert struct.unpack("<f", data[cell : cell + 4])[0] == made_up_result(1).analysis.hog[3, 5, 7]


def test_hog_file_appears_only_when_it_is_finished(tmp_path):
    sink = HogSink(tmp_path / "new" / "clip.hog")
    sink.write(made_up_result(), made_up_image())
    assert not (tmp_path / "new" / "clip.hog").exists()
    sink.close()
    sink.close()
    assert [entry.name for entry in (tmp_path / "new").iterdir()] == ["clip.hog"]


def test_discarded_hog_file_leaves_the_earlier_one(tmp_path):
    write_hog(tmp_path / "clip.hog", (True,))
    sink = HogSink(tmp_path / "clip.hog")
    sink.write(made_up_result(2), made_up_image())
    sink.discard()
    sink.close()
    assert [entry.name for entry in tmp_path.iterdir()] == ["clip.hog"]
    assert len(read_hog(tmp_path / "clip.hog").valid) == 1
    with pytest.raises(OutputError, match="already finished"):
        sink.write(made_up_result(3), made_up_image())


def test_hog_file_without_frames_is_empty(tmp_path):
    HogSink(tmp_path / "clip.hog").close()
    hog = read_hog(tmp_path / "clip.hog")
    assert hog.valid.shape == (0,)
    assert hog.features.shape == (0, 12, 12, 31)


def damage(data: bytes, how: str) -> bytes:
    second = 17872
    return {
        "cut": data[:-5],
        "stub": data[:7],
        "size": struct.pack("<i", 1 << 30) + data[4:],
        "negative": struct.pack("<i", -12) + data[4:],
        "head": data[:second] + struct.pack("<iiif", 12, 12, 30, 1) + data[second + 16 :],
        "flag": data[:second] + struct.pack("<iiif", 12, 12, 31, 0.5) + data[second + 16 :],
    }[how]


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("cut", r"offset 35744: record 2 is cut short \(17867 of 17872 bytes\)"),
        ("stub", "offset 0: 7 bytes are less than the head"),
        ("size", "offset 0: 1073741824 x 12 cells"),
        ("negative", "offset 0: -12 x 12 cells"),
        ("head", r"offset 17872: the head of record 1 is none \(\[12, 12, 30\]"),
        ("flag", "offset 17872: the head of record 1 is none"),
    ],
)
def test_damaged_hog_file_is_refused_with_place_and_reason(tmp_path, how, reason):
    write_hog(tmp_path / "clip.hog")
    path = tmp_path / "clip.hog"
    path.write_bytes(damage(path.read_bytes(), how))
    with pytest.raises(ResultFileError, match=rf"clip\.hog: {reason}"):
        read_hog(path)


def test_missing_hog_file_is_named(tmp_path):
    with pytest.raises(ResultFileError, match=r"none\.hog: cannot be read \(No such file"):
        read_hog(tmp_path / "none.hog")


def test_hog_file_below_a_file_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"clip\.hog: cannot be written"):
        HogSink(tmp_path / "file" / "clip.hog")


# aligned faces


@pytest.mark.parametrize("image_format", ["bmp", "png"])
def test_aligned_faces_are_stored_without_loss_under_openfaces_names(tmp_path, image_format):
    sink = AlignedFaceSink(tmp_path / "clip_aligned", image_format=image_format)
    for number in (1, 12):
        sink.write(made_up_result(number, face_id=3), made_up_image())
    sink.close()
    names = sorted(entry.name for entry in (tmp_path / "clip_aligned").iterdir())
    assert names == [f"frame_det_03_000001.{image_format}", f"frame_det_03_000012.{image_format}"]
    read = cv2.imread(str(tmp_path / "clip_aligned" / names[1]))
    np.testing.assert_array_equal(read, made_up_result(12, face_id=3).analysis.aligned_face)


def test_aligned_faces_of_single_images_are_numbered_by_face(tmp_path):
    sink = AlignedFaceSink(tmp_path, sequence=False)
    sink.write(made_up_result(1, face_id=2), made_up_image())
    assert [entry.name for entry in tmp_path.iterdir()] == ["face_det_000002.bmp"]


def test_frames_without_a_face_are_black_or_left_out(tmp_path):
    lost = made_up_result(2, success=False)
    AlignedFaceSink(tmp_path / "with").write(lost, made_up_image())
    AlignedFaceSink(tmp_path / "grey", aligner(size=40, grey=True)).write(lost, made_up_image())
    AlignedFaceSink(tmp_path / "without", bad_aligned=False).write(lost, made_up_image())
    black = cv2.imread(str(tmp_path / "with" / "frame_det_00_000002.bmp"), cv2.IMREAD_UNCHANGED)
    assert black.shape == (112, 112, 3)
    assert not black.any()
    grey = cv2.imread(str(tmp_path / "grey" / "frame_det_00_000002.bmp"), cv2.IMREAD_UNCHANGED)
    assert grey.shape == (40, 40)
    assert not (tmp_path / "without").exists()


def test_size_mask_and_colour_of_aligned_faces_can_be_chosen(tmp_path):
    image = np.random.default_rng(0).integers(1, 256, (*SIZE, 3), np.uint8)
    result = made_up_result()
    AlignedFaceSink(tmp_path / "plain", aligner(size=200, mask=False), image_format="png").write(
        result, image
    )
    AlignedFaceSink(tmp_path / "grey", aligner(size=60, scale=0.2, grey=True), image_format="png").write(
        result, image
    )
    plain = cv2.imread(str(tmp_path / "plain" / "frame_det_00_000001.png"), cv2.IMREAD_UNCHANGED)
    grey = cv2.imread(str(tmp_path / "grey" / "frame_det_00_000001.png"), cv2.IMREAD_UNCHANGED)
    expected = aligner(size=200, mask=False).align(image, result.landmarks, result.analysis.params_global)
    np.testing.assert_array_equal(plain, expected.image)
    assert plain.shape == (200, 200, 3)
    assert grey.shape == (60, 60)
    assert (grey == 0).any()  # outside the one triangle


def test_unknown_format_of_aligned_faces_is_refused(tmp_path):
    with pytest.raises(ValueError, match="bmp, png, jpg, not 'gif'"):
        AlignedFaceSink(tmp_path, image_format="gif")


# tracked video


def frames_of(path) -> list[np.ndarray]:
    capture = cv2.VideoCapture(str(path))
    frames = []
    while True:
        read, frame = capture.read()
        if not read:
            return frames
        frames.append(frame)


def test_tracked_video_has_every_frame_and_shows_the_landmarks(tmp_path):
    sink = TrackedVideoSink(tmp_path / "clip.avi", 25.0)
    for number in range(1, 6):
        sink.write(made_up_result(number, success=number != 3), made_up_image(number))
    assert not (tmp_path / "clip.avi").exists()
    sink.close()
    assert [entry.name for entry in tmp_path.iterdir()] == ["clip.avi"]
    frames = frames_of(tmp_path / "clip.avi")
    assert [frame.shape for frame in frames] == [(*SIZE, 3)] * 5
    assert cv2.VideoCapture(str(tmp_path / "clip.avi")).get(cv2.CAP_PROP_FPS) == 25
    drawn = [int((frame.max(axis=2) > 100).sum()) for frame in frames]
    assert min(drawn[0], drawn[1], drawn[3], drawn[4]) > 2000
    assert drawn[2] < 1000  # the note that there is no face


def test_faces_of_one_frame_are_drawn_into_the_same_frame(tmp_path):
    sink = TrackedVideoSink(tmp_path / "clip.avi", 25.0)
    for number in (1, 2):
        for face_id in (0, 1):
            sink.write(made_up_result(number, face_id=face_id), made_up_image(number))
    sink.close()
    assert len(frames_of(tmp_path / "clip.avi")) == 2


def test_images_of_other_sizes_are_scaled_to_the_video(tmp_path):
    sink = TrackedVideoSink(tmp_path / "clip.avi", 25.0, codec="MJPG")
    sink.write(made_up_result(1), made_up_image())
    sink.write(made_up_result(2), np.zeros((200, 300, 3), np.uint8))
    sink.close()
    assert [frame.shape for frame in frames_of(tmp_path / "clip.avi")] == [(*SIZE, 3)] * 2


def test_tracked_video_without_frames_or_discarded_leaves_nothing(tmp_path):
    TrackedVideoSink(tmp_path / "clip.avi", 25.0).close()
    sink = TrackedVideoSink(tmp_path / "clip.avi", 25.0)
    sink.write(made_up_result(1), made_up_image())
    sink.write(made_up_result(2), made_up_image())
    sink.discard()
    sink.close()
    assert list(tmp_path.iterdir()) == []


def test_video_that_cannot_be_encoded_is_an_error(tmp_path):
    sink = TrackedVideoSink(tmp_path / "clip.nonsense", 25.0)
    sink.write(made_up_result(1), made_up_image())
    with pytest.raises(OutputError, match=r"clip\.nonsense: OpenCV cannot write DIVX into \.nonsense"):
        sink.close()
    with pytest.raises(ValueError, match="fps must be positive"):
        TrackedVideoSink(tmp_path / "clip.avi", 0.0)


def drawing(result, **options) -> np.ndarray:
    image = np.zeros((*SIZE, 3), np.uint8)
    draw_result(image, result, **options)
    return image


def test_landmarks_are_drawn_where_they_are():
    result = made_up_result()
    image = drawing(result, action_units=False)
    for x, y in np.rint(result.landmarks).astype(int):
        assert image[y, x].any()


def test_head_box_surrounds_the_head_and_follows_the_camera():
    result = made_up_result()
    near = np.argwhere(drawing(result, action_units=False).any(axis=2))
    camera = Camera(250.0, 250.0, 320.0, 240.0)
    far = np.argwhere(drawing(result, camera=camera, action_units=False).any(axis=2))
    # 200 mm wide, its front 300 mm before a camera of 500 px: 333 px
    assert 330 < np.ptp(near[:, 1]) < 400
    assert np.ptp(far[:, 1]) < 0.6 * np.ptp(near[:, 1])


def test_bars_of_action_units_grow_with_their_intensity():
    weak, strong = made_up_result(), made_up_result()
    weak.au_intensities.update(dict.fromkeys(weak.au_intensities, 0.5))
    strong.au_intensities.update(dict.fromkeys(strong.au_intensities, 4.5))
    difference = drawing(strong).any(axis=2) & ~drawing(weak).any(axis=2)
    assert difference[:320, :130].sum() > 1000
    assert difference.sum() == difference[:320, :130].sum()


def test_gaze_rays_are_drawn_if_known():
    result = made_up_result()
    without = made_up_result()
    object.__setattr__(without, "gaze", None)
    magenta = [
        (drawing(each, action_units=False) == (200, 60, 255)).all(axis=2).sum() for each in (result, without)
    ]
    assert magenta[0] > 20
    assert magenta[1] == 0


def test_head_behind_the_camera_is_not_drawn():
    result = made_up_result()
    result.pose[2] = -400
    image = drawing(result, action_units=False)
    assert not image[:100].any()


def test_tracked_image_shows_all_faces_even_rejected_ones(tmp_path):
    sink = TrackedImageSink(tmp_path / "photo.jpg")
    TrackedImageSink(tmp_path / "none.jpg").close()
    for face_id, success in ((0, True), (1, False)):
        sink.write(made_up_result(face_id=face_id, success=success), made_up_image())
    sink.close()
    assert [entry.name for entry in tmp_path.iterdir()] == ["photo.jpg"]
    image = cv2.imread(str(tmp_path / "photo.jpg"))
    for face_id in (0, 1):
        points = np.rint(made_up_result(face_id=face_id, success=face_id == 0).landmarks).astype(int)
        assert np.median(image[points[:, 1], points[:, 0]].max(axis=1)) > 150


# details


def test_details_list_input_camera_outputs_and_columns(tmp_path):
    write_of_details(
        tmp_path / "clip_of_details.txt",
        "some/clip.avi",
        Camera(500.0, 1511.4583, 320.0, 240.5),
        OutputNames(csv="clip.csv", hog="clip.hog", aligned="clip_aligned"),
        ("pose", "aus"),
    )
    lines = (tmp_path / "clip_of_details.txt").read_bytes().decode().split("\n")
    assert lines[0] == "Input:some/clip.avi"
    assert lines[1].startswith("Input full path:/")
    assert lines[1].endswith("/some/clip.avi")
    assert lines[2:] == [
        "Camera parameters:500,1511.46,320,240.5",
        "Output HOG:clip.hog",
        "Output aligned directory:clip_aligned",
        "Output csv:clip.csv",
        "Gaze: 0",
        "AUs: 1",
        "Landmarks 2D: 0",
        "Landmarks 3D: 0",
        "Pose: 1",
        "Shape parameters: 0",
        "",
    ]
