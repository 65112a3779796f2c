"""What failures look like in Python, and what Python's failures look like on the wire.

The C++ side calls `from_status`, `to_status` and `raise_no_method`; nothing here is on a fast path.
"""

from __future__ import annotations

import builtins
import difflib
import inspect
import logging
import sys
import traceback
from typing import Any, NoReturn

log = logging.getLogger("leat")

CODES = (
    "ok",
    "cancelled",
    "unknown",
    "invalid_argument",
    "deadline_exceeded",
    "not_found",
    "already_exists",
    "permission_denied",
    "resource_exhausted",
    "failed_precondition",
    "aborted",
    "out_of_range",
    "unimplemented",
    "internal",
    "unavailable",
    "data_loss",
    "unauthenticated",
)


class RemoteError(Exception):
    """A call failed, or a connection could not be made.

    Where the other side raised a builtin exception, the error is also of that type: `except ValueError`
    works as it would locally. `deadline_exceeded` is also a TimeoutError, `unavailable` a ConnectionError.
    A handler may raise a RemoteError itself, to answer with a code of its choice.
    """

    code: str
    """One of the canonical codes: "not_found", "unavailable", ..."""
    details: list[tuple[str, bytes]]
    """Typed details, as pairs of a type and its bytes."""
    remote_type: str
    """The exception's type on the other side ("ValueError"), or empty."""
    remote_traceback: str
    """The traceback on the other side as it prints it, or empty."""
    not_started: bool
    """True if the call is known not to have reached a handler: trying again is safe whatever the method does.
    False says nothing."""
    outcome_unknown: bool
    """True if the connection was lost before the answer came: nobody knows whether the call has run."""

    def __init__(
        self,
        message: str = "",
        *,
        code: str = "unknown",
        details: list[tuple[str, bytes]] | None = None,
        remote_type: str = "",
        remote_traceback: str = "",
        not_started: bool = False,
        outcome_unknown: bool = False,
    ) -> None:
        if code not in CODES[1:]:
            raise ValueError(f"{code!r} is no code; codes are {', '.join(CODES[1:])}")
        super().__init__(message)
        self._message = message
        self.code = code
        self.details = list(details or ())
        self.remote_type = remote_type
        self.remote_traceback = remote_traceback
        self.not_started = not_started
        self.outcome_unknown = outcome_unknown
        if remote_traceback and sys.version_info >= (3, 11):
            self.add_note(_remote_text(remote_traceback))

    def __str__(self) -> str:
        if self.remote_traceback and sys.version_info < (3, 11):
            return f"{self._message}\n{_remote_text(self.remote_traceback)}"
        return self._message

    def __reduce__(self) -> tuple[Any, ...]:
        # Made anew through from_status(), since a specialised class has no name to be found by.
        remote = (self.remote_type, self.remote_traceback, self.details)
        return from_status, (self.code, self._message, *remote, self.not_started, self.outcome_unknown)


def _remote_text(text: str) -> str:
    return "Remote traceback:\n" + "\n".join("  " + line for line in text.rstrip().splitlines())


# Raised again as themselves they would end something on this side that the other side knows nothing of, or
# they need more than a message.
_NEVER = ("StopIteration", "StopAsyncIteration", "BaseExceptionGroup", "ExceptionGroup")
_BY_CODE: dict[str, type[Exception]] = {
    "deadline_exceeded": TimeoutError,
    "unavailable": ConnectionError,
    "invalid_argument": ValueError,
    "not_found": LookupError,
    "permission_denied": PermissionError,
    "already_exists": OSError,
    "unimplemented": NotImplementedError,
}
_specialised: dict[tuple[type[Exception], ...], type[RemoteError]] = {}


def _builtin(name: str) -> type[Exception] | None:
    found = getattr(builtins, name, None)
    if not isinstance(found, type) or not issubclass(found, Exception) or name in _NEVER:
        return None
    if issubclass(found, UnicodeError) and found is not UnicodeError:
        return UnicodeError  # its subclasses can't be made from a message
    return found


def _specialise(bases: tuple[type[Exception], ...]) -> type[RemoteError]:
    known = _specialised.get(bases)
    if known is None:
        namespace = {"__module__": "leat", "__doc__": RemoteError.__doc__}
        known = type(bases[0].__name__, (RemoteError, *bases), namespace)
        _specialised[bases] = known
    return known


