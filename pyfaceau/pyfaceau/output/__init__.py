"""Results out: the columns of a result and the files that it is written to."""

from .aligned import AlignedFaceSink, aligner_for
from .columns import DEFAULT_GROUPS, GROUPS, OPENFACE_FLAGS, check_groups, column_names
from .details import OutputNames, write_of_details
from .drawing import draw_result, draw_results
from .hog import HogFile, HogSink, read_hog
from .openface_csv import read_openface_csv, write_openface_csv
from .sink import FileSink, GuardedSink, SharedSink, Sink
from .table import ImmediateTable, ResultTable, image_table
from .tracked import TrackedImageSink, TrackedVideoSink
from .writers import FORMATS, check_target, write_table

__all__ = [
    "DEFAULT_GROUPS",
    "FORMATS",
    "GROUPS",
    "OPENFACE_FLAGS",
    "AlignedFaceSink",
    "FileSink",
    "GuardedSink",
    "HogFile",
    "HogSink",
    "ImmediateTable",
    "OutputNames",
    "ResultTable",
    "SharedSink",
    "Sink",
    "TrackedImageSink",
    "TrackedVideoSink",
    "aligner_for",
    "check_groups",
    "check_target",
    "column_names",
    "draw_result",
    "draw_results",
    "image_table",
    "read_hog",
    "read_openface_csv",
    "write_of_details",
    "write_openface_csv",
    "write_table",
]
