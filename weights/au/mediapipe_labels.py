"""Blendshapes of pictures or a video; runs alone, in an environment that has MediaPipe.

``python mediapipe_labels.py [--points] face_landmarker.task FOLDER_OR_VIDEO OUT.npz``

With ``--points`` (folders only) also the 478 points,
stored half a pixel up and left as in ``keypoints/mediapipe.npz``, and the names of the pictures.
"""

# mypy: ignore-errors

import sys
from pathlib import Path

import cv2
import mediapipe as mp
import numpy as np
from mediapipe.tasks.python import BaseOptions, vision

FACES = 4  # in a video; the reader of the result chooses


def _options(task, video):
    return vision.FaceLandmarkerOptions(
        base_options=BaseOptions(model_asset_path=task),
        output_face_blendshapes=True,
        num_faces=FACES if video else 1,
        running_mode=vision.RunningMode.VIDEO if video else vision.RunningMode.IMAGE,
    )


def _row(result, count, size):
    """Blendshapes (count, 52) and face centres (count, 2) of one picture, NaN where there is no face."""
    shapes, centres = np.full((count, 52), np.nan, np.float32), np.full((count, 2), np.nan, np.float32)
    for i, (blend, points) in enumerate(zip(result.face_blendshapes, result.face_landmarks, strict=True)):
        shapes[i] = [shape.score for shape in blend]
        centres[i] = np.mean([(p.x * size[0], p.y * size[1]) for p in points], axis=0)
    return shapes, centres


def _points(result, size):
    """Points (478, 3) of the first face in px, NaN where there is none."""
    if not result.face_landmarks:
        return np.full((478, 3), np.nan, np.float32)
    width, height = size
    return np.array(
        [(p.x * width - 0.5, p.y * height - 0.5, p.z * width) for p in result.face_landmarks[0]], np.float32
    )


def _image(pixels):
    return mp.Image(image_format=mp.ImageFormat.SRGB, data=cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB))


def main(task, source, out, points=False):
    """Write ``blendshapes`` (n, 52) of a folder's .jpg files, or (n, faces, 52) and ``centres`` of a video."""
    video = Path(source).is_file()
    rows = []
    with vision.FaceLandmarker.create_from_options(_options(task, video)) as landmarker:
        if video:
            reader = cv2.VideoCapture(source)
            rate = reader.get(cv2.CAP_PROP_FPS) or 25
            while True:
                there, pixels = reader.read()
                if not there:
                    break
                found = landmarker.detect_for_video(_image(pixels), int(len(rows) * 1000 / rate))
                rows.append(_row(found, FACES, pixels.shape[1::-1]))
            np.savez_compressed(
                out, blendshapes=np.array([r[0] for r in rows]), centres=np.array([r[1] for r in rows])
            )
            return
        paths, meshes = sorted(Path(source).glob("*.jpg")), []
        for path in paths:
            pixels = cv2.imread(str(path))
            found = landmarker.detect(_image(pixels))
            rows.append(_row(found, 1, pixels.shape[1::-1])[0][0])
            meshes.append(_points(found, pixels.shape[1::-1]))
    known = {"names": [path.name for path in paths], "points": np.array(meshes)} if points else {}
    np.savez_compressed(out, blendshapes=np.array(rows), **known)


if __name__ == "__main__":
    given = [argument for argument in sys.argv[1:] if argument != "--points"]
    main(*given[:3], points="--points" in sys.argv)
