"""Opening the files that descriptions name: regular files only, as a pipe or a device would never end."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO

from ..errors import MissingModelError, ModelFileError


def open_regular(path: str | os.PathLike[str]) -> BinaryIO:
    """Open a regular file for reading.

    Parameters
    ----------
    path : path-like
        Links to regular files are followed.

    Raises
    ------
    MissingModelError
        No such file.
    ModelFileError
        It cannot be read, is a folder, a pipe or a device, or its name cannot be that of a file.
    """
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise ModelFileError(path, None, "cannot be read (not a regular file)")
        return Path(path).open("rb")
    except FileNotFoundError:
        raise MissingModelError([path]) from None
    except OSError as error:
        raise ModelFileError(path, None, f"cannot be read ({error.strerror or error})") from error
    except ValueError as error:  # a NUL
        raise ModelFileError(path, None, f"cannot be the name of a file ({error})") from error
