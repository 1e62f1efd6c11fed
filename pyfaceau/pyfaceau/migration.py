"""What scripts that were written for pyfaceau 1.x meet: old names that still work, with a warning, and clear messages.

See docs/migration.md.
"""

from __future__ import annotations

import functools
import inspect
import os
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ._deprecation import warn_renamed

if TYPE_CHECKING:
    from .pipeline import FullPythonAUPipeline
    from .result import FrameResult

PathLike = str | os.PathLike[str]
OldProgress = Callable[[int, int, float], None]
Translation = Callable[[dict[str, Any]], dict[str, Any]]
_Function = TypeVar("_Function", bound=Callable[..., Any])

#: Arguments of version 1 that have no meaning any more; they are accepted with a warning.
_NO_MEANING = (
    "use_calc_params",
    "track_faces",
    "use_batched_predictor",
    "use_nnclnf",
    "max_clnf_iterations",
    "clnf_convergence_threshold",
    "debug_mode",
    "verbose",
)
_MODEL_PATHS = ("pdm_file", "au_models_dir", "triangulation_file", "patch_expert_file")
_VIDEO_ENDINGS = (".mp4", ".avi", ".mov", ".mkv", ".wmv", ".m4v", ".webm", ".mpg", ".mpeg", ".mts")
_GONE = {
    "ParallelAUPipeline": "FullPythonAUPipeline (its stages run beside each other; several runs may go on at once)",
    "ModelsNotInstalledError": "pyclnf.MissingModelError",
    "download_weights": "`pyfaceau models install`",
    "ensure_weights": "pyfaceau.ensure_models",
    "get_weights_dir": "`pyfaceau models list`, which prints the folders",
    "weights_exist": "`pyfaceau models list`",
}


def explain_missing(name: str) -> str:
    """Say what has become of a name of version 1; empty for names that never were."""
    if name not in _GONE:
        return ""
    return f"{name} of pyfaceau 1.x is gone; use {_GONE[name]} (docs/migration.md)"


def old_result_value(result: FrameResult, key: str) -> Any:
    """Return a value of a frame's result under its key of version 1.

    Parameters
    ----------
    result : FrameResult
    key : str
        "success", "frame", "timestamp", "confidence", "pose", "landmarks_2d", "au_intensities", or "AU12_r".

    Raises
    ------
    KeyError
        There is no such value; the message names those that there are.
    """
    values: dict[str, tuple[str, Any]] = {
        "success": ("tracked", result.tracked),
        "frame": ("frame", result.frame),
        "timestamp": ("timestamp", result.timestamp),
        "confidence": ("confidence", result.confidence),
        "pose": ("pose", result.pose),
        "landmarks": ("landmarks", result.landmarks),
        "landmarks_2d": ("landmarks", result.landmarks),
        "au_intensities": ("au_intensities", result.au_intensities),
        **{f"{unit}_r": (f"au_intensities[{unit!r}]", r) for unit, r in result.au_intensities.items()},
        **{f"{unit}_c": (f"au_presences[{unit!r}]", c) for unit, c in result.au_presences.items()},
    }
    if key not in values:
        raise KeyError(f"{key!r}; a FrameResult has attributes, and under old names {', '.join(values)}")
    new, value = values[key]
    warn_renamed(f"result[{key!r}]", f"result.{new}", stacklevel=4)
    return value


