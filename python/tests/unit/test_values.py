"""Values without a schema, as bytes: against the vectors that every language reads, and at their limits."""

import contextlib
import json
import math
import struct
from pathlib import Path

import numpy as np
import pytest
from leat import _native

VECTORS = json.loads((Path(__file__).parents[3] / "tests" / "vectors" / "values.json").read_text(encoding="utf-8"))


def value_of(node):
    ((kind, data),) = node.items()
    if kind == "nil":
        return None
    if kind == "bool":
        return data == "true"
    if kind == "int":
        return int(data)
    if kind == "float":
        return struct.unpack(">d", bytes.fromhex(data))[0]
    if kind == "text":
        return data
    if kind == "bytes":
        return bytes.fromhex(data)
    if kind == "list":
        return [value_of(each) for each in data]
    if kind == "tuple":
        return tuple(value_of(each) for each in data)
    if kind == "map":
        return {value_of(key): value_of(value) for key, value in data}
    array = np.frombuffer(bytes.fromhex(data["data"]), dtype=data["dtype"])
    if kind == "scalar":
        return array[0]
    assert kind == "array"
    order = "F" if data["order"] == "column" else "C"
    return array.reshape([int(each) for each in data["shape"]], order=order)


def same(a, b):
    if type(a) is not type(b):
        return False
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return len(a) == len(b) and all(map(same, [*a, *a.values()], [*b, *b.values()]))
    if isinstance(a, (np.ndarray, np.generic)):
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    if isinstance(a, float):
        return struct.pack("d", a) == struct.pack("d", b)
    return a == b


def there_and_back(value):
    return _native.decode_value(*_native.encode_value(value))


@pytest.mark.parametrize("vector", VECTORS["values"], ids=lambda vector: vector["name"])
def test_a_value_is_written_and_read_as_the_vectors_say(vector):
    value = value_of(vector["value"])
    head, attachments = _native.encode_value(value)
    assert head.hex() == vector["head"]
    assert [each.hex() for each in attachments] == vector["attachments"]
    assert same(_native.decode_value(head, attachments), value)


@pytest.mark.parametrize("vector", VECTORS["malformed"], ids=lambda vector: vector["name"])
def test_malformed_bytes_are_refused(vector):
    attachments = [bytes.fromhex(each) for each in vector["attachments"]]
    with pytest.raises(ValueError, match="malformed value: "):
        _native.decode_value(bytes.fromhex(vector["head"]), attachments)


@pytest.mark.parametrize("vector", VECTORS["values"], ids=lambda vector: vector["name"])
def test_no_change_of_a_byte_does_harm(vector):
    head = bytearray.fromhex(vector["head"])
    attachments = [bytes.fromhex(each) for each in vector["attachments"]]
    for i in range(min(len(head), 48)):
        kept = head[i]
        for other in (0x00, 0x10, 0x80, 0x91, 0xC1, 0xC7, 0xC9, 0xDD, 0xDF, 0xFF):
            head[i] = other
            with contextlib.suppress(ValueError):
                _native.decode_value(bytes(head), attachments)
        head[i] = kept


