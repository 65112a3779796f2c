"""The main job: a real micrograph is streamed as tiles between C++ and Python, in all four pairs, over two transports,
and once more as an object without a schema. Every pixel is compared; what differs is said and fails the demo.
"""

from __future__ import annotations

import argparse
import math
import signal
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from picture import count_photons, read_png
from programs import LANGUAGES, Example, ProgramError, find_micrograph
from rich.box import SIMPLE
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn
from rich.table import Table

TRANSPORTS = ("tcp", "zmq+tcp")
CALLS = 2000


class MismatchError(Exception):
    """A client's results are not what the picture gives."""


@dataclass
class Run:
    server: str
    client: str
    transport: str
    as_object: bool = False

    @property
    def pair(self) -> str:
        return f"{self.client} from {self.server}" + (", object" if self.as_object else "")

    @property
    def title(self) -> str:
        return f"{self.pair}, {self.transport}"


def list_runs(transport: str, server: str) -> list[Run]:
    runs = [Run(server, client, transport) for client in LANGUAGES]
    if server == "Python":
        runs.append(Run(server, "Python", transport, as_object=True))
    return runs


def check(run: Run, result: dict[str, Any], picture: Path, png: Path, frames: int) -> None:
    """Works the results out once more, in another way, from the picture as it lies in the package."""
    image = read_png(picture)
    counts = count_photons(image, result["exposure_ms"])
    background = float(np.quantile(counts, 0.5, method="lower"))
    expected: dict[str, Any] = {
        "transport": run.transport,
        "bytes": frames * counts.nbytes,
        "background": background,
        "histogram": np.histogram(counts, bins=256, range=(0, 65536))[0].tolist(),
    }
    for name, value in expected.items():
        if result[name] != value:
            raise MismatchError(f"{run.title}: {name} is {result[name]}, expected {value}")
    mean = float(np.mean(counts.astype(np.float64) - background))
    if not math.isclose(result["mean"], mean, rel_tol=1e-9):
        raise MismatchError(f"{run.title}: the mean above background is {result['mean']}, expected {mean}")
    drawn = (counts.astype(np.int64) * 255 // counts.max()).astype(np.uint8)
    if not np.array_equal(read_png(png), drawn):
        raise MismatchError(f"{run.title}: {png} does not show the picture")


def draw_table(results: list[tuple[Run, dict[str, Any]]]) -> Table:
    table = Table("client from server", "transport", box=SIMPLE)
    for heading in ("tiles", "MB", "MB/s", "calls/s"):
        table.add_column(heading, justify="right")
    for run, result in results:
        megabytes = result["bytes"] / 1e6
        table.add_row(
            run.pair,
            run.transport,
            f"{result['tiles']:,}",
            f"{megabytes:.0f}",
            f"{megabytes / result['seconds']:,.0f}",
            f"{result['calls'] / result['call_seconds']:,.0f}",
        )
    return table


def run_all(
    example: Example, console: Console, transports: list[str], megabytes: float, output: Path
) -> list[tuple[Run, dict[str, Any]]]:
    picture = find_micrograph()
    frame_bytes = read_png(picture).size * 2
    frames = math.ceil(megabytes * 2**20 / frame_bytes)
    console.print(f"{picture.name} of scikit-image: {frames} frames, {frames * frame_bytes / 1e6:.0f} MB in each run")
    results: list[tuple[Run, dict[str, Any]]] = []

    def run_one(run: Run, url: str) -> None:
        task = progress.add_task(run.title, total=frames * frame_bytes)
        png = output / f"{len(results)}.png"
        try:
            result = example.take(
                run.client,
                url,
                picture,
                frames=frames,
                calls=CALLS,
                png=png,
                as_object=run.as_object,
                on_bytes=lambda done: progress.update(task, completed=done),
            )
        except ProgramError as error:
            raise ProgramError(f"{run.title}: {error}") from error
        check(run, result, picture, png, frames)
        results.append((run, result))

    columns = (TextColumn("{task.description:35}"), BarColumn(), DownloadColumn())
    with Progress(*columns, console=console) as progress:
        for transport in transports:
            for server in LANGUAGES:
                with example.serve(server, picture, f"{transport}://127.0.0.1:0") as url:
                    for run in list_runs(transport, server):
                        run_one(run, url)
    return results


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build-dir", type=Path, default=Path("build/release"))
    parser.add_argument("--transports", nargs="+", choices=TRANSPORTS, default=TRANSPORTS)
    parser.add_argument("--megabytes", type=float, default=256, help="MiB to move in each run")
    parser.add_argument("--output", type=Path, help="where the PNGs stay; default: nowhere")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the servers end, too
    console = Console()
    try:
        with tempfile.TemporaryDirectory() as temporary:
            output = options.output or Path(temporary)
            output.mkdir(parents=True, exist_ok=True)
            results = run_all(
                Example(options.build_dir.resolve()), console, options.transports, options.megabytes, output
            )
    except (MismatchError, ProgramError, OSError) as error:
        print(f"demo: FAILED: {error}", flush=True)
        return 1
    console.print(draw_table(results))
    print("demo: ok", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
