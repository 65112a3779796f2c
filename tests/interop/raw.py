"""A client of raw bytes: it shakes hands and then says whatever a test makes it say."""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Callable, Iterator

from children import Child  # type: ignore[import-not-found]

Start = Callable[..., Child]

HELLO = bytes.fromhex("4c454154010101000000000004000000400000000000010000000000")
KIND_HELLO, KIND_WELCOME, KIND_START, KIND_PING, KIND_PONG, KIND_CLOSE, KIND_OPEN = 1, 2, 3, 6, 7, 9, 0x10
SKIPPABLE = 0x8000


def port_of(url: str) -> int:
    return int(url.rsplit(":", 1)[1])


def knock(url: str) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port_of(url)), timeout=3)


def closed(connection: socket.socket) -> bool:
    """True once the other side has closed; what it said before is dropped."""
    try:
        while connection.recv(4096):
            pass
    except ConnectionError:
        pass
    except TimeoutError:
        return False
    return True


def frame(kind: int, body: bytes = b"", flags: int = 0, stream: int = 0, channel: int = 0) -> bytes:
    return struct.pack("<IBBHQ", len(body), kind, channel, flags, stream) + body


def exactly(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = connection.recv(size - len(data))
        if not part:
            raise ConnectionError(f"closed after {len(data)} of {size} bytes")
        data += part
    return data


def read_frame(connection: socket.socket) -> tuple[int, bytes]:
    length, kind, _channel, _flags, _stream = struct.unpack("<IBBHQ", exactly(connection, 16))
    return kind, exactly(connection, length)


def shake_hands(connection: socket.socket) -> None:
    connection.sendall(frame(KIND_HELLO, HELLO))
    kind, welcome = read_frame(connection)
    assert kind == KIND_WELCOME
    connection.sendall(frame(KIND_START, welcome[5:21] + b"\x03tcp"))


def close_reason(connection: socket.socket) -> tuple[int, str]:
    """The code and the text of the CLOSE that must come next."""
    kind, body = read_frame(connection)
    assert kind == KIND_CLOSE, kind
    return body[0], body[2:].decode()


@contextlib.contextmanager
def still_serving(start: Start, server: Child, url: str) -> Iterator[None]:
    """Whatever happens inside, a client that was there before is served after it, and so is a new one."""
    before = start("cpp", "client", url)
    before.ask("unary 10")
    yield
    before.ask("unary 100")
    start("cpp", "client", url).ask("unary 10")
    assert server.process.poll() is None
