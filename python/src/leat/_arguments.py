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


def check_client(value: object) -> None:
    if not isinstance(value, type):
        raise TypeError(f"service() takes a client class from generated code, got {value!r}")


def check_seconds(value: object, what: str) -> None:
    """None is fine, and so is whatever can be a float, as for the native half."""
    if value is not None and not hasattr(value, "__float__") and not hasattr(value, "__index__"):
        raise TypeError(f"{what} is a number of seconds, got {value!r}")


def listed(interceptors: Iterable[Any]) -> list[Any]:
    if not isinstance(interceptors, Iterable):
        raise TypeError(f"interceptors is a list of leat.Interceptor, got {interceptors!r}")
    return list(interceptors)
