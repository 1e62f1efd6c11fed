"""Where the weights of the three networks are loaded from."""

from __future__ import annotations

import os
from pathlib import Path

from .dat import load_openface_weights
from .networks import DetectorWeights
from .packaged import load_packaged_weights

__all__ = ["load_weights"]


def load_weights(path: str | os.PathLike[str] | None = None) -> DetectorWeights:
    """Load the networks.

    Parameters
    ----------
    path : path-like, optional
        OpenFace's ``MTCNN_detector.txt``, or a folder with that file or with ``PNet.dat``, ``RNet.dat``
        and ``ONet.dat``. Without it the weights of the installed ``mtcnn`` package are used, which equal
        OpenFace 2.2's bit by bit.

    Returns
    -------
    DetectorWeights
        Checked weights.

    Raises
    ------
    WeightsError
        A file is missing, damaged or holds another network.

    Examples
    --------
    >>> from pymtcnn import load_weights
    >>> sorted(load_weights().sha256)
    ['ONet', 'PNet', 'RNet']
    """
    if path is None:
        return load_packaged_weights()
    return load_openface_weights(Path(path))