DTYPES = ["?", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8", "c8", "c16"]


def arrays(dtype):
    base = (np.arange(2 * 3 * 40) % 7).reshape(2, 3, 40).astype(dtype)
    yield "contiguous", base
    yield "by columns", np.asfortranarray(base)
    yield "transposed", base.transpose(1, 0, 2)
    yield "every other", base[:, ::2, ::-1]
    yield "big-endian", base.astype(np.dtype(dtype).newbyteorder(">"))
    yield "big-endian by columns", np.asfortranarray(base.astype(np.dtype(dtype).newbyteorder(">")))
    yield "without dimensions", np.array(base[1, 1, 1])
    yield "empty", base[:0]
    yield "empty inside", base[:, :0, :]
    yield "one element", base[:1, :1, :1]
    yield "repeated", np.broadcast_to(base[0, 0], (5, 40))
    yield "unaligned", np.frombuffer(b"\0" + base.tobytes(), dtype, offset=1)
    yield "read-only", np.frombuffer(base.tobytes(), dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_arrays_of_every_dtype_and_layout_arrive_equal(dtype):
    for name, array in arrays(dtype):
        back = there_and_back(array)
        assert type(back) is np.ndarray, name
        assert back.dtype == np.dtype(dtype), name  # in native order
        assert back.shape == array.shape, name
        assert np.array_equal(back, array), name
        assert not back.flags.writeable, name
        assert back.flags.aligned, name


@pytest.mark.parametrize("dtype", DTYPES)
def test_numpy_scalars_arrive_as_themselves(dtype):
    value = np.array([1]).astype(dtype)[0]
    back = there_and_back(value)
    assert type(back) is type(value)
    assert back == value


def test_a_memmap_arrives_as_an_array(tmp_path):
    mapped = np.memmap(tmp_path / "data", dtype="u2", mode="w+", shape=(10, 100))
    mapped[:] = 7
    back = there_and_back(mapped)
    assert type(back) is np.ndarray
    assert (back == 7).all()


def test_not_a_number_can_be_a_key():
    (key,) = there_and_back({math.nan: 1})
    assert math.isnan(key)


def test_a_list_as_a_key_is_refused_by_the_reader():
    with pytest.raises(ValueError, match=r"a list can't be a dictionary's key"):
        _native.decode_value(bytes.fromhex("819000"))


class Text(str):
    pass


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        ({1}, TypeError, r"^value: a set can't be sent; list\(\.\.\.\) of it can$"),
        (
            [0, {"frames": [0, 1, object()]}],
            TypeError,
            r"^value\[1\]\['frames'\]\[2\]: an object can't be sent",
        ),
        (
            ({"a": (1, [print])},),
            TypeError,
            r"^value\[0\]\['a'\]\[1\]\[0\]: a builtin_function_or_method can't",
        ),
        (
            {(1, frozenset()): 1},
            TypeError,
            r"^value key \(1, frozenset\(\)\)\[1\]: a frozenset can't be sent",
        ),
        (1j, TypeError, r"^value: a complex can't be sent"),
        (Text("a"), TypeError, r"^value: .*Text can't be sent; str\(\.\.\.\) of it can$"),
        (np.array(["a"]), TypeError, r"^value: an array of dtype <U1 can't be sent"),
        (np.array([1], dtype=object), TypeError, r"^value: an array of dtype object can't be sent"),
        (
            np.zeros(3, "longdouble"),
            TypeError,
            r"^value: an array of dtype (float128|longdouble) can't be sent",
        ),
        (np.zeros(3, "M8[s]"), TypeError, r"^value: an array of dtype datetime64\[s\] can't be sent"),
        (np.zeros(3, [("a", "i4")]), TypeError, r"^value: an array of dtype .* can't be sent"),
        (np.ma.masked_array([1, 2], [0, 1]), TypeError, r"^value: numpy\.ma.*MaskedArray can't be sent"),
        (np.datetime64("2026-01-01"), TypeError, r"^value: numpy\.datetime64 can't be sent"),
        (2**64, ValueError, r"^value: an int of 65 bits can't be sent"),
        ([-(2**63) - 1], ValueError, r"^value\[0\]: an int of 64 bits can't be sent"),
        (["\ud800"], ValueError, r"^value\[0\]: a str with a lone surrogate can't be sent"),
        ({"\ud800": 1}, ValueError, r"^value key .*: a str with a lone surrogate can't be sent"),
    ],
)
def test_what_cannot_be_sent_is_refused_with_its_path(value, error, message):
    with pytest.raises(error, match=message):
        _native.encode_value(value)


def nested(levels):
    value = None
    for _ in range(levels):
        value = [value]
    return value


def test_nesting_has_a_limit():
    assert there_and_back(nested(512)) == nested(512)
    with pytest.raises(ValueError, match=r"more than 512 levels of nesting"):
        _native.encode_value(nested(513))
    endless = {}
    endless["self"] = [endless]
    with pytest.raises(ValueError, match=r"does it contain itself\?"):
        _native.encode_value(endless)


def test_a_million_levels_end_in_an_error_too():
    with pytest.raises(ValueError, match=r"more than 512 levels"):
        _native.decode_value(b"\x91" * 1_000_000 + b"\xc0")
