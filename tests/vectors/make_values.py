"""Writes values.json: values without a schema beside their bytes, for the tests of every language.

The encoder here is written from docs/values.md alone and shares no code with the library, so that the library is held
to the page and not to itself. Run it after changing the page: python tests/vectors/make_values.py
"""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

DTYPES = [
    "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
    "float16", "float32", "float64", "complex64", "complex128",
]  # fmt: skip
SIZES = [1, 1, 2, 4, 8, 1, 2, 4, 8, 2, 4, 8, 8, 16]
INLINE_ARRAY, INLINE_BYTES = 512, 64 << 10

Node = dict[str, Any]


def sized(count: int, fix: int | None, fix_max: int, tags: tuple[int | None, int, int]) -> bytes:
    if fix is not None and count <= fix_max:
        return bytes([fix | count])
    if tags[0] is not None and count < 1 << 8:
        return bytes([tags[0], count])
    if count < 1 << 16:
        return bytes([tags[1]]) + struct.pack(">H", count)
    return bytes([tags[2]]) + struct.pack(">I", count)


def integer(value: int) -> bytes:
    if 0 <= value < 1 << 7:
        return bytes([value])
    if -32 <= value < 0:
        return struct.pack("b", value)
    for tag, form, low, high in (
        (0xCC, ">B", 0, 1 << 8), (0xCD, ">H", 0, 1 << 16), (0xCE, ">I", 0, 1 << 32), (0xCF, ">Q", 0, 1 << 64),
        (0xD0, ">b", -(1 << 7), 0), (0xD1, ">h", -(1 << 15), 0),
        (0xD2, ">i", -(1 << 31), 0), (0xD3, ">q", -(1 << 63), 0),
    ):  # fmt: skip
        if low <= value < high:
            return bytes([tag]) + struct.pack(form, value)
    raise ValueError(value)


def ext(kind: int, payload: bytes) -> bytes:
    fixed = {1: 0xD4, 2: 0xD5, 4: 0xD6, 8: 0xD7, 16: 0xD8}
    if len(payload) in fixed:
        return bytes([fixed[len(payload)], kind]) + payload
    return sized(len(payload), None, 0, (0xC7, 0xC8, 0xC9)) + bytes([kind]) + payload


def encode(node: Node, attachments: list[bytes]) -> bytes:
    ((kind, data),) = node.items()
    match kind:
        case "nil":
            return b"\xc0"
        case "bool":
            return b"\xc3" if data == "true" else b"\xc2"
        case "int":
            return integer(int(data))
        case "float":
            return b"\xcb" + bytes.fromhex(data)
        case "text":
            raw = data.encode()
            return sized(len(raw), 0xA0, 31, (0xD9, 0xDA, 0xDB)) + raw
        case "bytes":
            raw = bytes.fromhex(data)
            if len(raw) > INLINE_BYTES:
                attachments.append(raw)
                return ext(17, struct.pack("<I", len(attachments)))
            return sized(len(raw), None, 0, (0xC4, 0xC5, 0xC6)) + raw
        case "list":
            return sized(len(data), 0x90, 15, (None, 0xDC, 0xDD)) + b"".join(encode(x, attachments) for x in data)
        case "tuple":
            items = b"".join(encode(x, attachments) for x in data)
            return sized(len(data) + 1, 0x90, 15, (None, 0xDC, 0xDD)) + ext(1, b"") + items
        case "map":
            pairs = b"".join(encode(x, attachments) for pair in data for x in pair)
            return sized(len(data), 0x80, 15, (None, 0xDE, 0xDF)) + pairs
        case "scalar":
            return ext(18, bytes([DTYPES.index(data["dtype"])]) + bytes.fromhex(data["data"]))
        case "array":
            raw = bytes.fromhex(data["data"])
            shape = [int(extent) for extent in data["shape"]]
            number = 0
            if len(raw) > INLINE_ARRAY:
                attachments.append(raw)
                number, raw = len(attachments), b""
            head = struct.pack("<BBBBI", DTYPES.index(data["dtype"]), data["order"] == "column", len(shape), 0, number)
            return ext(16, head + struct.pack(f"<{len(shape)}q", *shape) + raw)
    raise ValueError(kind)


