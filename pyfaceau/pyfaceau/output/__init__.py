"""Results out: the columns of a result and the files that it is written to."""

from .table import DEFAULT_GROUPS, GROUPS, ResultTable, check_groups, column_names
from .writers import FORMATS, check_target, write_table

__all__ = [
    "DEFAULT_GROUPS",
    "FORMATS",
    "GROUPS",
    "ResultTable",
    "check_groups",
    "check_target",
    "column_names",
    "write_table",
]
