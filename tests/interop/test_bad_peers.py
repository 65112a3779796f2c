"""Clients that shake hands and then break the rules, or keep to their letter and send what costs them nothing."""

from __future__ import annotations

import contextlib
import socket
import struct
import time

import pytest
from children import Child  # type: ignore[import-not-found]
from raw import (  # type: ignore[import-not-found]
    KIND_CLOSE,
    KIND_OPEN,
    KIND_PING,
    KIND_PONG,
    SKIPPABLE,
    Start,
    closed,
    frame,
    knock,
    read_frame,
    shake_hands,
    still_serving,
)

KIND_CREDIT, KIND_MESSAGE, KIND_END, KIND_CANCEL = 8, 0x11, 0x13, 0x14
FIRST, LAST, END_STREAM = 1, 2, 4
RPC = 2
RESOURCE_EXHAUSTED, INTERNAL = 8, 13

# What max_streams and the two rates allow at once by default, and more.
MANY = 120_000


def stream(sequence: int) -> int:
    return sequence << 3 | RPC


def text(value: bytes) -> bytes:
    size, out = len(value), bytearray()
    while size >= 0x80:
        out.append(size & 0x7F | 0x80)
        size >>= 7
    return bytes(out) + bytes([size]) + value


def opening(sequence: int, method: bytes = b"Hang", metadata: bytes = b"\x00") -> bytes:
    body = b"\x00\x00" + text(b"interop.Interop") + text(method) + metadata
    opened: bytes = frame(KIND_OPEN, body, stream=stream(sequence), channel=RPC)
    return opened


def message(sequence: int, flags: int, body: bytes, announced: int | None = None) -> bytes:
    if flags & FIRST:
        body = struct.pack("<BBHI", 1, 0, 0, len(body) if announced is None else announced) + body
    piece: bytes = frame(KIND_MESSAGE, body, flags, stream(sequence), RPC)
    return piece


def goodbye(connection: socket.socket) -> tuple[int, str]:
    """Code and text of the CLOSE that comes, whatever stands before it; then the connection must end."""
    while True:
        kind, body = read_frame(connection)
        if kind == KIND_CLOSE:
            assert closed(connection)
            return body[0], body[2 if body[1] < 0x80 else 3 :].decode()


def send_until_closed(connection: socket.socket, data: bytes) -> None:
    """Sends as much as the other side takes; that it closes meanwhile is what these tests are about."""
    with contextlib.suppress(ConnectionError):
        connection.sendall(data)


# A FlatBuffer of a table without fields: what Hang takes.
NOTHING = bytes.fromhex("080000000400040004000000")

VIOLATIONS = {
    "a stream written beyond its credit": opening(1)
    + message(1, FIRST | LAST, NOTHING)
    + message(1, FIRST | LAST, bytes(100_000)) * 3,
    "a message after the end of its stream": opening(1) + message(1, FIRST | LAST | END_STREAM, b"") * 2,
    "a stream opened twice, or out of order": opening(5) + opening(3),
    "a message frame for a stream that was never opened": message(9, FIRST | LAST, b""),
    "a piece of no message": opening(1) + message(1, LAST, b"x"),
    "a piece of a message without a byte": opening(1) + message(1, FIRST, b"", 9) + message(1, 0, b""),
    "a message longer than it announced": opening(1) + message(1, FIRST, b"abc", 2),
    "a ping of 65 bytes where at most 64 are allowed": frame(KIND_PING, bytes(65)),
    "an end frame from the caller": opening(1) + frame(KIND_END, b"\x00" * 7, stream=stream(1), channel=RPC),
}


@pytest.mark.parametrize("reason", VIOLATIONS)
def test_a_violation(start: Start, server: Child, reason: str) -> None:
    url = server.first[0]
    with still_serving(start, server, url), knock(url) as connection:
        shake_hands(connection)
        connection.sendall(VIOLATIONS[reason])
        assert goodbye(connection) == (INTERNAL, f"protocol violation: {reason}")


FLOODS = {
    "max_cancels_per_second": b"".join(
        opening(i) + frame(KIND_CANCEL, b"\x01\x00", stream=stream(i)) for i in range(1, MANY)
    ),
    "unknown frames": frame(0xF7, b"", SKIPPABLE) * MANY,
    "pongs": frame(KIND_PONG) * MANY,
    "cancels of calls that are over": opening(2) + frame(KIND_CANCEL, b"\x01\x00", stream=stream(1)) * MANY,
    "credit that allows no more": opening(1) + frame(KIND_CREDIT, bytes(8), stream=stream(1)) * MANY,
    "tiny pieces": opening(1) + message(1, FIRST, b"", MANY) + message(1, 0, b"x") * MANY,
}


