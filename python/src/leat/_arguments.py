"""Arguments of the wrong type, refused by their names before they get anywhere."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def check_text(value: object, what: str) -> None:
    """TypeError "<what> is a str, got 3"."""
    if not isinstance(value, str):
        raise TypeError(f"{what} is a str, got {value!r}")


def check_callback(value: object, what: str) -> None:
    if not callable(value):
        raise TypeError(f"{what} is a function, got {value!r}")


def check_seconds(value: object, what: str) -> None:
    """None is fine."""
    if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float))):
        raise TypeError(f"{what} is a number of seconds, got {value!r}")


def listed(interceptors: Iterable[Any]) -> list[Any]:
    if not isinstance(interceptors, Iterable):
        raise TypeError(f"interceptors is a list of leat.Interceptor, got {interceptors!r}")
    return list(interceptors)