def old_constructor_arguments(arguments: dict[str, Any]) -> dict[str, Any]:
    """Translate the constructor arguments of version 1.

    Parameters
    ----------
    arguments : dict
        Those that the constructor does not know.

    Returns
    -------
    dict
        Arguments that it knows.

    Raises
    ------
    TypeError
        One is unknown, or cannot be translated; the message says what to write instead.
    """
    known: dict[str, Any] = {}
    for name, value in arguments.items():
        if name == "force_au_model_type" and value in (None, "static", "dynamic"):
            known["au_models"] = value or "dynamic"
            warn_renamed("argument 'force_au_model_type'", "'au_models'", stacklevel=5)
        elif name == "dual_au_mode":
            known["au_models"] = "both" if value else "dynamic"
            warn_renamed("argument 'dual_au_mode'", "'au_models=\"both\"'", stacklevel=5)
        elif name in _NO_MEANING:
            warnings.warn(
                f"argument {name!r} of pyfaceau 1.x has no meaning any more and is ignored",
                DeprecationWarning,
                stacklevel=4,
            )
        elif name in _MODEL_PATHS:
            raise TypeError(
                f"{name!r} of pyfaceau 1.x is gone; pass the folder of OpenFace's models as models=FOLDER, "
                "or install them with `pyfaceau models install` (docs/migration.md)"
            )
        else:
            raise TypeError(f"FullPythonAUPipeline() got an unexpected keyword argument {name!r}")
    return known


def old_progress(callback: OldProgress) -> Callable[[int, int | None], None]:
    """Turn a callback of version 1, ``callback(done, total, frames_per_second)``, into one of today."""
    import time

    start = time.monotonic()

    def report(done: int, total: int | None) -> None:
        elapsed = time.monotonic() - start
        callback(done, total or 0, done / elapsed if elapsed > 0 else 0.0)

    return report


class OpenFaceProcessor:
    """The processor of pyfaceau 1.x: videos in, CSV files out. New code uses `FullPythonAUPipeline`.

    Parameters
    ----------
    device, use_clnf_refinement, num_threads, verbose, auto_download_weights
        Accepted and ignored, as results and speed do not depend on them.
    weights_dir : path-like, optional
        Folder with OpenFace's models; by default ``models="auto"``.
    **options
        As for `FullPythonAUPipeline`.

    Examples
    --------
    >>> from pyfaceau import OpenFaceProcessor
    >>> OpenFaceProcessor(models="open").process_video("video.mp4", "out.csv")      # doctest: +SKIP
    288
    """

    def __init__(
        self,
        device: str | None = None,
        weights_dir: PathLike | None = None,
        use_clnf_refinement: bool = True,
        num_threads: int = 6,
        verbose: bool = False,
        auto_download_weights: bool = True,
        **options: Any,
    ) -> None:
        from .pipeline import FullPythonAUPipeline

        if weights_dir is not None:
            options["models"] = weights_dir
        self.pipeline: FullPythonAUPipeline = FullPythonAUPipeline(**options)

    def __repr__(self) -> str:
        return f"OpenFaceProcessor({self.pipeline!r})"

    def process_video(
        self,
        video_path: PathLike,
        output_csv_path: PathLike,
        progress_callback: OldProgress | None = None,
    ) -> int:
        """Analyse a video and write its table.

        Parameters
        ----------
        video_path, output_csv_path : path-like
        progress_callback : callable, optional
            ``callback(done, total, frames_per_second)``.

        Returns
        -------
        int
            Frames with a face. Frames are counted from 1 in the table, and all of `FullPythonAUPipeline`'s
            default columns are there.
        """
        progress = False if progress_callback is None else old_progress(progress_callback)
        table = self.pipeline.process_video(video_path, output_csv_path, progress=progress)
        return int((table["success"] == 1).sum())

    def clear_cache(self) -> None:
        """Do nothing: no state goes from one video to the next."""


