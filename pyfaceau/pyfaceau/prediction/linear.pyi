import numpy as np
from numpy.typing import NDArray

def multiply(matrix: NDArray[np.float64], vector: NDArray[np.float64], out: NDArray[np.float64]) -> None: ...
