"""Starts the example's servers and clients, and ends them whatever happens."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
LANGUAGES = ("C++", "Python")


class ProgramError(Exception):
    """A program ended badly, or took too long."""


def find_micrograph() -> Path:
    """A cell floating in saline, quantitative phase, 660 x 550 pixels: it lies in scikit-image's wheel."""
    path = Path(str(files("skimage") / "data" / "cell.png"))
    if not path.is_file():
        raise FileNotFoundError(f"{path} is not there: is scikit-image in this environment? make setup installs it")
    return path


class Program:
    """A running program, killed with all it has started when the context ends or its time is up."""

    def __init__(self, command: list[str], *, path: Path, seconds: float) -> None:
        self._name = Path(next(word for word in command if word != sys.executable)).name
        self._seconds = seconds
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115, closed in __exit__
        self._late = False
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(path), os.environ.get("PYTHONPATH", "")])}
        self._process = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            start_new_session=True,
        )
        self._timer = threading.Timer(seconds, self.give_up)
        self._timer.daemon = True
        self._timer.start()

    def give_up(self) -> None:
        self._late = True
        self._kill()

    def _kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def __enter__(self) -> Program:
        return self

    def __exit__(self, *error: object) -> None:
        self._timer.cancel()
        self._kill()
        self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()
        self._errors.close()

    def lines(self) -> Iterator[str]:
        """What it prints, until it ends; ProgramError unless it ends well."""
        assert self._process.stdout
        for line in self._process.stdout:
            yield line.rstrip("\n")
        if self._process.wait() != 0:
            raise self.failure(f"ended with exit code {self._process.returncode}")

    def failure(self, what: str) -> ProgramError:
        if self._late:
            what = f"was not done after {self._seconds:.0f} s"
        self._errors.seek(0)
        said = self._errors.read().decode(errors="replace").strip()
        return ProgramError(f"{self._name}: {what}" + (f"\n{said}" if said else ""))


@dataclass
class Example:
    """Where the example's programs are."""

    build: Path

    @property
    def _folder(self) -> Path:
        return self.build / "examples" / "imaging"

    def _command(self, language: str, program: str) -> list[str]:
        if language == "C++":
            return [str(self._folder / f"imaging_{program}")]
        return [sys.executable, str(HERE / f"{program}.py")]

    @contextlib.contextmanager
    def serve(self, language: str, picture: Path, url: str) -> Iterator[str]:
        """Runs a server; gives the URL that it is reached at."""
        command = [*self._command(language, "server"), str(picture), "--listen", url]
        with Program(command, path=self._folder / "gen", seconds=600) as program:
            timer = threading.Timer(30, program.give_up)
            timer.daemon = True
            timer.start()
            try:
                listening = next(program.lines(), None)
            finally:
                timer.cancel()
            if listening is None:
                raise program.failure("ended without a URL")
            yield listening

    def take(
        self,
        language: str,
        url: str,
        reference: Path,
        *,
        frames: int,
        calls: int,
        png: Path | None = None,
        as_object: bool = False,
        on_bytes: Callable[[int], None] = lambda _: None,
        seconds: float = 180,
    ) -> dict[str, Any]:
        """Runs a client to its end and gives its results; ProgramError with what it found wrong."""
        command = [*self._command(language, "client"), url, str(reference)]
        command += ["--frames", str(frames), "--calls", str(calls)]
        command += ["--png", str(png)] if png else []
        command += ["--object"] if as_object else []
        last: dict[str, Any] = {}
        with Program(command, path=self._folder / "gen", seconds=seconds) as program:
            for line in program.lines():
                last = json.loads(line)
                on_bytes(last["bytes"])
            if "seconds" not in last:
                raise program.failure("ended without results")
        return last