def process_videos(
    directory_path: PathLike,
    specific_files: Sequence[PathLike] | None = None,
    output_dir: PathLike | None = None,
    **options: Any,
) -> int:
    """Analyse the videos of a folder, as in pyfaceau 1.x. New code uses ``pyfaceau extract`` or a pipeline's method.

    Parameters
    ----------
    directory_path : path-like
    specific_files : sequence of path-like, optional
        Only these.
    output_dir : path-like, optional
        Where ``NAME.csv`` of each goes; "pyfaceau" in the folder by default.
    **options
        Of `OpenFaceProcessor`.

    Returns
    -------
    int
        Videos that have been written. One that cannot be read is named in a warning, and the others go on. Version
        1 took only files with "mirrored" in their names; this takes every file that is a video.

    Examples
    --------
    >>> import tempfile
    >>> from pyfaceau import process_videos
    >>> process_videos(tempfile.mkdtemp(), models="open")  # an empty folder
    0
    """
    from .errors import PyFaceAUError

    folder = Path(directory_path)
    if not folder.is_dir():
        raise NotADirectoryError(f"{folder}: not a folder")
    files = sorted(folder.iterdir()) if specific_files is None else [Path(file) for file in specific_files]
    target = folder / "pyfaceau" if output_dir is None else Path(output_dir)
    processor = OpenFaceProcessor(**options)
    done = 0
    for file in files:
        if specific_files is None and (not file.is_file() or file.suffix.lower() not in _VIDEO_ENDINGS):
            continue
        try:
            processor.process_video(file, target / f"{file.stem}.csv")
        except PyFaceAUError as error:
            warnings.warn(f"{error}; the other videos go on", UserWarning, stacklevel=2)
        else:
            done += 1
    return done


def ensure_models(accept_license: bool = False) -> Path:
    """Return the folder of OpenFace's models, and install what is missing if the licence is accepted.

    Parameters
    ----------
    accept_license : bool
        You have read OpenFace's licence and agree.

    Returns
    -------
    Path
        To pass as ``models=``.

    Raises
    ------
    MissingModelError
        Models are missing and the licence is not accepted; the message names the command that installs them.
    ModelInstallError
        Something cannot be had.

    Examples
    --------
    >>> from pyfaceau import ensure_models
    >>> folder = ensure_models(accept_license=True)  # doctest: +SKIP
    """
    from pyclnf.errors import MissingModelError

    from .models import DEFAULT_GROUPS, choose_models, openface_store

    store = openface_store()
    if accept_license:
        store.install(DEFAULT_GROUPS, accept_license=True)
    try:
        found = choose_models("openface").au_dynamic
    except MissingModelError as missing:
        raise MissingModelError(
            missing.missing,
            remedy="pass accept_license=True to install them, or run `pyfaceau models install`",
        ) from None
    return next((root for root in store.roots if found.is_relative_to(root)), store.install_root)


def accepts_old(translate: Translation) -> Callable[[_Function], _Function]:
    """Let a function accept keyword arguments of version 1 that it does not know.

    Parameters
    ----------
    translate : callable
        Takes the unknown arguments, and returns others instead; raises TypeError for those that never were.

    Returns
    -------
    callable
        A decorator.
    """

    def decorate(function: _Function) -> _Function:
        names = set(inspect.signature(function).parameters)

        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            unknown = {name: kwargs.pop(name) for name in [*kwargs] if name not in names}
            return function(*args, **kwargs, **(translate(unknown) if unknown else {}))

        return call  # type: ignore[return-value]

    return decorate


def old_video_arguments(arguments: dict[str, Any]) -> dict[str, Any]:
    """Translate the arguments of `process_video` of version 1; see `old_constructor_arguments`."""
    known: dict[str, Any] = {}
    for name, value in arguments.items():
        if name == "video_path":
            known["path"] = value
            warn_renamed("argument 'video_path'", "'path'", stacklevel=5)
        elif name == "progress_callback":
            known["progress"] = False if value is None else old_progress(value)
            warn_renamed(
                "argument 'progress_callback'", "'progress', called with (done, total)", stacklevel=5
            )
        else:
            raise TypeError(f"process_video() got an unexpected keyword argument {name!r}")
    return known


def old_frame_arguments(arguments: dict[str, Any]) -> dict[str, Any]:
    """Translate the arguments of `process_frame` of version 1; see `old_constructor_arguments`."""
    for name in arguments:
        if name not in ("frame_num", "frame_idx"):
            raise TypeError(f"process_frame() got an unexpected keyword argument {name!r}")
        warnings.warn(
            f"argument {name!r} of pyfaceau 1.x is ignored: frames are counted from 1 since the last reset()",
            DeprecationWarning,
            stacklevel=3,
        )
    return {}
