"""The picture under the microscope, what the camera makes of it, and how a frame is cut into tiles."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image

Picture: TypeAlias = npt.NDArray[np.uint8]
Counts: TypeAlias = npt.NDArray[np.uint16]

FULL_SCALE = 65_535
LONGEST_EXPOSURE_MS = 10_000


def read_png(path: Path) -> Picture:
    """An 8-bit grey picture; ValueError for any other."""
    with Image.open(path) as image:
        if image.mode != "L":
            raise ValueError(f"{path}: must be an 8-bit grey picture")
        return np.asarray(image)


def write_png(path: Path, picture: Picture) -> None:
    Image.fromarray(picture).save(path)


def count_photons(picture: Picture, exposure_ms: int) -> Counts:
    """What the camera counts: proportional to the exposure until it clips."""
    return np.minimum(picture.astype(np.uint32) * exposure_ms, FULL_SCALE).astype(np.uint16)


class Rectangle(NamedTuple):
    row: int
    column: int
    rows: int
    columns: int

    def of(self, array: Counts) -> Counts:
        return array[self.row : self.row + self.rows, self.column : self.column + self.columns]


def cut(shape: tuple[int, ...], tile: int) -> Iterator[Rectangle]:
    """Tiles of tile x tile pixels, row by row; those at the right and lower edge are what is left."""
    rows, columns = shape
    for row in range(0, rows, tile):
        for column in range(0, columns, tile):
            yield Rectangle(row, column, min(tile, rows - row), min(tile, columns - column))