def number(value: float) -> Node:
    return {"float": struct.pack(">d", value).hex()}


def array(dtype: str, shape: list[int], data: bytes, order: str = "row") -> Node:
    return {"array": {"dtype": dtype, "order": order, "shape": [str(x) for x in shape], "data": data.hex()}}


def ints(*values: int) -> list[Node]:
    return [{"int": str(value)} for value in values]


def nested(levels: int) -> Node:
    node: Node = {"nil": ""}
    for _ in range(levels):
        node = {"list": [node]}
    return node


def good() -> list[tuple[str, Node]]:
    edges = [
        0,
        1,
        127,
        128,
        255,
        256,
        65535,
        65536,
        (1 << 32) - 1,
        1 << 32,
        (1 << 63) - 1,
        1 << 63,
        (1 << 64) - 1,
    ]
    edges += [-1, -32, -33, -128, -129, -32768, -32769, -(1 << 31), -(1 << 31) - 1, -(1 << 63)]
    plain: list[tuple[str, Node]] = [
        ("nothing", {"nil": ""}),
        ("true", {"bool": "true"}),
        ("false", {"bool": "false"}),
    ]
    plain += [(f"the integer {value}", {"int": str(value)}) for value in edges]
    plain += [(f"the float {value}", number(value)) for value in (0.0, -0.0, 1.5, 5e-324, float("inf"), float("nan"))]
    plain += [
        ("an empty text", {"text": ""}),
        ("a text of 31 bytes", {"text": "x" * 31}),
        ("a text of 32 bytes", {"text": "x" * 32}),
        ("a text of 300 bytes", {"text": "x" * 300}),
        ("a text beyond ASCII", {"text": "µm, 20 °C, 顕微鏡, 🔬"}),
        ("a text with a zero byte", {"text": "a\0b"}),
        ("no bytes", {"bytes": ""}),
        ("bytes that are no text", {"bytes": "ff00c3"}),
        ("bytes that travel as an attachment", {"bytes": "5a" * (INLINE_BYTES + 1)}),
        ("an empty list", {"list": []}),
        ("a list of three", {"list": ints(1, 2, 3)}),
        ("a list of 16", {"list": ints(*range(16))}),
        ("an empty tuple", {"tuple": []}),
        ("a tuple of two", {"tuple": [*ints(7), {"text": "seven"}]}),
        ("a tuple of 15", {"tuple": ints(*range(15))}),
        ("a tuple in a list in a tuple", {"tuple": [{"list": [{"tuple": []}]}]}),
        ("an empty dictionary", {"map": []}),
        ("a dictionary in its order", {"map": [[{"text": "b"}, *ints(1)], [{"text": "a"}, *ints(2)]]}),
        ("keys of every plain kind", {"map": [
            [{"nil": ""}, *ints(0)], [{"bool": "true"}, *ints(1)], [{"int": "2"}, *ints(2)], [number(2.5), *ints(3)],
            [{"bytes": "00"}, *ints(4)], [{"tuple": ints(1, 2)}, *ints(5)],
        ]}),
        ("a call without arguments", {"list": [{"list": []}, {"map": []}]}),
        ("a call: f(1, exposure=0.1)", {"list": [{"list": ints(1)}, {"map": [[{"text": "exposure"}, number(0.1)]]}]}),
        ("100 levels", nested(100)),
        ("an array without elements", array("float32", [0, 3], b"")),
        ("an array without dimensions", array("int32", [], struct.pack("<i", -5))),
        ("an array of 2 by 3 by columns", array("uint16", [2, 3], struct.pack("<6H", 1, 4, 2, 5, 3, 6), "column")),
        ("an array of 512 bytes, inside the head", array("uint8", [512], bytes(range(256)) * 2)),
        ("an array of 513 bytes, attached", array("uint8", [27, 19], bytes(i % 251 for i in range(513)))),
        ("two attached arrays", {"list": [array("uint8", [600], b"\1" * 600), array("int8", [600], b"\2" * 600)]}),
    ]  # fmt: skip
    for dtype, size in zip(DTYPES, SIZES, strict=True):
        one = b"\1" if dtype == "bool" else bytes(range(1, size + 1))
        plain.append((f"a scalar of {dtype}", {"scalar": {"dtype": dtype, "data": one.hex()}}))
        plain.append((f"an array of {dtype}", array(dtype, [2], one + bytes(size))))
    return plain


