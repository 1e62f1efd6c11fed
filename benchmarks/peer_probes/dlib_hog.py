"""dlib's frontal face detector (HOG), which brings its own model."""

import cv2
import dlib
import watch


def main() -> None:
    """Run the probe."""
    video, most, _ = watch.arguments()
    detector = dlib.get_frontal_face_detector()

    def analyse(image: object) -> dict:
        found = detector(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), 0)
        if not found:
            return {}
        box = max(found, key=lambda each: each.area())
        return {"box": [box.left(), box.top(), box.width(), box.height()]}

    watch.run(analyse, video, most, "dlib-bin")


if __name__ == "__main__":
    main()
