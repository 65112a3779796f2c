"""Takes frames as a stream of tiles, checks every pixel against the picture, measures, and writes a PNG.

Prints JSON: one line now and then on how far it is, and a last one with the results.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Protocol

import leat
import numpy as np
import numpy.typing as npt
from imaging import Microscope
from picture import Counts, Picture, count_photons, cut, read_png, write_png

TilePixels = tuple[int, int, int, int, Any]  # frame, index, row, column, pixels


class DataError(Exception):
    """What came is not what is under the microscope."""


class Scope(Protocol):
    """A microscope, reached one way or the other."""

    def shape(self) -> tuple[int, int]: ...
    def snap(self) -> npt.ArrayLike: ...
    def frames(self, exposures_ms: list[int], tile: int) -> Iterator[TilePixels]: ...


class BySchema:
    def __init__(self, peer: leat.Peer, timeout: float) -> None:
        self._scope = peer.service(Microscope)
        self._timeout = timeout

    def shape(self) -> tuple[int, int]:
        info = self._scope.info(timeout=self._timeout)
        return info.rows, info.columns

    def snap(self) -> npt.ArrayLike:
        pixels = self._scope.snap(exposure_ms=1, timeout=self._timeout).pixels
        if pixels is None:
            raise DataError("Snap's frame has no pixels")
        return pixels

    def frames(self, exposures_ms: list[int], tile: int) -> Iterator[TilePixels]:
        for each in self._scope.frames(exposures_ms=exposures_ms, tile=tile, timeout=self._timeout):
            yield each.frame, each.index, each.row, each.column, each.pixels


class AsObject:
    def __init__(self, peer: leat.Peer, timeout: float) -> None:
        scope = peer["scope"]
        self._info = scope.info.options(timeout=timeout)
        self._snap = scope.snap.options(timeout=timeout)
        self._frames = scope.frames.options(timeout=timeout)

    def shape(self) -> tuple[int, int]:
        info = self._info()
        return info["rows"], info["columns"]

    def snap(self) -> npt.ArrayLike:
        image: npt.ArrayLike = self._snap(exposure_ms=1)
        return image

    def frames(self, exposures_ms: list[int], tile: int) -> Iterator[TilePixels]:
        tiles: Iterator[TilePixels] = self._frames(exposures_ms, tile=tile)
        return tiles


class Stitcher:
    """Takes tiles in the order they come in and checks each frame when it is complete, pixel by pixel."""

    def __init__(self, reference: Picture, exposures_ms: list[int], tile: int) -> None:
        self._reference = reference
        self._exposures_ms = exposures_ms
        self._parts = list(cut(reference.shape, tile))
        self._number = 0
        self._next = 0
        self.frame: Counts = np.zeros(reference.shape, np.uint16)
        self.tiles = 0
        self.bytes = 0

    def add(self, tile: TilePixels) -> None:
        """DataError naming the tile and the first pixel that differs."""
        frame, index, row, column, pixels = tile
        if self._number == len(self._exposures_ms):
            raise DataError("more tiles came than were asked for")
        if (frame, index) != (self._number, self._next):
            raise DataError(
                f"tile {index} of frame {frame} came where tile {self._next} of frame {self._number} was due"
            )
        part = self._parts[index]
        if pixels is None or pixels.dtype != np.uint16:
            raise DataError(f"tile {index} of frame {frame} is not of uint16")
        if (row, column, *pixels.shape) != part:
            raise DataError(
                f"tile {index} of frame {frame} is not {part.rows} x {part.columns} "
                f"at row {part.row}, column {part.column}"
            )
        part.of(self.frame)[:] = pixels
        self.tiles += 1
        self.bytes += pixels.nbytes
        self._next += 1
        if self._next == len(self._parts):
            self._compare()
            self._next = 0
            self._number += 1

    def finish(self) -> None:
        """DataError if tiles are missing."""
        if self._number < len(self._exposures_ms):
            raise DataError(f"the stream ended before tile {self._next} of frame {self._number}")

    def _compare(self) -> None:
        expected = count_photons(self._reference, self._exposures_ms[self._number])
        if np.array_equal(self.frame, expected):
            return
        for index, part in enumerate(self._parts):
            wrong = np.argwhere(part.of(self.frame) != part.of(expected))
            if wrong.size:
                row, column = part.row + int(wrong[0][0]), part.column + int(wrong[0][1])
                raise DataError(
                    f"tile {index} of frame {self._number}: the pixel at row {row}, column {column} is "
                    f"{self.frame[row, column]}, expected {expected[row, column]}"
                )


def measure(frame: Counts) -> dict[str, Any]:
    """What a microscopist wants to know of a frame."""
    counts = frame.ravel()
    middle = (counts.size - 1) // 2
    background = int(np.partition(counts, middle)[middle])  # the median: most of the field is empty
    total = int(counts.sum(dtype=np.int64))
    return {
        "background": background,
        "mean": (total - counts.size * background) / counts.size,  # of the counts above the background
        "histogram": np.bincount(counts >> 8, minlength=256).tolist(),  # 256 bins of 256 counts
    }


def to_picture(frame: Counts) -> Picture:
    """For looking at: the brightest pixel becomes white."""
    return (frame.astype(np.uint32) * 255 // max(1, int(frame.max()))).astype(np.uint8)


def take(tiles: Iterable[TilePixels], stitcher: Stitcher) -> None:
    reported = time.monotonic()
    for tile in tiles:
        stitcher.add(tile)
        if time.monotonic() - reported >= 0.1:
            reported = time.monotonic()
            print(json.dumps({"bytes": stitcher.bytes}), flush=True)
    stitcher.finish()


def run(options: argparse.Namespace) -> dict[str, Any]:
    reference = read_png(options.reference)
    # Exposures from 1 ms on, so that no two frames in a row are alike.
    exposures_ms = [1 + i % 200 for i in range(options.frames)]
    with leat.connect(options.url) as peer:
        scope: Scope = (AsObject if options.object else BySchema)(peer, options.timeout)
        start = time.perf_counter()
        for _ in range(options.calls):
            if (shape := scope.shape()) != reference.shape:
                raise DataError(f"Info says {shape}, expected {reference.shape}")
        call_seconds = time.perf_counter() - start

        stitcher = Stitcher(reference, exposures_ms, options.tile)
        start = time.perf_counter()
        take(scope.frames(exposures_ms, options.tile), stitcher)
        seconds = time.perf_counter() - start
        if not np.array_equal(scope.snap(), reference):
            raise DataError("Snap's frame is not the picture")
        transport = peer.transport
    if options.png:
        write_png(options.png, to_picture(stitcher.frame))
    return {
        "transport": transport,
        "tiles": stitcher.tiles,
        "bytes": stitcher.bytes,
        "seconds": seconds,
        "calls": options.calls,
        "call_seconds": call_seconds,
        "exposure_ms": exposures_ms[-1],
        **measure(stitcher.frame),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", help="where the microscope is")
    parser.add_argument("reference", type=Path, help="the picture under it, 8-bit grey PNG")
    parser.add_argument("--object", action="store_true", help="call the object, without the schema")
    parser.add_argument("--png", type=Path, help="where to write the last frame")
    parser.add_argument("--frames", type=int, default=1, help="how many frames to take")
    parser.add_argument("--tile", type=int, default=128, help="rows and columns of a tile")
    parser.add_argument("--calls", type=int, default=1000, help="how many small calls to time")
    parser.add_argument("--timeout", type=float, default=120, help="seconds that a call may take")
    options = parser.parse_args()
    try:
        print(json.dumps(run(options)), flush=True)
    except (DataError, leat.RemoteError, OSError, ValueError) as error:
        print(f"client: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
