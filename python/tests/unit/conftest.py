"""Servers in processes of their own, for tests over real sockets."""

import subprocess
import sys
from pathlib import Path

import leat
import pytest

LAB = Path(__file__).with_name("lab.py")


class Child:
    """A program that has printed its first line."""

    def __init__(self, args, lines=1, **kwargs):
        self.process = subprocess.Popen(args, stdout=subprocess.PIPE, text=True, **kwargs)
        self.lines = [self.process.stdout.readline().strip() for _ in range(lines)]

    @property
    def url(self):
        return self.lines[0]

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        if self.process.stderr:
            self.process.stderr.close()


@pytest.fixture
def start():
    """Starts programs and ends them after the test: start(*args) with the arguments behind `python`."""
    children = []

    def run(*args, lines=1, **kwargs):
        child = Child([sys.executable, *map(str, args)], lines, **kwargs)
        children.append(child)
        return child

    yield run
    for child in children:
        child.end()


@pytest.fixture(scope="module")
def lab():
    """The URL of a lab that the tests of a module share."""
    child = Child([sys.executable, str(LAB), "tcp://127.0.0.1:0"])
    yield child.url
    child.end()


@pytest.fixture
def peer(lab):
    with leat.connect(lab) as connected:
        yield connected


@pytest.fixture
def scope(peer):
    return peer["scope"]
