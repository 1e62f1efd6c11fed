"""pymtcnn 1: a search in every frame."""

import watch

from pymtcnn import MTCNN


def main() -> None:
    """Run the probe."""
    video, most, _ = watch.arguments()
    detector = MTCNN(backend="onnx")

    def analyse(image: object) -> dict:
        boxes, _ = detector.detect(image)
        return {"box": [float(v) for v in boxes[0][:4]]} if len(boxes) else {}

    watch.run(analyse, video, most, "pymtcnn")


if __name__ == "__main__":
    main()
