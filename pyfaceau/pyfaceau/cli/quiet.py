"""`-q`: nothing on stderr but errors."""

from __future__ import annotations

import logging
import warnings


def be_quiet(quiet: bool) -> None:
    """Show no warnings and no messages below errors for the rest of the command; results record what they say.

    Parameters
    ----------
    quiet : bool
        Otherwise nothing is changed.
    """
    if not quiet:
        return
    warnings.simplefilter("ignore")
    for package in ("pyfaceau", "pyclnf", "pymtcnn"):
        logging.getLogger(package).setLevel(logging.ERROR)
