"""Imports coremltools without its warnings: that it cannot predict outside macOS, and untried frameworks."""

from __future__ import annotations

import logging
import warnings

_log = logging.getLogger("coremltools")
_level = _log.level
_log.setLevel(logging.ERROR)
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import coremltools as ct
    from coremltools.converters.mil import Builder as mb  # noqa: N813  # its documented name
    from coremltools.converters.mil.mil import get_new_symbol
_log.setLevel(_level)

__all__ = ["ct", "get_new_symbol", "mb"]
