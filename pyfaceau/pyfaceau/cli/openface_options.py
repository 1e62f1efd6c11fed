"""The command line options of OpenFace 2.2's programs, read into one object."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from ..output import GROUPS, OPENFACE_FLAGS
from ..output.aligned import IMAGE_FORMATS
from ..output.openface_csv import PROGRAMS, Program
from ..video import IMAGE_SUFFIXES, natural_key

_DEFAULT_FOLDER = "processed"  # OpenFace 2.2: RecorderOpenFace.cpp
_MODEL_NAMES: Mapping[str, str] = {"main_ceclm_general": "ceclm", "main_clnf_general": "clnf"}

# Options that give a program's window or chatter another form, with how many values follow them.
_WITHOUT_EFFECT: Mapping[str, int] = {
    "-verbose": 0,
    "-vis-track": 0,
    "-vis-hog": 0,
    "-vis-align": 0,
    "-vis-aus": 0,
    "-world_coord": 1,
    "-camera_coord": 1,
    "-format_vis_image": 1,
}
# Options that would change results, which this library has no equal for, and what to do instead.
_UNSUPPORTED: Mapping[str, str] = {
    "-device": "use `pyfaceau live` for cameras",
    "-cam_width": "use `pyfaceau live` for cameras",
    "-cam_height": "use `pyfaceau live` for cameras",
    "-bboxdir": "faces are always detected; give boxes through pyclnf.CLNF.fit",
    "-fdloc": "faces are detected with MTCNN",
    "-validate_detections": "detections are always validated",
    "-reg": "fit parameters are those of the model; see pyclnf.FitParameters",
    "-sigma": "fit parameters are those of the model; see pyclnf.FitParameters",
    "-w_reg": "fit parameters are those of the model; see pyclnf.FitParameters",
    "-n_iter": "fit parameters are those of the model; see pyclnf.FitParameters",
    "-auloc": "action-unit models are chosen with --models",
}


class OptionError(ValueError):
    """An option that cannot be honoured; the message names it and what to do."""


@dataclass(frozen=True)
class Input:
    """One input and the name of its outputs.

    Attributes
    ----------
    path : Path
        Video, image or folder.
    folder : Path
        Where its outputs go.
    name : str
        What their names begin with.
    program : {"FeatureExtraction", "FaceLandmarkImg", "FaceLandmarkVidMulti"}
        What is to be done with it.
    """

    path: Path
    folder: Path
    name: str
    program: Program


@dataclass(frozen=True)
class OpenFaceOptions:
    """What a command line asks for.

    Attributes
    ----------
    inputs : tuple of Input
    groups : tuple of str
        Groups of columns.
    hog, aligned, tracked : bool
        Further outputs.
    sim_size : int or None
    sim_scale : float or None
    mask, grey, bad_aligned : bool
        Of the aligned faces.
    aligned_format : str
        Their file format.
    codec : str
        Of the tracked video.
    au_static : bool
        Static action-unit models for videos.
    wild : bool
        Settings for faces in difficult images.
    multi_view : bool
        Try all starting orientations in single images.
    landmarks : str
        "ceclm", "clnf" or the path of a main model file.
    fx, fy, cx, cy : float or None
        Camera, px.
    quiet : bool
    warnings : tuple of str
        About options that were passed over.
    """

    inputs: tuple[Input, ...]
    groups: tuple[str, ...]
    hog: bool
    aligned: bool
    tracked: bool
    sim_size: int | None = None
    sim_scale: float | None = None
    mask: bool = True
    grey: bool = False
    bad_aligned: bool = True
    aligned_format: str = "bmp"
    codec: str = "DIVX"
    au_static: bool = False
    wild: bool = False
    multi_view: bool = False
    landmarks: str = "auto"
    fx: float | None = None
    fy: float | None = None
    cx: float | None = None
    cy: float | None = None
    quiet: bool = False
    warnings: tuple[str, ...] = ()


@dataclass
class _Reader:
    """Collects options in the order they come."""

    program: Program | None = None
    root: str = ""
    out_dir: str = ""
    sources: list[tuple[str, bool]] = field(default_factory=list)  # and whether it is a folder
    out_names: list[str] = field(default_factory=list)
    outputs: set[str] = field(default_factory=set)
    switches: set[str] = field(default_factory=set)
    values: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


_OUTPUTS = {*OPENFACE_FLAGS, "-hogalign", "-simalign", "-tracked"}
_SWITCHES = {"-nomask", "-g", "-nobadaligned", "-au_static", "-wild", "-q"}
_VALUES: Mapping[str, Callable[[str], object]] = {
    "-simscale": float,
    "-simsize": int,
    "-format_aligned": str,
    "-oc": str,
    "-fx": float,
    "-fy": float,
    "-cx": float,
    "-cy": float,
    "-mloc": str,
    "-multi_view": int,
}


def parse_options(arguments: Sequence[str]) -> OpenFaceOptions:
    """Read a command line of FeatureExtraction, FaceLandmarkImg or FaceLandmarkVidMulti.

    Parameters
    ----------
    arguments : sequence of str
        As the shell splits them. The first may be the program's name; without one, images given with
        ``-f`` are treated as by FaceLandmarkImg and all else as by FeatureExtraction.

    Returns
    -------
    OpenFaceOptions

    Raises
    ------
    OptionError
        No input, a value is missing or wrong, or an option is not supported.
    """
    reader = _Reader()
    rest = list(arguments)
    if rest and not rest[0].startswith("-"):
        reader.program = _program(rest.pop(0))
    while rest:
        _read_option(reader, rest.pop(0), rest)
    return _options(reader)


def _program(text: str) -> Program:
    name = PurePath(text).stem  # scripts may name it with a folder, or with .exe
    for program in PROGRAMS:
        if program == name:
            return program
    raise OptionError(f"{text}: not an option, and none of the programs {', '.join(PROGRAMS)}")


def _read_option(reader: _Reader, option: str, rest: list[str]) -> None:
    if option in ("-f", "-fdir"):
        reader.sources.append((_value(option, rest), option == "-fdir"))
    elif option == "-of":
        reader.out_names.append(_value(option, rest))
    elif option in ("-out_dir", "-ofdir"):  # the second is OpenFace 0.x's and 1.x's
        reader.out_dir = _value(option, rest)
    elif option in ("-root", "-inroot"):
        reader.root = _value(option, rest)
    elif option in _OUTPUTS:
        reader.outputs.add(option)
    elif option in _SWITCHES:
        reader.switches.add(option)
    elif option in _VALUES:
        reader.values[option] = _value(option, rest)
    elif option in _UNSUPPORTED:
        raise OptionError(f"{option} is not supported: {_UNSUPPORTED[option]}")
    elif option in _WITHOUT_EFFECT:
        del rest[: _WITHOUT_EFFECT[option]]
        reader.warnings.append(f"{option} has no effect here")
    else:
        reader.warnings.append(f"{option} is not an option of OpenFace's that is known here; passed over")


def _value(option: str, rest: list[str]) -> str:
    if not rest:
        raise OptionError(f"{option} needs a value")
    return rest.pop(0)


def _number(reader: _Reader, option: str) -> float | None:
    text = reader.values.get(option)
    if text is None:
        return None
    try:
        return float(_VALUES[option](text))  # type: ignore[arg-type]
    except ValueError:
        raise OptionError(f"{option} needs a number, not {text!r}") from None


def _options(reader: _Reader) -> OpenFaceOptions:
    if not reader.sources:
        raise OptionError("no input: give -f FILE (may be repeated) or -fdir FOLDER")
    # Where nothing is asked for, OpenFace writes everything.
    outputs = reader.outputs or _OUTPUTS
    groups = {group for flag in outputs for group in OPENFACE_FLAGS.get(flag, ())}
    inputs = tuple(_inputs(reader))
    size, scale = _number(reader, "-simsize"), _number(reader, "-simscale")
    for option, value in (("-simsize", size), ("-simscale", scale)):
        if value is not None and not value > 0:
            raise OptionError(f"{option} must be positive, not {value:g}")
    aligned_format = reader.values.get("-format_aligned", "bmp").removeprefix(".")
    if aligned_format not in IMAGE_FORMATS:
        raise OptionError(f"-format_aligned must be {', '.join(IMAGE_FORMATS)}, not {aligned_format!r}")
    codec = reader.values.get("-oc", "DIVX")
    if len(codec) != 4:
        raise OptionError(f"-oc needs a codec of four characters, not {codec!r}")
    return OpenFaceOptions(
        inputs,
        tuple(group for group in GROUPS if group in groups),
        hog="-hogalign" in outputs,
        aligned="-simalign" in outputs,
        tracked="-tracked" in outputs,
        sim_size=None if size is None else int(size),
        sim_scale=scale,
        mask="-nomask" not in reader.switches,
        grey="-g" in reader.switches,
        bad_aligned="-nobadaligned" not in reader.switches,
        aligned_format=aligned_format,
        codec=codec,
        au_static="-au_static" in reader.switches,
        wild="-wild" in reader.switches,
        # OpenFace's settings for difficult images turn it on; in videos it overrides the option itself.
        multi_view=bool(_number(reader, "-multi_view") or ("-wild" in reader.switches)),
        landmarks=_landmarks(reader.values.get("-mloc")),
        fx=_number(reader, "-fx"),
        fy=_number(reader, "-fy"),
        cx=_number(reader, "-cx"),
        cy=_number(reader, "-cy"),
        quiet="-q" in reader.switches,
        warnings=tuple(reader.warnings),
    )


def _landmarks(text: str | None) -> str:
    """Find the landmark model that ``-mloc`` means: an existing file, or OpenFace's of that name."""
    if text is None:
        return "auto"
    if Path(text).is_file():
        return text
    known = _MODEL_NAMES.get(PurePath(text).stem)
    if known is None:
        raise OptionError(f"-mloc {text}: no such file, and none of {', '.join(_MODEL_NAMES)}")
    return known


