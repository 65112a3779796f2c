"""Serves a picture as a microscope would: by the schema, and as an object without one.

Prints the URL it can be reached at, and runs until it is killed.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from pathlib import Path

import leat
from imaging import (
    Frame,
    FramesRequest,
    InfoReply,
    InfoRequest,
    MicroscopeService,
    SnapRequest,
    Tile,
)
from picture import FULL_SCALE, LONGEST_EXPOSURE_MS, Counts, Picture, count_photons, cut, read_png


class Scope:
    """The object: a plain class. Without a schema its methods are called as they are."""

    def __init__(self, picture: Picture) -> None:
        self._picture = picture

    def info(self) -> dict[str, int]:
        rows, columns = self._picture.shape
        return {"rows": rows, "columns": columns, "full_scale": FULL_SCALE}

    def snap(self, exposure_ms: int = 1) -> Counts:
        if not 1 <= exposure_ms <= LONGEST_EXPOSURE_MS:
            raise ValueError(f"exposure_ms must be 1 to {LONGEST_EXPOSURE_MS}, got {exposure_ms}")
        return count_photons(self._picture, exposure_ms)

    def frames(self, exposures_ms: Iterable[int], tile: int = 128) -> Iterator[tuple[int, int, int, int, Counts]]:
        """(frame, index, row, column, pixels) of each tile."""
        if tile < 1:
            raise ValueError("tile must be at least 1")
        for frame, exposure_ms in enumerate(exposures_ms):
            counts = self.snap(int(exposure_ms))
            for index, part in enumerate(cut(counts.shape, tile)):
                yield frame, index, part.row, part.column, part.of(counts)


class ScopeService(MicroscopeService):
    """The same by the schema."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def info(self, request: InfoRequest) -> InfoReply:
        return InfoReply(**self._scope.info())

    def snap(self, request: SnapRequest) -> Frame:
        return Frame(exposure_ms=request.exposure_ms, pixels=self._scope.snap(request.exposure_ms))

    def frames(self, request: FramesRequest) -> Iterator[Tile]:
        for frame, index, row, column, pixels in self._scope.frames(request.exposures_ms, request.tile):
            yield Tile(frame=frame, index=index, row=row, column=column, pixels=pixels)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("image", type=Path, help="8-bit grey PNG")
    parser.add_argument("--listen", default="tcp://127.0.0.1:0", help="where; port 0: any that is free")
    options = parser.parse_args()
    scope = Scope(read_png(options.image))
    server = leat.Server()
    server.add(scope, "scope")
    server.add(ScopeService(scope))
    print(server.listen(options.listen), flush=True)
    server.wait()


if __name__ == "__main__":
    main()
