"""Columns of Arrow as numpy arrays. pyarrow's own way, ``to_numpy``, imports pandas, which takes longer than most files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray


def array_of(column: pa.ChunkedArray) -> NDArray[np.float64]:
    """Return a column as float64; what is null is NaN.

    Raises:
        pyarrow.ArrowException: it holds no numbers.
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    numbers: Any = pc.cast(column, pa.float64())
    whole: Any = numbers.to_numpy() if numbers.null_count else np.from_dlpack(numbers.combine_chunks())
    return np.asarray(whole, dtype=np.float64)


def seconds_of(column: pa.ChunkedArray) -> NDArray[np.float64]:
    """Return a column of times, all of them known, as seconds since the epoch, exact to the microsecond."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    micros = pc.cast(pc.cast(column, pa.timestamp("us", tz=column.type.tz), safe=False), pa.int64())
    return np.asarray(np.from_dlpack(micros.combine_chunks()), dtype=np.float64) / 1e6
