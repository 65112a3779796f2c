"""Fixtures that start peers and end them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from children import LANGUAGES, Child  # type: ignore[import-not-found]

Start = Callable[..., Child]


def starter(directory: Path) -> Iterator[Start]:
    children: list[Child] = []

    def start(language: str, role: str, *urls: str) -> Child:
        child = Child(language, role, urls, directory / f"{len(children)}-{language}-{role}.log")
        children.append(child)
        return child

    yield start
    for child in children:
        child.end()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """start(language, role, *urls): a peer that lives as long as the test."""
    yield from starter(tmp_path)


@pytest.fixture(scope="module")
def start_shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """A peer that lives as long as the module's tests."""
    yield from starter(tmp_path_factory.mktemp("peers"))


@pytest.fixture(scope="module", params=LANGUAGES)
def server(request: Any, start_shared: Start) -> Child:
    """A server of each language, at tcp:// and zmq+tcp://."""
    return start_shared(request.param, "server", "tcp://127.0.0.1:0", "zmq+tcp://127.0.0.1:0")
