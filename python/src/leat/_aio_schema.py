"""Methods of generated client classes, as leat.aio calls them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from . import schema

if TYPE_CHECKING:
    from . import _native

_ResponseT = TypeVar("_ResponseT")


class Method(schema.Method[_ResponseT]):
    """A method of a typed client on an event loop: calling it gives what is awaited, or a stream."""

    __slots__ = ()
    _caller: _native.AioCaller

    def __call__(self, request: Any = None, /, *, timeout: float | None = None, **fields: Any) -> Any:
        if fields or request is None:
            request = self._method.request_of(request, fields)
        return self._native.call_awaited(self._caller, request, self._options, timeout)

    def future(self, request: Any = None, /, *, timeout: float | None = None, **fields: Any) -> NoReturn:
        """Not here: what a call gives is a future."""
        raise TypeError("calls of leat.aio are futures: call the method without future()")

    def oneway(self, request: Any = None, /, *, timeout: float | None = None, **fields: Any) -> None:
        """Calls and forgets: neither response nor failure shows."""
        if fields or request is None:
            request = self._method.request_of(request, fields)
        self._native.oneway_awaited(self._caller, request, self._options, timeout)
