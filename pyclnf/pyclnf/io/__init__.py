"""OpenFace's model files, parsed and checked into typed, immutable objects."""

from .archive import read_archive
from .atomic import atomic_write
from .binary import BinaryReader, BinaryWriter
from .ccnf import CCNFExpert, CCNFFile, read_ccnf
from .cen import CENExpert, CENFile, DenseLayer, read_cen, write_cen
from .description import (
    EarlyTermination,
    FitFactors,
    ModelDescription,
    PartDescription,
    SubModelDescription,
    read_early_termination,
    read_model_description,
    read_part_description,
    read_submodel_description,
)
from .pdm import PDMFile, read_pdm, write_pdm
from .svr import SVRExpert, SVRFile, SVRModality, read_svr
from .text import TextReader
from .triangulation import read_triangulation, read_view_triangulations
from .validator import (
    ConvLayer,
    FullyConnected,
    Layer,
    MaxPool,
    PieceWiseWarp,
    ReLU,
    ValidatorFile,
    ValidatorView,
    read_validator,
    write_validator,
)
from .views import PatchFile

__all__ = [
    "BinaryReader",
    "BinaryWriter",
    "CCNFExpert",
    "CCNFFile",
    "CENExpert",
    "CENFile",
    "ConvLayer",
    "DenseLayer",
    "EarlyTermination",
    "FitFactors",
    "FullyConnected",
    "Layer",
    "MaxPool",
    "ModelDescription",
    "PDMFile",
    "PartDescription",
    "PatchFile",
    "PieceWiseWarp",
    "ReLU",
    "SVRExpert",
    "SVRFile",
    "SVRModality",
    "SubModelDescription",
    "TextReader",
    "ValidatorFile",
    "ValidatorView",
    "atomic_write",
    "read_archive",
    "read_ccnf",
    "read_cen",
    "read_early_termination",
    "read_model_description",
    "read_part_description",
    "read_pdm",
    "read_submodel_description",
    "read_svr",
    "read_triangulation",
    "read_validator",
    "read_view_triangulations",
    "write_cen",
    "write_pdm",
    "write_validator",
]
