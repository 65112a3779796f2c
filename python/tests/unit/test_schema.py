"""Schemas at run time: messages, services and typed clients, over a socket."""

import leat
import numpy as np
import pytest

SCHEMA = """
include "leat/leat.fbs";
namespace lab;
enum Mode : uint8 { Auto, Manual, HighSpeed }
enum Flag : uint16 (bit_flags) { Dark, Blurred }
table Position { x: double; y: float = 2.5; }
table Request { count: uint32 = 1; mode: Mode = Manual; names: [string]; at: Position; }
table Frame {
  pixels: leat.Tensor; index: int64; label: string; mode: Mode; flags: Flag; at: Position;
  trail: [Position]; numbers: [int16]; tags: [string]; masks: [leat.Tensor]; ok: bool = true;
}
rpc_service Camera {
  Snap(Request): Frame (idempotent);
  Frames(Request): Frame (streaming: "server");
  Lost(Request): Frame (deadline_ms: 50);
}
"""


@pytest.fixture(scope="module")
def lab_schema(tmp_path_factory):
    path = tmp_path_factory.mktemp("schema") / "lab.fbs"
    path.write_text(SCHEMA)
    return leat.load_schema(path)


@pytest.fixture(scope="module")
def url(lab_schema):
    class Camera(lab_schema.CameraService):
        def snap(self, request):
            if request.count == 0:
                raise ValueError("nothing to snap")
            if request.count == 13:
                return lab_schema.Frame(index="thirteen")
            if request.count == 14:
                return None
            return lab_schema.Frame(
                pixels=np.full((request.count, 3), 7, "u2"),
                label=",".join(request.names),
                mode=request.mode,
                at=request.at,
            )

        def frames(self, request):
            pixels = np.zeros((50, 50))
            for i in range(request.count):
                pixels[:] = i  # the same array each time
                yield lab_schema.Frame(index=i, pixels=pixels)

        def lost(self, request):
            import time

            time.sleep(0.5)

    with leat.serve([Camera()], "tcp://127.0.0.1:0") as server:
        yield server.url


@pytest.fixture
def camera(lab_schema, url):
    with leat.connect(url) as peer:
        yield peer.service(lab_schema.Camera)


def full(lab):
    return lab.Frame(
        pixels=np.arange(6, dtype="c8").reshape(2, 3),
        index=-(2**62),
        label="µ",
        mode=lab.Mode.HIGH_SPEED,
        flags=lab.Flag.DARK | lab.Flag.BLURRED,
        at=lab.Position(x=1, y=0.5),
        trail=[lab.Position(x=i) for i in range(3)],
        numbers=[-1, 2],
        tags=["a", ""],
        masks=[np.ones((300, 300), bool), np.array(5)],
        ok=False,
    )


def test_a_message_arrives_equal_with_all_its_fields(lab_schema):
    frame = full(lab_schema)
    back = lab_schema.Frame.decode(*frame.encode())
    assert back == frame
    assert back.mode is lab_schema.Mode.HIGH_SPEED
    assert back.flags == lab_schema.Flag(3)
    assert back.pixels.dtype == np.dtype("c8")
    assert not back.pixels.flags.writeable
    assert back.numbers.dtype == np.dtype("i2")


def test_a_message_without_fields_reads_as_its_defaults(lab_schema):
    back = lab_schema.Frame.decode(*lab_schema.Frame().encode())
    assert (back.pixels, back.index, back.label, back.at, back.ok) == (None, 0, "", None, True)
    assert (len(back.trail), len(back.numbers), len(back.tags), len(back.masks)) == (0, 0, 0, 0)
    request = lab_schema.Request.decode(*lab_schema.Request().encode())
    assert (request.count, request.mode) == (1, lab_schema.Mode.MANUAL)


def test_a_number_without_a_name_stays_a_number(lab_schema):
    back = lab_schema.Frame.decode(*lab_schema.Frame(mode=77).encode())
    assert back.mode == 77


@pytest.mark.parametrize("numbers", [[1, -2], (1, -2), np.array([1, -2], "i2"), np.array([1, -2], "i8"), b"\1\2"])
def test_a_vector_takes_any_sequence(lab_schema, numbers):
    back = lab_schema.Frame.decode(*lab_schema.Frame(numbers=numbers).encode())
    assert list(back.numbers) == list(numbers)


@pytest.mark.parametrize("layout", [np.asfortranarray, np.transpose, lambda a: a[::2, ::-1], lambda a: a.astype(">f8")])
def test_a_tensor_takes_any_layout(lab_schema, layout):
    pixels = layout(np.arange(10_000.0).reshape(100, 100))
    back = lab_schema.Frame.decode(*lab_schema.Frame(pixels=pixels).encode())
    assert np.array_equal(back.pixels, pixels)


