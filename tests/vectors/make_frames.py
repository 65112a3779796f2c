"""Writes frames.json: frames of every kind, in bytes, from docs/wire-format.md alone.

This is a second implementation on purpose: bytes that two programs agree on are the specification's, not one
program's. Run it when the format grows; the C++ test (core/wire/vectors_test.cc) reads every vector and writes it back.
"""

import json
import pathlib
import struct


def varint(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def text(value: str | bytes) -> bytes:
    raw = value.encode() if isinstance(value, str) else value
    return varint(len(raw)) + raw


def metadata(entries: list[tuple[str, str]]) -> bytes:
    return varint(len(entries)) + b"".join(text(key) + text(value) for key, value in entries)


def frame(kind: int, body: bytes, channel: int = 0, flags: int = 0, stream: int = 0) -> bytes:
    return struct.pack("<IBBHQ", len(body), kind, channel, flags, stream) + body


def terms(window: int, largest: int, name: str, services: list[tuple[str, bytes]]) -> bytes:
    listed = b"".join(text(service) + fingerprint for service, fingerprint in services)
    return struct.pack("<IIIQ", SECOND_LANE, window, 1 << 22, largest) + text(name) + varint(len(services)) + listed


def prologue(codec: int, head: int, attachments: list[int]) -> bytes:
    return struct.pack("<BBHI", codec, 0, len(attachments), head) + b"".join(struct.pack("<Q", a) for a in attachments)


SECOND_LANE = 1
TOKEN = bytes(range(16))
SERVICES = [("imaging.Microscope", bytes(range(100, 116))), ("scope", bytes(16))]
RPC, BULK = 2, 3
UNARY_STREAM = 1 << 3 | RPC
REPLY_STREAM = 7 << 3 | 4 | BULK

GOOD = {
    "hello": frame(0x01, b"LEAT" + bytes([1, 1]) + terms(1 << 18, 1 << 32, "camera", SERVICES)),
    "hello of a later version": frame(0x01, b"LEAT" + bytes([4, 9]) + b"whatever it may hold"),
    "welcome": frame(0x02, b"LEAT" + bytes([1]) + TOKEN + terms(1 << 18, 1 << 32, "", SERVICES)),
    "start": frame(0x03, TOKEN + text("zmq+tcp")),
    "attach": frame(0x04, TOKEN),
    "lane wanted": frame(0x0B, b""),
    "attached": frame(0x0C, b""),
    "window": frame(0x0D, struct.pack("<I", 1 << 16)),
    "channel credit": frame(0x0E, struct.pack("<BQQ", BULK, 1 << 40, (1 << 40) + (1 << 22))),
    "goaway": frame(0x05, struct.pack("<4Q", 0, 3, 1 << 60, 0) + text("the server is restarted")),
    "ping": frame(0x06, b"12345678"),
    "pong": frame(0x07, b"12345678"),
    "credit": frame(0x08, struct.pack("<Q", 1 << 40), stream=UNARY_STREAM),
    "close": frame(0x09, bytes([14]) + text("the server is going away")),
    "drained": frame(0x0A, b""),
    "open": frame(0x10, bytes([0]) + varint(0) + text("scope") + text("snap") + metadata([]), RPC, 0, UNARY_STREAM),
    "open with a timeout of zero and metadata": frame(
        0x10,
        bytes([3])
        + varint(1)
        + text("imaging.Microscope")
        + text("Fokus\u00df")
        + metadata([("k", "v"), ("b-bin", "")]),
        RPC,
        0,
        UNARY_STREAM,
    ),
    "open with a timeout of one hour": frame(
        0x10, bytes([1]) + varint(3_600_000_001) + text("a") + text("b") + metadata([]), 1, 0, 9
    ),
    "a whole message that ends its stream": frame(0x11, prologue(0, 2, []) + b"hi", RPC, 7, UNARY_STREAM),
    "an empty message": frame(0x11, prologue(2, 0, []), RPC, 3, UNARY_STREAM),
    "the first piece of a message": frame(0x11, prologue(1, 4, [5, 0, 1 << 40]) + b"head", BULK, 1, REPLY_STREAM),
    "a middle piece": frame(0x11, b"\x00" * 5, BULK, 0, REPLY_STREAM),
    "a half-close": frame(0x11, b"", RPC, 6, UNARY_STREAM),
    "headers": frame(0x12, metadata([("exposure", "0.1")]), RPC, 0, UNARY_STREAM),
    "end, ok": frame(0x13, bytes([0, 0]) + text("") * 3 + varint(0) + metadata([]), RPC, 0, UNARY_STREAM),
    "end with all there is": frame(
        0x13,
        bytes([3, 0])
        + text("exposure is negative")
        + text("ValueError")
        + text("Traceback: line 1")
        + varint(1)
        + text("leat.Hint")
        + text(b"\x00\xff")
        + metadata([("cost", "3")]),
        BULK,
        0,
        REPLY_STREAM,
    ),
    "end of a call that has not started": frame(
        0x13, bytes([14, 1]) + text("draining") + text("") * 2 + varint(0) + metadata([]), RPC, 0, UNARY_STREAM
    ),
    "cancel": frame(0x14, bytes([1]) + text("changed my mind"), 0, 0, UNARY_STREAM),
    "health ask": frame(0x51, struct.pack("<I", 7) + text("imaging.Microscope")),
    "health": frame(0x52, struct.pack("<IB", 7, 1)),
    "a skippable frame of the future": frame(0x77, b"?", RPC, 0x8000, 99),
}

BAD_HEADERS = {
    "unknown kind": frame(0x77, b""),
    "unknown channel": frame(0x06, b"", channel=4),
    "unknown flag": frame(0x06, b"", flags=1),
    "a stream where none belongs": frame(0x06, b"", stream=8),
    "a health ask with a stream": frame(0x51, struct.pack("<I", 7) + text(""), stream=8),
    "no stream where one belongs": frame(0x10, b"", RPC),
    "ends the stream in the middle of a message": frame(0x11, b"", RPC, 4, UNARY_STREAM),
    "oversized": struct.pack("<IBBHQ", (1 << 20) + 1, 0x11, RPC, 0, UNARY_STREAM),
}

BAD_BODIES = {
    "a hello with another magic": frame(0x01, b"LEAF" + bytes([1, 1]) + terms(1, 1, "", [])),
    "a truncated open": frame(0x10, bytes([0]) + varint(0) + text("scope") + b"\x09snap", RPC, 0, UNARY_STREAM),
    "an open of a fifth kind of call": frame(
        0x10, bytes([4]) + varint(0) + text("a") + text("b") + metadata([]), RPC, 0, 10
    ),
    "an endless varint": frame(0x12, b"\xff" * 11, RPC, 0, UNARY_STREAM),
    "more metadata than bytes": frame(0x12, varint(1 << 60), RPC, 0, UNARY_STREAM),
    "a prologue with reserved bits": frame(0x11, prologue(0, 0, [1 << 56]), RPC, 1, UNARY_STREAM),
    "a short prologue": frame(0x11, b"\x00" * 7, RPC, 1, UNARY_STREAM),
    "an attach of fifteen bytes": frame(0x04, TOKEN[:15]),
    "a window of three bytes": frame(0x0D, b"\x00" * 3),
    "a channel credit of sixteen bytes": frame(0x0E, struct.pack("<BQQ", RPC, 1, 2)[:16]),
    "credit for a fifth channel": frame(0x0E, struct.pack("<BQQ", 4, 1, 2)),
    "a channel credit that returns more than it allows": frame(0x0E, struct.pack("<BQQ", RPC, 2, 1)),
    "a goaway without its last channel": frame(0x05, struct.pack("<3Q", 0, 0, 0)),
    "a health without its state": frame(0x52, struct.pack("<I", 7)),
    "more details than are allowed": frame(
        0x13, bytes([3, 0]) + text("") * 3 + varint(257) + (text("") * 2) * 257 + metadata([]), RPC, 0, UNARY_STREAM
    ),
    "a credit of seven bytes": frame(0x08, b"\x00" * 7, stream=UNARY_STREAM),
}


def main() -> None:
    groups = {"good": GOOD, "bad_headers": BAD_HEADERS, "bad_bodies": BAD_BODIES}
    data = {
        group: [{"name": name, "frame": raw.hex()} for name, raw in frames.items()] for group, frames in groups.items()
    }
    path = pathlib.Path(__file__).with_name("frames.json")
    path.write_text(json.dumps(data, indent=1) + "\n")


if __name__ == "__main__":
    main()
