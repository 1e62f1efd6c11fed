"""What made a result, and how to write about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .. import __version__
from .html import pretty

_OPENFACE = (
    "Baltrušaitis, T., Zadeh, A., Lim, Y. C., & Morency, L.-P. (2018). OpenFace 2.0: Facial behavior analysis toolkit. "
    "13th IEEE International Conference on Automatic Face & Gesture Recognition, 59–66."
)
_CECLM = (
    "Zadeh, A., Lim, Y. C., Baltrušaitis, T., & Morency, L.-P. (2017). Convolutional experts constrained local model "
    "for 3D facial landmark detection. IEEE International Conference on Computer Vision Workshops, 2519–2528."
)
_MTCNN = (
    "Zhang, K., Zhang, Z., Li, Z., & Qiao, Y. (2016). Joint face detection and alignment using multitask cascaded "
    "convolutional networks. IEEE Signal Processing Letters, 23(10), 1499–1503."
)
_UNITS = (
    "Baltrušaitis, T., Mahmoud, M., & Robinson, P. (2015). Cross-dataset learning and person-specific normalisation "
    "for automatic action unit detection. 11th IEEE International Conference on Automatic Face and Gesture Recognition "
    "Workshops."
)
_FACS = (
    "Ekman, P., Friesen, W. V., & Hager, J. C. (2002). Facial Action Coding System (2nd ed.). Research Nexus."
)
NOTHING_KNOWN = (
    "This table says nothing about what made it: it has no record (NAME.csv.json beside a CSV; inside a Parquet file), "
    "as in OpenFace's own files."
)


@dataclass(frozen=True)
class Provenance:
    """What made a result.

    Attributes
    ----------
    facts : list of (str, str)
        The most important ones, with their names.
    record : str
        All of it, as JSON; empty if nothing is known.
    methods : str
        A paragraph for a methods section.
    references : list of str
        To cite.
    """

    facts: list[tuple[str, str]]
    record: str
    methods: str
    references: list[str]


def provenance(attrs: Mapping[str, Any], threshold: float) -> Provenance:
    """Describe what made a result.

    Parameters
    ----------
    attrs : mapping
        Of the table; may be empty, or hold anything.
    threshold : float
        Intensity from which a unit counts as active.

    Returns
    -------
    Provenance
    """
    versions = _mapping(attrs, "versions")
    options = _mapping(attrs, "options")
    facts = [
        ("Source", attrs.get("source")),
        ("Models", attrs.get("models_choice") or attrs.get("models")),
        ("Landmark model", attrs.get("landmark_model")),
        ("Action-unit models", attrs.get("au_models")),
        ("Face detector", _detector(attrs)),
        ("Person at rest", _short(attrs.get("baseline"))),
        ("Options", _options(options)),
        ("Camera", _camera(attrs)),
        ("Frame rate", f"{attrs['fps']:g} frames/s" if isinstance(attrs.get("fps"), (int, float)) else None),
        ("Decoder", _short(attrs.get("decoder"))),
        ("Versions", _short(versions)),
        ("Instruction sets", _short(attrs.get("instruction_sets"))),
        ("Model files", _hashes(_mapping(attrs, "model_sha256"))),
    ]
    shown = [(name, str(text)) for name, text in facts if text]
    record = pretty(dict(attrs)) if attrs else ""
    return Provenance(
        shown if attrs else [], record, _methods(attrs, versions, threshold), _references(attrs)
    )


def _mapping(attrs: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = attrs.get(name)
    return found if isinstance(found, Mapping) else {}


def _short(value: Any) -> str:
    """Render a small mapping or list in one line."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_short(each)}" for name, each in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_short, value))
    return "" if value is None else str(value)


def _detector(attrs: Mapping[str, Any]) -> str:
    known = _mapping(attrs, "detector")
    name = str(known.get("class", "")).rpartition(".")[2]
    engine = known.get("backend") or attrs.get("detector_backend")
    return f"{name} ({engine})" if name and engine else name


def _options(options: Mapping[str, Any]) -> str:
    kept = {name: value for name, value in options.items() if value not in (None, False)}
    return ", ".join(f"{name} {_short(value)}" for name, value in kept.items())


def _camera(attrs: Mapping[str, Any]) -> str:
    known = _mapping(attrs, "camera")
    values = ", ".join(
        f"{name} {known[name]:g} px"
        for name in ("fx", "fy", "cx", "cy")
        if isinstance(known.get(name), (int, float))
    )
    guessed = known.get("guessed")
    return f"{values} (guessed: {_short(guessed)})" if values and guessed else values


def _hashes(known: Mapping[str, Any]) -> str:
    return f"{len(known)} files with their SHA-256 in the record below" if known else ""


def _methods(attrs: Mapping[str, Any], versions: Mapping[str, Any], threshold: float) -> str:
    active = f"A unit was counted as active from an intensity of {threshold:g} on."
    if not attrs:
        return (
            f"Action units were summarised with pyfaceau {__version__} from a table of OpenFace's format. {active} "
            "Name the program, version and models that made the table."
        )
    models = {"openface": "OpenFace 2.2.0's models", "open": "pyfaceau's open models"}.get(
        str(attrs.get("models")), f"the models “{attrs.get('models')}”"
    )
    made_with = versions.get("pyfaceau", __version__)
    landmarks = f", landmark model {attrs['landmark_model']}" if attrs.get("landmark_model") else ""
    units = f", {attrs['au_models']} action-unit models" if attrs.get("au_models") else ""
    rate = attrs.get("fps")
    speed = f" at {rate:g} frames per second" if isinstance(rate, (int, float)) else ""
    rest = (
        " Intensities are relative to the person's own neutral face and were smoothed over three frames, as in "
        "OpenFace."
        if attrs.get("final_pass")
        else ""
    )
    return (
        f"Facial action units (FACS) and head pose were measured{speed} with pyfaceau {made_with}, a reimplementation "
        f"of OpenFace 2.2, using {models}{landmarks}{units}.{rest} {active}"
    )


def _references(attrs: Mapping[str, Any]) -> list[str]:
    version = _mapping(attrs, "versions").get("pyfaceau", __version__)
    found = [
        f"pyfaceau (version {version}). Facial action units, head pose and landmarks of video. [Software]",
        _OPENFACE,
    ]
    if "ceclm" in str(attrs.get("landmark_model", "")):
        found.append(_CECLM)
    if "MTCNN" in _detector(attrs):
        found.append(_MTCNN)
    return [*found, _UNITS, _FACS]
