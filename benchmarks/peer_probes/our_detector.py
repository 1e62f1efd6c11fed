"""Our face detector alone: a search in every frame, without tracking."""

import watch

from pymtcnn import MTCNN


def main() -> None:
    """Run the probe."""
    video, most, _ = watch.arguments()
    detector = MTCNN()

    def analyse(image: object) -> dict:
        found = detector.detect(image)
        return {"box": [float(v) for v in found[0].box]} if found else {}

    watch.run(analyse, video, most, "pymtcnn")


if __name__ == "__main__":
    main()
