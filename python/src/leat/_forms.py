"""Other forms of calls, as functions that keep a method's signature for type checkers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast

if TYPE_CHECKING:
    from ._future import Future
    from ._native import Metadata

_P = ParamSpec("_P")
_R = TypeVar("_R")


def _form(method: Any, name: str) -> Any:
    try:
        return getattr(method, name)
    except AttributeError:
        raise TypeError(f"leat.{name}() takes a method of a remote object or service, got {method!r}") from None


def future(method: Callable[_P, _R]) -> Callable[_P, Future[_R]]:
    """Calls without waiting: `leat.future(scope.snap)(0.1)` is `scope.snap.future(0.1)`, typed."""
    return cast("Callable[_P, Future[_R]]", _form(method, "future"))


def oneway(method: Callable[_P, object]) -> Callable[_P, None]:
    """Calls and forgets, so that neither result nor failure shows: `leat.oneway(scope.snap)(0.1)`."""
    return cast("Callable[_P, None]", _form(method, "oneway"))


def options(
    method: Callable[_P, _R],
    *,
    timeout: float | None = None,
    channel: str | None = None,
    metadata: Metadata | None = None,
    idempotent: bool | None = None,
    wait_for_ready: bool | None = None,
) -> Callable[_P, _R]:
    """The method with other options for its calls (see RemoteMethod.options), typed:
    `leat.options(scope.snap, timeout=2)(0.1)`.
    """
    changed = _form(method, "options")(
        timeout=timeout,
        channel=channel,
        metadata=metadata,
        idempotent=idempotent,
        wait_for_ready=wait_for_ready,
    )
    return cast("Callable[_P, _R]", changed)
