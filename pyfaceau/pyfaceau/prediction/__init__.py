"""Action-unit models: reading them, applying them to a frame, and the final pass over a sequence."""

from pyfaceau.prediction.files import AUModel, AUModelSet, read_au_models
from pyfaceau.prediction.live import LiveCorrection
from pyfaceau.prediction.offline import postprocess_intensities, postprocess_presences, rest_offsets
from pyfaceau.prediction.predictor import AUPredictor

__all__ = [
    "AUModel",
    "AUModelSet",
    "AUPredictor",
    "LiveCorrection",
    "postprocess_intensities",
    "postprocess_presences",
    "read_au_models",
    "rest_offsets",
]