@pytest.mark.parametrize(
    ("fields", "error", "message"),
    [
        ({"index": "one"}, TypeError, r"lab\.Frame\.index: expected an int, got a str"),
        ({"index": 1.0}, TypeError, r"lab\.Frame\.index: expected an int, got a float"),
        ({"index": 2**63}, ValueError, r"lab\.Frame\.index"),
        ({"label": 5}, TypeError, r"lab\.Frame\.label: expected a str, got an int"),
        ({"ok": "yes"}, TypeError, r"lab\.Frame\.ok: expected a bool, got a str"),
        ({"mode": "Slow"}, TypeError, r"lab\.Frame\.mode: expected an enum's member"),
        ({"mode": 300}, ValueError, r"lab\.Frame\.mode"),
        ({"at": 5}, TypeError, r"lab\.Frame\.at.*expected an instance of Position, got an int"),
        ({"tags": ["a", 1]}, TypeError, r"lab\.Frame\.tags\[1\]: expected a str, got an int"),
        ({"tags": 5}, TypeError, r"lab\.Frame\.tags: expected a sequence, got an int"),
        ({"numbers": [1, 40_000]}, ValueError, r"lab\.Frame\.numbers\[1\]"),
        ({"pixels": np.array(["a"])}, TypeError, r"lab\.Frame\.pixels: an array of dtype <U1 can't be sent"),
        ({"pixels": object()}, TypeError, r"lab\.Frame\.pixels"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_field(lab_schema, fields, error, message):
    with pytest.raises(error, match=message):
        lab_schema.Frame(**fields).encode()


def test_a_message_knows_only_its_fields(lab_schema):
    with pytest.raises(TypeError, match="colour"):
        lab_schema.Frame(colour=1)
    with pytest.raises(AttributeError, match="colour"):
        lab_schema.Frame().colour = 1


def test_malformed_messages_are_refused(lab_schema):
    head, attachments = full(lab_schema).encode()
    for wrong in (b"", b"abc", head[:20], b"\xff" * 64):
        with pytest.raises(ValueError):
            lab_schema.Frame.decode(wrong, attachments)
    with pytest.raises(ValueError):
        lab_schema.Frame.decode(head, [])


def test_a_method_takes_a_request_or_its_fields(lab_schema, camera):
    at = lab_schema.Position(x=1.5)
    frame = camera.snap(count=2, names=["a", "b"], mode=lab_schema.Mode.AUTO, at=at)
    assert (frame.pixels.shape, frame.label, frame.mode, frame.at) == ((2, 3), "a,b", lab_schema.Mode.AUTO, at)
    assert camera.snap(lab_schema.Request(count=3)).pixels.shape == (3, 3)
    assert camera.snap().pixels.shape == (1, 3)
    assert camera.snap(count=14) == lab_schema.Frame()


def test_a_server_stream_is_an_iterator_of_messages(camera):
    for i, frame in enumerate(camera.frames(count=100)):
        assert frame.index == i
        assert (frame.pixels == i).all()
    assert i == 99


def test_wrong_requests_never_leave(lab_schema, camera):
    with pytest.raises(TypeError, match="exposure"):
        camera.snap(exposure=1)
    with pytest.raises(TypeError, match="not both"):
        camera.snap(lab_schema.Request(), count=1)
    with pytest.raises(TypeError, match=r"expected a message lab\.Request, got .*Position"):
        camera.snap(lab_schema.Position())
    with pytest.raises(AttributeError, match=r"lab\.Camera has no method 'snp'; did you mean 'snap'"):
        camera.snp()


def test_what_a_handler_raises_arrives(camera):
    with pytest.raises(ValueError, match=r"^nothing to snap(\n|$)") as caught:
        camera.snap(count=0)
    assert isinstance(caught.value, leat.RemoteError)
    assert "in snap" in caught.value.remote_traceback
    with pytest.raises(TypeError, match=r"lab\.Frame\.index: expected an int, got a str") as caught:
        camera.snap(count=13)
    assert caught.value.code == "internal"


def test_deadlines_come_from_the_schema_or_the_call(camera):
    with pytest.raises(TimeoutError):
        camera.lost()
    with pytest.raises(TimeoutError):
        camera.snap.options(timeout=0)(count=1)


def test_a_service_that_is_not_served_is_named(lab_schema):
    with leat.serve({"x": object()}, "inproc://without") as server, leat.connect(server.url) as peer:
        camera = peer.service(lab_schema.Camera)
        with pytest.raises(LookupError, match=r"lab\.Camera"):
            camera.snap()


def test_a_schema_error_names_file_and_line(tmp_path):
    path = tmp_path / "broken.fbs"
    path.write_text("namespace a;\ntable T { x: nonsense; }\n")
    with pytest.raises(ValueError, match=r"broken\.fbs:2: "):
        leat.load_schema(path)
    with pytest.raises(LookupError, match=r"missing\.fbs"):
        leat.load_schema(tmp_path / "missing.fbs")


def test_schemas_include_each_other(tmp_path):
    (tmp_path / "common.fbs").write_text("namespace common; table Point { x: int; }\n")
    path = tmp_path / "user.fbs"
    path.write_text('include "common.fbs";\nnamespace user;\ntable Line { a: common.Point; b: common.Point; }\n')
    user = leat.load_schema(path)
    line = user.Line(a=user._common.Point(x=1))
    assert user.Line.decode(*line.encode()) == line


def test_code_generated_for_another_version_is_refused():
    from leat import schema

    with pytest.raises(ImportError, match=r"old was generated by leatc 0\.0\.1 for leat >= 0\.0, < 0\.1.*leatc"):
        schema.load_generated("old", "", generator="0.0.1", runtime=("0.0", "0.1"))
