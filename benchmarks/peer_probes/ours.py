"""Our pipeline: a whole analysis of each frame as it comes."""

import watch

from pyfaceau import FullPythonAUPipeline


def main() -> None:
    """Run the probe."""
    video, most, models = watch.arguments()
    pipeline = FullPythonAUPipeline(
        models=models or "open", landmarks="clnf" if models else "auto", include=("pose", "aus", "landmarks")
    )

    def analyse(image: object) -> dict:
        face = pipeline.process_frame(image)
        if not face.tracked:
            return {}
        return {
            "landmarks": face.landmarks.tolist(),
            "aus": {n: float(v) for n, v in face.au_intensities.items()},
        }

    watch.run(analyse, video, most, "pyfaceau")


if __name__ == "__main__":
    main()
