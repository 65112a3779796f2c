"""What connections can be told beyond the everyday: limits, and how what was lost is tried again.

Every field is that of the same name in C++ (leat/peer.h), with the same default; a test compares them.
docs/limits.md lists each limit with the error that it causes.
"""

from __future__ import annotations

from dataclasses import dataclass

from . import _native


@dataclass(frozen=True, kw_only=True)
class Sending:
    """How one side of a connection shares it among what it sends: `leat.Limits(sending=leat.Sending(...))`.

    Leave alone what you have not measured. Sizes are in bytes, times in seconds.
    """

    stream_share_bytes: int = 64 << 10
    """What streams may send before the next channel's turn, when all have something to send. The ratio of the
    three shares is what each is guaranteed. 64 KiB."""
    rpc_share_bytes: int = 64 << 10
    """The same of calls. 64 KiB."""
    bulk_share_bytes: int = 16 << 10
    """The same of bulk. 16 KiB."""
    control_share_bytes: int = 32 << 10
    """Control goes first, for so many bytes; from then on half of the link is the others'. 32 KiB."""
    bulk_threshold_bytes: int = 256 << 10
    """A message of a call from this size on travels on bulk unless the call or the schema says otherwise.
    256 KiB."""
    bulk_piece_bytes: int = 256 << 10
    """The pieces that bulk is cut into when no calls are active. 256 KiB."""
    bulk_piece_beside_calls_bytes: int = 64 << 10
    """The pieces beside calls. 64 KiB."""
    bulk_in_flight_beside_calls_bytes: int = 0
    """How much of bulk may be in flight beside calls, at least 256 KiB. 0: 1 MiB, and 512 KiB over ZeroMQ."""
    second_lane: bool = True
    """Whether bulk gets a connection of its own when it is first used (never with inproc://)."""
    lane_patience: float = 0.1
    """How long the first bulk waits for it. 0.1 s."""

    def __post_init__(self) -> None:
        _native.check_sending(self)


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Limits of one connection, for connect() and serve(): `leat.Limits(max_message_bytes=1 << 20)`.

    Sizes are in bytes, times in seconds. What exceeds a limit ends as `resource_exhausted`, naming it.
    """

    max_message_bytes: int = 4 << 30
    """One message with its arrays. 4 GiB."""
    assembly_bytes: int = 2 << 30
    """Messages that are being received, all together; requests and replies each. 2 GiB."""
    stream_window_bytes: int = 256 << 10
    """What a new stream may send before its reader reads. 256 KiB, at least 64 KiB."""
    max_stream_window_bytes: int = 16 << 20
    """What that grows to with bandwidth times delay. 16 MiB."""
    stream_windows_bytes: int = 1 << 30
    """That of all streams together, which bounds what lies here unread. 1 GiB."""
    channel_window_bytes: int = 4 << 20
    """What may be in flight on one channel, each way. 4 MiB, at least 64 KiB."""
    max_streams: int = 65536
    """Calls that the other side may have open at once. 65,536."""
    max_metadata_bytes: int = 64 << 10
    """The metadata of one call, each way. 64 KiB."""
    heartbeat_interval: float | None = 10.0
    """When nothing has come for so long, the other side is asked whether it lives. 10 s; None or 0: never."""
    heartbeat_timeout: float | None = 20.0
    """When nothing comes for so long after that either, the connection is lost. 20 s; None or 0: no
    heartbeats."""
    assembly_timeout: float | None = 30.0
    """A message that may be sent whole, but of which nothing comes for so long, ends its call. 30 s; None or 0:
    never."""
    close_grace: float | None = 1.0
    """How long the link of a closed connection may take for its goodbye. 1 s; None or 0: no time at all."""
    max_cancels_per_second: int = 10_000
    """Calls that the other side opens and gives up. 10,000; 0: as many as it likes."""
    max_useless_frames_per_second: int = 10_000
    """Frames of the other side that carry nothing. 10,000; 0: as many as it likes."""
    max_control_bytes: int = 4 << 20
    """Answers that wait because the other side does not read. 4 MiB."""
    spin: float | None = 50e-6
    """How long a client's thread that waits for an answer looks for it before it sleeps, while answers usually
    come in less than half of that; never on a single processor. Calls are a wake-up faster then, and take more
    processor time. 50 us; None or 0: it sleeps at once."""
    sending: Sending = Sending()
    """How what is sent shares the connection."""

    def __post_init__(self) -> None:
        _native.check_limits(self)


@dataclass(frozen=True, kw_only=True)
class Reconnect:
    """How a lost connection is made anew: `leat.connect(url, reconnect=leat.Reconnect(max_backoff=10))`.

    Times are in seconds. The wait grows by 1.6 from one attempt to the next, a fifth more or less at random.
    """

    first_backoff: float = 0.05
    """The wait before the first attempt. 50 ms."""
    max_backoff: float = 3.0
    """What it grows to. 3 s."""
    give_up_after: float | None = None
    """After so long without a connection the peer is closed for good. None or 0: never."""

    def __post_init__(self) -> None:
        _native.check_reconnect(self)


@dataclass(frozen=True, kw_only=True)
class Retry:
    """When calls that are idempotent are made again after their connection was lost (others never are):
    `leat.connect(url, retry=leat.Retry(max_attempts=2))`.

    Times are in seconds. The wait doubles from one attempt to the next, a fifth more or less at random.
    """

    max_attempts: int = 4
    """How often a call is made, in all. 4; 1: never again."""
    first_backoff: float = 0.05
    """The wait before the second attempt. 50 ms."""
    max_backoff: float = 2.0
    """What it grows to. 2 s."""
    budget_tokens: float = 10.0
    """Keeps retries from multiplying the load of a peer in trouble: a failed attempt takes one of these tokens,
    any other end gives budget_refund back, and there are retries while more than half are there. 10."""
    budget_refund: float = 0.1
    """See budget_tokens. 0.1."""

    def __post_init__(self) -> None:
        _native.check_retry(self)
