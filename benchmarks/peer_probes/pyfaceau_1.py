"""pyfaceau 1 with pyclnf 0.4: a whole analysis of each frame, with OpenFace's models from OPENFACE_MODELS_DIR."""

import watch

from pyfaceau.processor import OpenFaceProcessor


def main() -> None:
    """Run the probe."""
    video, most, _ = watch.arguments()
    pipeline = OpenFaceProcessor().pipeline
    number = iter(range(10**9))

    def analyse(image: object) -> dict:
        n = next(number)
        found = pipeline._process_frame(image, n, n / 25)  # the only way to a frame's values as it comes
        if not found["success"]:
            return {}
        return {"aus": {name: float(value) for name, value in found.items() if name.startswith("AU")}}

    watch.run(analyse, video, most, "pyfaceau", "pyclnf", "pymtcnn", "pyfhog")


if __name__ == "__main__":
    main()
