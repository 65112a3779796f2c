"""The examples of the README and of pages for users, executed as printed; README.md says how they are marked."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *(ROOT / "docs" / name for name in ("interceptors.md", "testing.md"))]
BUILD = Path(os.environ.get("LEAT_BUILD", ROOT / "build" / "release"))
CODE = {"python", "cpp", "c++", "cmake", "fbs", "flatbuffers", "sh", "bash", "console"}
BLOCK = re.compile(
    r"(?:^<!--[ ]*(?P<mark>[^\n]*?)[ ]*-->\n\s*)?^```(?P<language>[\w+]*)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
MARK = re.compile(r"example (?P<name>[\w-]+): (?P<action>run|start|python|output|file (?P<path>\S+))")


@dataclass
class Block:
    where: str
    language: str
    mark: str
    text: str


def read_blocks() -> list[Block]:
    blocks = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for m in BLOCK.finditer(text):
            where = f"{page.relative_to(ROOT)}:{text.count(chr(10), 0, m.start('language')) + 1}"
            blocks.append(Block(where, m["language"], m["mark"] or "", m["text"]))
    return blocks


def read_examples() -> dict[str, list[tuple[str, Block]]]:
    """The steps of each example, in the order they are printed."""
    examples: dict[str, list[tuple[str, Block]]] = {}
    for block in read_blocks():
        if match := MARK.fullmatch(block.mark):
            examples.setdefault(match["name"], []).append((match["action"], block))
    return examples


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    prefix = tmp_path_factory.mktemp("installed")
    command = ["cmake", "--install", str(BUILD), "--component", "cpp", "--prefix", str(prefix)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    path = f"{Path(sys.executable).parent}:{prefix / 'bin'}:{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "CMAKE_PREFIX_PATH": str(prefix)}


class Steps:
    """Runs an example's steps, each in a process group of its own, in one folder."""

    def __init__(self, where: Path, environment: dict[str, str]) -> None:
        self.where = where
        self.environment = environment
        self.started: list[subprocess.Popen[bytes]] = []

    def _launch(self, command: list[str]) -> tuple[subprocess.Popen[bytes], Path]:
        output = self.where / f".output-{len(self.started)}"
        with output.open("wb") as file:
            process = subprocess.Popen(
                command,
                cwd=self.where,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.started.append(process)
        return process, output

    def run(self, command: list[str]) -> str:
        process, output = self._launch(command)
        code = process.wait(240)
        printed = output.read_text()
        assert code == 0, f"ended with {code}: {command[-1]}\n--- and printed\n{printed}"
        return printed

    def start(self, command: list[str]) -> None:
        """Leaves the step running until the example ends; it is ready when it has printed something."""
        process, output = self._launch(command)
        deadline = time.monotonic() + 20
        while not output.stat().st_size:
            assert process.poll() is None, f"ended at once: {command[-1]}"
            assert time.monotonic() < deadline, f"printed nothing for 20 s: {command[-1]}"
            time.sleep(0.01)

    def end(self) -> None:
        for process in self.started:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def test_every_block_is_run_or_says_why_not() -> None:
    for block in read_blocks():
        if block.language in CODE:
            marked = MARK.fullmatch(block.mark) or block.mark.startswith("not run: ")
            assert marked, f"{block.where}: this block is neither an example nor marked 'not run: reason'"


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", sorted(read_examples()))
def test_example(name: str, environment: dict[str, str], tmp_path: Path) -> None:
    steps = Steps(tmp_path, environment)
    printed = ""
    try:
        for action, block in read_examples()[name]:
            if action == "run":
                printed = steps.run(["bash", "-e", "-c", block.text])
            elif action == "start":
                steps.start(["bash", "-e", "-c", block.text])
            elif action == "python":
                printed = steps.run([sys.executable, "-c", block.text])
            elif action == "output":
                assert printed.strip() == block.text.strip(), block.where
            else:
                file = tmp_path / action.removeprefix("file ")
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(block.text)
    finally:
        steps.end()
