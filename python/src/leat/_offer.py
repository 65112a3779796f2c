"""Offering objects and services to the other side: what servers and peers have in common."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

if TYPE_CHECKING:
    from . import _native
    from .schema import Service

    Served: TypeAlias = Mapping[str, object] | Iterable[Service] | Service

_F = TypeVar("_F", bound=Callable[..., Any])
_MARK = "__leat_method__"


def method(*, max_inflight: int) -> Callable[[_F], _F]:
    """Marks a method that is to be served:

        class Scope:
            @leat.method(max_inflight=1)
            def move(self, x, y): ...

    `max_inflight` calls of it run at a time; others wait for their turn, as those beyond the server's own
    `max_inflight` do. In a schema the attribute `max_inflight` says the same.
    """
    if not isinstance(max_inflight, int) or not 1 <= max_inflight < 2**32:
        raise ValueError(f"max_inflight is a number of calls, at least 1, got {max_inflight!r}")

    def mark(function: _F) -> _F:
        # A staticmethod or classmethod hands the mark on to what it wraps, where limits_of() looks.
        setattr(getattr(function, "__func__", function), _MARK, max_inflight)
        return function

    return mark


def limits_of(served: object) -> dict[str, int]:
    """The methods that are marked with max_inflight."""
    limits = {}
    for name in dir(type(served)):
        found = inspect.getattr_static(type(served), name, None)
        limit = getattr(getattr(found, "__func__", found), _MARK, None)
        if limit is not None and not name.startswith("_"):
            limits[name] = limit
    return limits


def offer(native: _native.Offering, served: object, name: str | None = None) -> None:
    """An object under a name, or a service under its schema's."""
    from .schema import Service  # not before somebody serves: most clients need no schemas

    if isinstance(served, Service):
        if name is not None:
            raise TypeError(f"a service has its schema's name, so it can't be called {name!r}")
        served._add_to(native)
        return
    if name is None:
        made = f"{type(served).__name__}()"
        example = f"serve({{'name': {made}}}, url), or add({made}, 'name')"
        raise TypeError(f"an object needs a name to be served under: {example}")
    if not isinstance(name, str) or not name:
        raise TypeError(f"an object's name is a str that is not empty, got {name!r}")
    if isinstance(served, type):
        raise TypeError(f"{served.__name__} is a class; serve an instance of it: {served.__name__}()")
    native.add_object(name, served, limits_of(served))


def offer_all(native: _native.Offering, served: Served, what: str = "serve() takes") -> None:
    """Objects by name, or services of a schema."""
    from .schema import Service

    if isinstance(served, Mapping):
        for name, target in served.items():
            offer(native, target, name)
    elif isinstance(served, Service):
        offer(native, served)
    else:
        try:
            services = list(served)
        except TypeError:
            got = type(served).__name__
            raise TypeError(f"{what} a dict of objects by name or a list of services, got {got}") from None
        for target in services:
            offer(native, target)