def bad() -> list[tuple[str, str, list[str]]]:
    shape = struct.pack("<q", 4).hex()
    huge = struct.pack("<qq", 1 << 40, 1 << 40).hex()
    return [
        ("nothing at all", "", []),
        ("bytes behind the value", "c0c0", []),
        ("the byte that MessagePack never uses", "c1", []),
        ("an integer cut short", "cd01", []),
        ("a text cut short", "a5616263", []),
        ("a text that is no UTF-8", "a2c328", []),
        ("a text with a surrogate", "a3eda080", []),
        ("a list cut short", "9301", []),
        ("a list of four thousand million", "ddffffffff00", []),
        ("a dictionary of four thousand million", "dfffffffff00", []),
        ("a dictionary without its last value", "81a161", []),
        ("513 levels", nested_bytes(513).hex(), []),
        ("a million levels", "91" * 1000, []),
        ("a tuple's marker on its own", "c70001", []),
        ("a tuple's marker in second place", "9201c70001", []),
        ("a tuple's marker with a payload", "91d40100", []),
        ("items follow inside a value", "91c70020", []),
        ("a stream outside a call's arguments", "91c70013", []),
        ("an unknown extension", "d46300", []),
        ("a timestamp, which is MessagePack's own", "d6ff00000000", []),
        ("an array's header cut short", "d710" + "0500010000000000"[:16], []),
        ("an array of an unknown dtype", "c71010" + "0e00010000000000" + shape, []),
        ("an array in an unknown order", "c71010" + "0502010000000000" + shape, []),
        ("an array with unknown flags", "c71010" + "0500010100000000" + shape, []),
        ("an array of 65 dimensions", "c70810" + "0500410000000000", []),
        ("an array whose elements are missing", "c71010" + "0500010000000000" + shape, []),
        ("an array of 2^80 elements", "c71810" + "0500020000000000" + huge, []),
        ("an array of negative length", "c71010" + "0500010000000000" + "ff" * 8, []),
        ("an array whose attachment is missing", "c71010" + "0500010001000000" + shape, []),
        ("an array whose attachment is too short", "c71010" + "0500010001000000" + shape, ["000000"]),
        ("an array whose attachment is too long", "c71010" + "0500010001000000" + shape, ["0000000000"]),
        (
            "an array both inline and attached",
            "c71410" + "0500010001000000" + shape + "00000000",
            ["00000000"],
        ),
        ("bytes in attachment 0", "d61100000000", ["00"]),
        ("bytes in an attachment that is missing", "d61102000000", ["00"]),
        ("bytes with a number of three bytes", "c70311010000", ["00"]),
        ("a scalar of an unknown dtype", "d5120e00", []),
        ("a scalar that is too short", "d5120200", []),
        ("an empty scalar", "c70012", []),
    ]


def nested_bytes(levels: int) -> bytes:
    return b"\x91" * levels + b"\xc0"


def main() -> None:
    values = []
    for name, node in good():
        attachments: list[bytes] = []
        head = encode(node, attachments)
        values.append({"name": name, "value": node, "head": head.hex(), "attachments": [a.hex() for a in attachments]})
    malformed = [{"name": name, "head": head, "attachments": parts} for name, head, parts in bad()]
    target = Path(__file__).with_name("values.json")
    rows = {"values": values, "malformed": malformed}
    body = ",\n".join(
        f' "{key}": [\n' + ",\n".join("  " + json.dumps(row, ensure_ascii=False) for row in part) + "\n ]"
        for key, part in rows.items()
    )
    target.write_text("{\n" + body + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
