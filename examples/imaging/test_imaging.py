"""The demo in small, and a wrong pixel that every pair has to find."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

HERE = Path(__file__).resolve().parent
BUILD = Path(os.environ.get("LEAT_BUILD", HERE.parents[1] / "build" / "release"))
sys.path.insert(0, str(HERE))

from picture import count_photons, cut, read_png, write_png  # noqa: E402
from programs import LANGUAGES, Example, ProgramError, find_micrograph  # noqa: E402

EXAMPLE = Example(BUILD)
PAIRS = [(server, client, False) for server in LANGUAGES for client in LANGUAGES] + [("Python", "Python", True)]
NAMES = [f"{client} from {server}" + (", object" if as_object else "") for server, client, as_object in PAIRS]


def test_the_demo_runs_every_pair_over_both_transports() -> None:
    command = [sys.executable, str(HERE / "demo.py"), "--build-dir", str(BUILD), "--megabytes", "3"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "demo: ok"
    rows = re.findall(r"^ *(\S+ from [^\s,]+(?:, object)?) {2,}((?:zmq\+)?tcp) ", done.stdout, re.MULTILINE)
    assert sorted(rows) == sorted((pair, transport) for pair in NAMES for transport in ("tcp", "zmq+tcp"))


@pytest.mark.parametrize(("server", "client", "as_object"), PAIRS, ids=NAMES)
def test_a_wrong_pixel_is_found_and_named(server: str, client: str, as_object: bool, tmp_path: Path) -> None:
    picture = find_micrograph()
    image = read_png(picture).copy()
    row, column = 300, 201  # in the third row of tiles, the second tile of five
    right = int(image[row, column])
    image[row, column] = right + 1
    wrong = tmp_path / "wrong.png"
    write_png(wrong, image)
    with EXAMPLE.serve(server, wrong, "tcp://127.0.0.1:0") as url:
        # As it is, the same server passes; compared with the true picture it does not.
        assert EXAMPLE.take(client, url, wrong, frames=2, calls=1, as_object=as_object)["tiles"] == 60
        with pytest.raises(ProgramError) as raised:
            EXAMPLE.take(client, url, picture, frames=2, calls=1, as_object=as_object)
    expected = f"tile 11 of frame 0: the pixel at row {row}, column {column} is {right + 1}, expected {right}"
    assert expected in str(raised.value)


@pytest.mark.parametrize("server", LANGUAGES)
@pytest.mark.parametrize("client", LANGUAGES)
def test_another_picture_is_refused(server: str, client: str, tmp_path: Path) -> None:
    other = tmp_path / "other.png"
    write_png(other, np.zeros((20, 30), np.uint8))
    with EXAMPLE.serve(server, other, "tcp://127.0.0.1:0") as url, pytest.raises(ProgramError, match="Info says"):
        EXAMPLE.take(client, url, find_micrograph(), frames=1, calls=1)


@pytest.mark.parametrize("client", LANGUAGES)
def test_a_client_without_a_server_says_so(client: str) -> None:
    with pytest.raises(ProgramError, match=r"tcp://127\.0\.0\.1:1"):
        EXAMPLE.take(client, "tcp://127.0.0.1:1", find_micrograph(), frames=1, calls=1)


def test_tiles_cover_the_frame_once() -> None:
    seen = np.zeros((660, 550), np.uint16)
    for part in cut(seen.shape, 128):
        part.of(seen)[:] += 1
    assert (seen == 1).all()


def test_the_camera_clips() -> None:
    counts = count_photons(np.array([[0, 1, 255]], np.uint8), 1000)
    assert counts.tolist() == [[0, 1000, 65535]]
