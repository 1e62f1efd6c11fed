import numpy as np
from numpy.typing import NDArray

def extract_fhog(
    image: NDArray[np.uint8],
    cell_size: int,
    filter_rows_padding: int,
    filter_cols_padding: int,
    out: NDArray[np.float32],
) -> None: ...
