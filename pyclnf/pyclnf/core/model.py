"""A landmark model as its main file describes it: shape model, patch experts per scale, part models, validator."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..config import PART_PARAMETERS, FitParameters
from ..errors import ModelFileError
from ..io import (
    EarlyTermination,
    FitFactors,
    ModelDescription,
    SubModelDescription,
    read_ccnf,
    read_cen,
    read_early_termination,
    read_model_description,
    read_part_description,
    read_submodel_description,
    read_svr,
)
from ..open_eyes import eyes_file
from .arrays import frozen
from .loaded import Stamps, remember, sizes_of, stamps_of, unpickled
from .patch_experts import CCNFExperts, CENExperts, PatchExperts, SVRExperts
from .pdm import PDM
from .validator import DetectionValidator


@dataclass(frozen=True, eq=False)
class Part:
    """A model of part of the face and how its points map to the whole.

    Attributes
    ----------
    name : str
    model : LandmarkModel
    whole_index, part_index : ndarray, shape (k,), int
        Landmark `whole_index[i]` of the face is landmark `part_index[i]` of the part.
    parameters : FitParameters
    """

    name: str
    model: LandmarkModel
    whole_index: npt.NDArray[np.intp]
    part_index: npt.NDArray[np.intp]
    parameters: FitParameters


@dataclass(frozen=True, eq=False)
class LandmarkModel:
    """Everything a fit needs that does not change from frame to frame.

    Attributes
    ----------
    path : Path
        The main file.
    pdm : PDM
    scales : tuple of PatchExperts
        Coarse to fine.
    parts : tuple of Part
        In the order of the main file, which is the order of merging.
    validator : DetectionValidator or None
    early_termination : EarlyTermination or None
        With it, image fits stop at the first convincing starting pose.
    files : tuple of Path
        Every file that was read, parts included.
    fit_factors : FitFactors
        How its fit departs from OpenFace's settings for CLNF; of a part, they are not used.
    stamps : tuple or None
        Size and time of change of each file when it was read; None for a model that was put together otherwise.

    Notes
    -----
    A model does not change: trackers, threads and copies share it. It is pickled as its path and loaded again where it
    is unpickled, once per process; a model that was not loaded from files cannot be pickled.

    Examples
    --------
    >>> import pickle
    >>> from pyclnf import LandmarkModel
    >>> from pyclnf.models import open_model_path
    >>> model = LandmarkModel.load(open_model_path())
    >>> model.pdm.n_points, [round(experts.scale, 2) for experts in model.scales]
    (68, [0.25, 0.35, 0.5, 1.0])
    >>> pickle.loads(pickle.dumps(model)) is model
    True
    """

    path: Path
    pdm: PDM
    scales: tuple[PatchExperts, ...]
    parts: tuple[Part, ...]
    validator: DetectionValidator | None
    early_termination: EarlyTermination | None
    files: tuple[Path, ...]
    fit_factors: FitFactors = field(default_factory=FitFactors)
    stamps: Stamps | None = field(default=None, init=False, repr=False)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> LandmarkModel:
        """Read a model from its main description file (``main_*.txt``).

        Raises
        ------
        pyclnf.errors.MissingModelError
            If a file it names is not there.
        pyclnf.errors.ModelFileError
            If a file is truncated or malformed, or its parts do not fit together.
        """
        return cls._load(read_model_description(path))

    @classmethod
    def _load(cls, description: ModelDescription) -> LandmarkModel:
        sub = read_submodel_description(description.landmark_detector)
        pdm = PDM.from_file(sub.pdm)
        scales = _load_scales(sub)
        for experts, file in zip(scales, sub.cen or sub.ccnf or sub.svr, strict=True):
            if experts.visibility.shape[1] != pdm.n_points:
                raise ModelFileError(
                    file,
                    0,
                    f"it has {experts.visibility.shape[1]} landmarks, but the shape model has {pdm.n_points}",
                )
        early = None
        if sub.early_termination is not None and scales:
            early = read_early_termination(sub.early_termination)
            if len(early.weights) != len(scales[0].centres):
                raise ModelFileError(
                    sub.early_termination,
                    0,
                    f"it has {len(early.weights)} views, but the patch experts have {len(scales[0].centres)}",
                )
        validator = DetectionValidator.from_file(description.validator) if description.validator else None
        files = [description.path, description.landmark_detector, sub.pdm, *(sub.cen or sub.ccnf or sub.svr)]
        files += [
            f
            for f in (sub.early_termination, description.validator, eyes_file(description.path))
            if f is not None
        ]
        parts = []
        for d in description.parts:
            if d.name not in PART_PARAMETERS:
                raise ModelFileError(description.path, 0, f"unknown part {d.name!r}")
            model = cls._load(read_part_description(d.path))
            whole, part = (frozen(column, np.intp) for column in d.pairs.T)
            if (
                whole.min() < 0
                or part.min() < 0
                or whole.max() >= pdm.n_points
                or part.max() >= model.pdm.n_points
            ):
                raise ModelFileError(description.path, 0, f"part {d.name!r} maps points that do not exist")
            parts.append(Part(d.name, model, whole, part, PART_PARAMETERS[d.name]))
            files += model.files
        model = cls(
            path=description.path,
            pdm=pdm,
            scales=scales,
            parts=tuple(parts),
            validator=validator,
            early_termination=early,
            files=tuple(dict.fromkeys(files)),
            fit_factors=description.fit_factors,
        )
        object.__setattr__(model, "stamps", stamps_of(model.files))
        remember(model)
        return model

    def __copy__(self) -> LandmarkModel:
        return self

    def __deepcopy__(self, memo: object) -> LandmarkModel:
        return self

    def __reduce__(self) -> tuple[Callable[..., LandmarkModel], tuple[Path, tuple[int, ...]]]:
        if self.stamps is None:
            raise pickle.PicklingError("only a LandmarkModel that LandmarkModel.load returned can be pickled")
        return unpickled, (self.path.resolve(), sizes_of(self.stamps))


def _load_scales(sub: SubModelDescription) -> tuple[PatchExperts, ...]:
    # CEN over CCNF over SVR where a description names several kinds. OpenFace 2.2: Patch_experts.cpp
    if sub.cen:
        cen = [read_cen(f) for f in sub.cen]
        last = cen[-1]
        for file, scale in zip(sub.cen, cen, strict=True):
            if scale.visibility.shape != last.visibility.shape:
                raise ModelFileError(file, 0, f"it has other views or landmarks than {sub.cen[-1].name}")
        # One mirror table serves all scales: that of the last file.
        mirrors = last.mirror_landmarks, last.mirror_views
        return tuple(_usable(f, CENExperts, d, *mirrors) for f, d in zip(sub.cen, cen, strict=True))
    if sub.ccnf:
        ccnf = [read_ccnf(f) for f in sub.ccnf]
        sigmas = ccnf[-1].sigma_components
        return tuple(_usable(f, CCNFExperts, d, sigmas) for f, d in zip(sub.ccnf, ccnf, strict=True))
    return tuple(_usable(f, SVRExperts, read_svr(f)) for f in sub.svr)


def _usable(file: Path, make: Callable[..., PatchExperts], *data: object) -> PatchExperts:
    """Make experts, or say what about their file cannot be used."""
    try:
        return make(*data)
    except ValueError as error:
        raise ModelFileError(file, None, str(error)) from error