def _inputs(reader: _Reader) -> list[Input]:
    if len(reader.out_names) > len(reader.sources):
        raise OptionError(f"{len(reader.out_names)} -of for {len(reader.sources)} inputs")
    inputs: list[Input] = []
    for index, (text, is_folder) in enumerate(reader.sources):
        path = Path(reader.root) / text
        members = [path]
        program = reader.program or _usual_program(path, is_folder)
        if is_folder and program == "FaceLandmarkImg":
            images = [entry for entry in _entries(path) if entry.suffix.lower() in IMAGE_SUFFIXES]
            members = sorted(images, key=natural_key)
            if not members:
                raise OptionError(f"-fdir {path}: the folder holds no images ({', '.join(IMAGE_SUFFIXES)})")
        elif is_folder and path.is_dir():
            _remark_order(reader, path)
        wanted = reader.out_names[index] if index < len(reader.out_names) else None
        if wanted is not None and len(members) > 1:
            raise OptionError(f"-of {wanted} names one output for the {len(members)} images of {path}")
        for member in members:
            inputs.append(Input(member, *_output(reader.out_dir, wanted, member), program))
    seen: dict[Path, Path] = {}
    for entry in inputs:
        twin = seen.setdefault(entry.folder / entry.name, entry.path)
        if twin is not entry.path:
            raise OptionError(f"{twin} and {entry.path} would both be written as {entry.folder / entry.name}")
    return inputs


def _remark_order(reader: _Reader, folder: Path) -> None:
    images = [entry for entry in _entries(folder) if entry.suffix.lower() in IMAGE_SUFFIXES]
    if sorted(images) != sorted(images, key=natural_key):
        reader.warnings.append(
            f"-fdir {folder}: images are taken in the order of their numbers; OpenFace takes img10 before img2"
        )


def _usual_program(path: Path, is_folder: bool) -> Program:
    if not is_folder and path.suffix.lower() in IMAGE_SUFFIXES:
        return "FaceLandmarkImg"
    return "FeatureExtraction"


def _entries(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError as error:
        raise OptionError(f"-fdir {folder}: cannot be read ({error.strerror or error})") from error


def _output(out_dir: str, wanted: str | None, path: Path) -> tuple[Path, str]:
    """Folder and beginning of the names of the outputs. OpenFace 2.2: RecorderOpenFace.cpp."""
    if wanted is not None:
        name = Path(wanted).stem
        out_dir = os.path.dirname(os.path.join(out_dir, wanted))
    else:
        resolved = path.resolve()
        name = resolved.name if resolved.is_dir() else path.stem
    # A folder that is named, if only as ".", is where the outputs go.
    return Path(out_dir or _DEFAULT_FOLDER), name