@pytest.mark.parametrize("flood", FLOODS)
def test_a_flood(start: Start, server: Child, flood: str) -> None:
    url = server.first[0]
    with still_serving(start, server, url), knock(url) as connection:
        shake_hands(connection)
        before = server.resident()
        send_until_closed(connection, FLOODS[flood])
        # Who is closed while it sends may lose the goodbye: its system drops what it has not read.
        with contextlib.suppress(ConnectionError):
            code, reason = goodbye(connection)
            assert code == RESOURCE_EXHAUSTED
            assert ("max_cancels_per_second" if flood.startswith("max_") else "max_useless_frames") in reason
        assert closed(connection)
        assert server.peak() < before + 128


@pytest.mark.parametrize("what", ["pings", "opens"])
def test_one_who_asks_and_does_not_read(start: Start, server: Child, what: str) -> None:
    url = server.first[0]
    pings = frame(KIND_PING, bytes(64)) * MANY
    opens = b"".join(opening(i) for i in range(1, 400_000)) if what == "opens" else b""
    with still_serving(start, server, url), knock(url) as connection:
        shake_hands(connection)
        before = server.resident()
        began = time.monotonic()
        with contextlib.suppress(TimeoutError):
            send_until_closed(connection, pings if what == "pings" else opens)
        peak = server.peak() - before
        print(f"{what}: {peak:.0f} MiB more, closed after {time.monotonic() - began:.1f} s")
        # 65,536 calls may be open; the refusals of the others and the pongs are bounded.
        assert peak < (512 if what == "opens" else 64)
        assert closed(connection)


def test_megabytes_of_metadata(start: Start, server: Child) -> None:
    url = server.first[0]
    with still_serving(start, server, url), knock(url) as connection:
        shake_hands(connection)
        many = b"\xc0\x9a\x0c" + b"\x00\x00" * 200_000  # pairs of nothing
        connection.sendall(opening(1, metadata=b"\x01" + text(b"k") + text(bytes(500_000))))
        connection.sendall(opening(2, metadata=many))
        for _ in range(2):
            kind, body = read_frame(connection)
            assert kind == KIND_END
            assert body[0] == RESOURCE_EXHAUSTED
            assert body[1] == 1, "marked: not started"
            assert b"max_metadata_bytes (65536)" in body
        connection.sendall(frame(KIND_PING, b"there?"))
        assert read_frame(connection) == (KIND_PONG, b"there?")
        send_until_closed(connection, opening(3, metadata=b"\x01" + text(b"k") + text(bytes(1 << 20))))
        code, reason = goodbye(connection)
        assert code == INTERNAL
        assert "1048576 are allowed" in reason


def test_messages_that_are_never_finished(start: Start, server: Child) -> None:
    """Each announces 1 GiB: two fill the connection's budget. Memory is spent on what came, not on what was said."""
    url = server.first[0]
    with still_serving(start, server, url), knock(url) as connection:
        shake_hands(connection)
        before = server.resident()
        for i in range(1, 101):
            connection.sendall(opening(i, b"Put") + message(i, FIRST, bytes(2000), 1 << 30))
        connection.sendall(frame(KIND_PING, b"there?"))
        kinds: list[int] = []
        while not kinds or kinds[-1] != KIND_PONG:
            kinds.append(read_frame(connection)[0])
        assert kinds.count(KIND_CREDIT) == 2, "two of them may be sent whole"
        assert server.peak() < before + 32
        # Others have their own budget, and the process's is not used up.
        client = start("cpp", "client", url)
        client.ask("prepare 1024 8192 7")
        client.ask("put")


def test_a_message_that_stands_still(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INTEROP_ASSEMBLY_TIMEOUT_MS", "300")
    server = start("cpp", "server", "tcp://127.0.0.1:0")
    url = server.first[0]
    with still_serving(start, server, url), knock(url) as connection:
        shake_hands(connection)
        connection.sendall(opening(1, b"Put") + message(1, FIRST, bytes(2000), 1 << 20))
        assert read_frame(connection)[0] == KIND_CREDIT
        kind, body = read_frame(connection)
        assert kind == KIND_END
        assert body[0] == RESOURCE_EXHAUSTED
        assert b"assembly_timeout (300 ms)" in body
        connection.sendall(frame(KIND_PING, b"there?"))
        assert read_frame(connection) == (KIND_PONG, b"there?")
