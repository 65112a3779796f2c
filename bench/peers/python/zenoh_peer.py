"""Zenoh: a queryable that answers queries, two sessions connected over TCP without discovery."""

from __future__ import annotations

import json
import socket
import threading
from typing import Any

import contestant
import zenoh
from contestant import Options

KEY = "bench/echo"


def session(**endpoints: str) -> zenoh.Session:
    config = zenoh.Config()
    config.insert_json5("mode", json.dumps("peer"))
    config.insert_json5("scouting/multicast/enabled", "false")
    config.insert_json5("listen/endpoints", json.dumps([endpoints["listen"]] if "listen" in endpoints else []))
    config.insert_json5("connect/endpoints", json.dumps([endpoints["connect"]] if "connect" in endpoints else []))
    return zenoh.open(config)


def serve(options: Options) -> None:
    # Zenoh does not say which port it was given.
    with socket.create_server(("127.0.0.1", 0)) as free:
        endpoint = f"tcp/127.0.0.1:{free.getsockname()[1]}"
    large = options.work == "array"

    def answer(query: zenoh.Query) -> None:
        with query:
            payload = query.payload
            assert payload is not None
            query.reply(KEY, payload if large else options.spoilt(payload.to_bytes()))

    with session(listen=endpoint) as mine:
        mine.declare_queryable(KEY, answer)
        contestant.announce(endpoint)
        threading.Event().wait()


def calls(options: Options) -> None:
    with session(connect=options.address) as mine:
        querier = mine.declare_querier(KEY)
        while not querier.matching_status.matching:
            pass

        def call(value: Any) -> Any:
            (reply,) = querier.get(payload=value)
            return reply.ok.payload.to_bytes()

        if options.work == "array":
            contestant.measure_array(options, lambda large: call(large.tobytes()))
        else:
            contestant.measure(options, call)


if __name__ == "__main__":
    contestant.main(serve, {"unary": calls, "array": calls})
