"""The arrays of an .npz file from anywhere: nothing is read that is not of the expected size.

Reads bytes; writes nothing.
"""

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np


def read(
    content: bytes, expected: Mapping[str, tuple[np.dtype, tuple[int, ...]]]
) -> dict[str, np.ndarray]:
    """The arrays of an .npz file, of which nothing is read that is not of the expected size.

    Args:
        content: the file.
        expected: type and shape of each array by name; there must be no other.

    Raises:
        ValueError: there is another, one is missing, or one is of another type, shape or size.
        zipfile.BadZipFile: it is no such file, or damaged.
    """
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        names = [Path(name).stem for name in archive.namelist()]
        if sorted(names) != sorted(expected):
            raise ValueError(f"the arrays {', '.join(names[:9])}")
        return {name: _one(archive, name, *expected[name]) for name in names}


def _one(
    archive: zipfile.ZipFile, name: str, dtype: np.dtype, shape: tuple[int, ...]
) -> np.ndarray:
    with archive.open(f"{name}.npy") as file:
        if np.lib.format.read_magic(file) != (1, 0):
            raise ValueError(f"{name} in a version that is not written here")
        found = np.lib.format.read_array_header_1_0(file)
        if found != (shape, False, np.dtype(dtype)):
            raise ValueError(
                f"{name} of shape {found[0]} and type {found[2]}, not {shape}, {dtype}"
            )
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        values = file.read(size + 1)  # a header can say less than there is
    if len(values) != size:
        raise ValueError(f"{name} of another size than its shape")
    return np.frombuffer(values, dtype).reshape(shape)
