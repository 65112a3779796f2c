"""`make bench SUITE=memory`: what an idle connection and an idle stream cost, at both ends, by transport."""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path

PROGRAM = "bench_leat_memory"
LIMIT = 120.0  # seconds


def measure(programs: Path, url: str, connections: int, streams: int) -> dict[str, float]:
    command = [str(programs / PROGRAM), url, "--connections", str(connections), "--streams", str(streams)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT, check=False)
    if done.returncode != 0:
        raise SystemExit(f"bench: memory over {url}: {done.stderr.strip() or done.returncode}")
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


def run(programs: Path, quick: bool) -> int:
    if not (programs / PROGRAM).exists():
        raise SystemExit(f"bench: {PROGRAM}: not built; run 'make build'")
    print("| resident KiB | connection, client | connection, server | stream, client | stream, server |")
    print("|---|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as directory:
        urls = {"tcp": "tcp://127.0.0.1:0", "ipc": f"ipc://{directory}/bench.sock", "zmq+tcp": "zmq+tcp://127.0.0.1:0"}
        for transport, url in urls.items():
            # libzmq has 1023 sockets in a context, of which a connection takes several.
            most = 200 if transport.startswith("zmq") else 1000
            figures = measure(programs, url, 50 if quick else most, 500 if quick else 10_000)
            keys = ("connection_client", "connection_server", "stream_client", "stream_server")
            cells = " | ".join(f"{figures[key] / 1024:.1f}" for key in keys)
            print(f"| `{transport}` | {cells} |", flush=True)
    return 0
