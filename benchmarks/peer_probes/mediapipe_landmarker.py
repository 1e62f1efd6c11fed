"""MediaPipe's Face Landmarker with blendshapes, tracking as for a video."""

import cv2
import mediapipe as mp
import watch
from mediapipe.tasks.python import BaseOptions, vision


def main() -> None:
    """Run the probe."""
    video, most, task = watch.arguments()
    if not task:
        raise SystemExit(
            "its model (face_landmarker.task) is not in the package and was not given: --mediapipe-model"
        )
    options = vision.FaceLandmarkerOptions(
        base_options=BaseOptions(model_asset_path=task),
        output_face_blendshapes=True,
        running_mode=vision.RunningMode.VIDEO,
    )
    landmarker = vision.FaceLandmarker.create_from_options(options)
    clock = iter(range(0, 10**9, 33))

    def analyse(image: object) -> dict:
        picture = mp.Image(image_format=mp.ImageFormat.SRGB, data=cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
        found = landmarker.detect_for_video(picture, next(clock))
        if not found.face_blendshapes:
            return {}
        return {
            "blendshapes": {shape.category_name: float(shape.score) for shape in found.face_blendshapes[0]}
        }

    watch.run(analyse, video, most, "mediapipe")


if __name__ == "__main__":
    main()