def from_status(
    code: str,
    message: str,
    remote_type: str,
    remote_traceback: str,
    details: list[tuple[str, bytes]],
    not_started: bool = False,
    outcome_unknown: bool = False,
) -> RemoteError:
    """The exception for a failure: of the remote exception's type too, and of what the code stands for."""
    by_type = _builtin(remote_type)
    by_code = _BY_CODE.get(code) if by_type is None or code in ("deadline_exceeded", "unavailable") else None
    bases: list[type[Exception]] = []
    for base in (by_type, by_code):
        if base is not None and not any(issubclass(other, base) for other in bases):
            bases.append(base)
    try:
        cls = _specialise(tuple(bases)) if bases else RemoteError
    except TypeError:  # two builtins that can't be one
        cls = _specialise(tuple(bases[-1:]))
    return cls(
        message,
        code=code,
        details=details,
        remote_type=remote_type,
        remote_traceback=remote_traceback,
        not_started=not_started,
        outcome_unknown=outcome_unknown,
    )


_CODE_OF: tuple[tuple[type[BaseException], str], ...] = (
    (FileNotFoundError, "not_found"),
    (FileExistsError, "already_exists"),
    (PermissionError, "permission_denied"),
    (KeyError, "not_found"),
    (IndexError, "out_of_range"),
    (NotImplementedError, "unimplemented"),
    (MemoryError, "resource_exhausted"),
    (TypeError, "invalid_argument"),
    (ValueError, "invalid_argument"),
)


def to_status(
    error: BaseException, where: str, quietly: bool = False
) -> tuple[int, str, str, str, list[tuple[str, bytes]]]:
    """What an exception in a handler is answered with: code, message, type, traceback, details. Logged as an
    error, unless `quietly`: somebody else gets it.
    """
    if isinstance(error, RemoteError):
        log.debug("%s answered %s: %s", where, error.code, error)
        text = error.remote_traceback or _format(error) if error.remote_type else ""
        return CODES.index(error.code), error._message, error.remote_type, text, error.details
    if isinstance(error, (SystemExit, KeyboardInterrupt)):
        log.error("%s raised %s; the program goes on", where, type(error).__name__, exc_info=error)
        return CODES.index("unknown"), _describe(error), _type_name(error), _format(error), []
    log.log(logging.DEBUG if quietly else logging.ERROR, "%s raised %s", where, type(error).__name__, exc_info=error)
    code = next((code for cls, code in _CODE_OF if isinstance(error, cls)), "unknown")
    return CODES.index(code), _describe(error), _type_name(error), _format(error), []


def _type_name(error: BaseException) -> str:
    cls = type(error)
    return cls.__qualname__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__qualname__}"


def _describe(error: BaseException) -> str:
    try:
        if isinstance(error, KeyError) and len(error.args) == 1:
            return repr(error.args[0])
        return str(error) or _type_name(error)
    except Exception as second:
        return f"{_type_name(error)}, whose text can't be had ({type(second).__name__})"


def _format(error: BaseException) -> str:
    try:
        return "".join(traceback.format_exception(type(error), error, error.__traceback__))
    except Exception:
        return ""


def public_methods(target: object) -> list[str]:
    """The names by which an object can be called from elsewhere."""
    names = []
    for name in dir(type(target)):
        if name.startswith("_"):
            continue
        found = inspect.getattr_static(type(target), name, None)
        if isinstance(found, (staticmethod, classmethod)) or (callable(found) and not isinstance(found, type)):
            names.append(name)
    return names


def raise_no_method(target: object, registered: str, name: str) -> NoReturn:
    """Answers a call of a method that there is not, with near misses."""
    known = public_methods(target)
    if name.startswith("_"):
        message = f"'{registered}.{name}' is private; only public methods can be called from elsewhere"
    elif hasattr(target, name):
        message = f"'{registered}.{name}' is no method of its class, so it can't be called from elsewhere"
    else:
        message = f"'{registered}' has no method '{name}'"
    near = difflib.get_close_matches(name, known, n=3)
    if near:
        message += f"; did you mean {' or '.join(repr(each) for each in near)}?"
    elif known:
        message += f"; it has {', '.join(known)}"
    raise RemoteError(message, code="unimplemented", remote_type="AttributeError")
