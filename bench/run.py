"""`make bench`: Leat beside raw floors and beside what one would use instead, in one run on one machine.

SUITE=a,b, PEERS=a,b and QUICK=1 in the environment do what --suite, --peers and --quick do.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import os
import sys
import tempfile
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import counts
import histogram
import machine
import memory
import publish
import report
from contestants import PEERS, Contestant, Installation, choose_peers
from measure import MeasureError, Placement, Round, placements, run_round, serving
from ratios import Rounds
from suites import Suite
from suites_python import SUITES

ROOT = Path(__file__).resolve().parent.parent


@dataclasses.dataclass(frozen=True)
class Effort:
    rounds: int
    seconds: float  # of measuring in a round
    warm_up: float


FULL = Effort(rounds=7, seconds=0.6, warm_up=0.2)
LEAST_ROUNDS = 5
COUNTED = 1200  # calls that costs per call come from
PRELOAD = "bench_preload.so"
QUICK = Effort(rounds=5, seconds=0.12, warm_up=0.05)


@dataclasses.dataclass(frozen=True)
class Plant:
    """For tests: a contestant that answers wrongly, slowly or never."""

    kind: str = ""
    contestant: str = ""

    @staticmethod
    def of(text: str) -> Plant:
        kind, _, contestant = text.partition(":")
        return Plant(kind, contestant)

    def server(self, name: str) -> list[str]:
        options = {"wrong": ["--wrong", "100"], "slow": ["--slow", "2000"]}
        return options.get(self.kind, []) if name == self.contestant else []

    def client(self, name: str, command: list[str]) -> list[str]:
        return ["sh", "-c", "sleep 3600"] if self.kind == "hang" and name == self.contestant else command


@dataclasses.dataclass
class Run:
    """One run: what takes part, and what came of it."""

    programs: Installation
    directory: str
    peers: set[str]
    effort: Effort = FULL
    limit: float | None = None
    quick: bool = False
    plant: Plant = dataclasses.field(default_factory=Plant)
    failures: list[str] = dataclasses.field(default_factory=list)

    def takes_part(self, contestant: Contestant) -> bool:
        if self.quick and contestant.slow:
            return False
        return not contestant.peer or (contestant.peer in self.peers and not self.programs.missing(contestant))

    def commands(self, suite: Suite, contestant: Contestant) -> tuple[list[str], list[str]]:
        program = self.programs.program(contestant)
        work = ["--work", suite.work, "--size", str(suite.size)]
        listen = contestant.listen.format(directory=self.directory, program=contestant.program)
        server = [*program, "server", "--listen", listen, *work, *contestant.server]
        client = [*program, "client", *work, "--outstanding", str(suite.outstanding), *contestant.client]
        return server + self.plant.server(contestant.name), self.plant.client(contestant.name, client)

    def place(self, suite: Suite, placement: str, where: Placement) -> Rounds:
        """All rounds in one placement, the contestants alternating. Who fails is left out from there on."""
        rounds: Rounds = {}
        slow = {contestant.name for contestant in suite.contestants if contestant.slow}
        with contextlib.ExitStack() as stack:
            clients = {}
            servers = {}
            for contestant in filter(self.takes_part, suite.contestants):
                server, client = self.commands(suite, contestant)
                try:
                    servers[contestant.name] = stack.enter_context(serving(server, where.server))
                except MeasureError as failure:
                    self.failures.append(f"{suite.name}, {placement}, {contestant.name}: {failure}")
                    continue
                clients[contestant.name] = client
                rounds[contestant.name] = []
            for number in range(self.effort.rounds):
                # Every other round in reverse, so that nobody always runs after the same neighbour.
                for name in list(rounds)[:: 1 if number % 2 == 0 else -1]:
                    if number >= LEAST_ROUNDS and name in slow:
                        continue
                    try:
                        figures = run_round(
                            clients[name],
                            servers[name],
                            where.client,
                            self.effort.seconds,
                            self.effort.warm_up,
                            suite.limit if self.limit is None else self.limit,
                        )
                    except MeasureError as failure:
                        self.failures.append(f"{suite.name}, {placement}, {name}: {failure}")
                        del rounds[name]
                        continue
                    rounds[name].append(figures)
        return rounds

    def counts(self, suite: Suite) -> dict[str, counts.Row]:
        """What a call of each contestant costs in things that do not drift with the machine."""
        print(f"bench: {suite.name}: instructions, system calls, wake-ups, allocations", flush=True)
        rows = {}
        for contestant in filter(self.takes_part, suite.contestants):
            server, client = self.commands(suite, contestant)
            try:
                commands = counts.Commands(server, client)
                rows[contestant.name] = counts.row(commands, self.programs.build / "bench" / PRELOAD, COUNTED)
            except MeasureError as failure:
                self.failures.append(f"{suite.name}, counted, {contestant.name}: {failure}")
        return rows

    def suite(self, suite: Suite) -> dict[str, Rounds]:
        """By placement and contestant."""
        results = {}
        judged = {ratio.placement for ratio in suite.ratios}
        for placement, where in placements().items():
            if self.quick and judged and placement not in judged:
                continue
            print(f"bench: {suite.name}, {placement}: {self.effort.rounds} rounds", flush=True)
            results[placement] = self.place(suite, placement, where)
        return results


def judge(suite: Suite, results: dict[str, Rounds]) -> list[report.Verdict]:
    """Ratios to contestants that were not measured are left out."""
    verdicts = []
    for ratio in suite.ratios:
        with contextlib.suppress(KeyError):
            values = ratio.of(results[ratio.placement])
            verdicts.append(report.judge(ratio.row or suite.aim, ratio.key, ratio.placement, values, suite.name))
    return verdicts


def as_json(suite: Suite, results: dict[str, Rounds]) -> dict[str, Any]:
    def plain(r: Round) -> dict[str, Any]:
        return {f.name: getattr(r, f.name) for f in dataclasses.fields(r) if f.name != "histogram"}

    kinds = {c.name: "peer" if c.peer else "leat" if c.is_leat else "floor" for c in suite.contestants}
    return {
        "name": suite.name,
        "title": suite.title,
        "work": suite.work,
        "size": suite.size,
        "kinds": kinds,
        "placements": {
            placement: {name: [plain(r) for r in each] for name, each in rounds.items()}
            for placement, rounds in results.items()
        },
        "curves": {
            placement: {
                name: histogram.curve([r.histogram for r in each if r.histogram is not None])
                for name, each in rounds.items()
                if any(r.histogram is not None for r in each)
            }
            for placement, rounds in results.items()
        },
    }


def choose(names: str, quick: bool) -> list[Suite]:
    """By name, by what it begins with ("tcp", "tcp.calls") or by its last part ("priority")."""
    chosen: list[Suite] = []
    for name in names.replace(",", " ").split():
        found = [
            s for s in SUITES if s.name == name or s.name.startswith(f"{name}.") or s.name.partition(".")[2] == name
        ]
        if not found:
            known = ", ".join([*(suite.name for suite in SUITES), "memory"])
            raise SystemExit(f"bench: no suite is called {name}; there are: {known}")
        chosen += [suite for suite in found if suite not in chosen]
    return chosen or [suite for suite in SUITES if suite.is_quick or not quick]


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build-dir", type=Path, default=ROOT / "build" / "release")
    parser.add_argument("--peers-dir", type=Path, default=ROOT / "build" / "bench-peers")
    parser.add_argument("--suite", default=os.environ.get("SUITE", ""), help="names, separated by commas")
    parser.add_argument("--peers", default=os.environ.get("PEERS", ""), help="names, or none; all that are installed")
    parser.add_argument("--quick", action="store_true", default=os.environ.get("QUICK", "") not in ("", "0"))
    parser.add_argument("--no-counts", action="store_true", help="leave out what a call costs in instructions and such")
    parser.add_argument("--rounds", type=int, help=f"instead of {FULL.rounds}, or {QUICK.rounds}")
    parser.add_argument("--seconds", type=float, help="of measuring in each round")
    parser.add_argument("--limit", type=float, help="seconds until a client has hung")
    parser.add_argument("--results", type=Path, default=Path(__file__).parent / "results")
    parser.add_argument("--publish", action="store_true", help="write README.md and docs/benchmarks.md")
    parser.add_argument("--plant", default="", metavar="KIND:CONTESTANT", help="for tests: wrong, slow or hang")
    return parser.parse_args()


def versions(programs: Installation, peers: set[str]) -> dict[str, str]:
    """Of each peer, or why it takes no part."""
    known = programs.known()
    told = {}
    for name in sorted(peers):
        peer = PEERS[name]
        entry = known.get(name, {})
        told[name] = peer.later or entry.get("version") or entry.get("reason") or "not installed: 'make bench-peers'"
    return told


def main() -> int:
    options = parse()
    effort = QUICK if options.quick else FULL
    if options.rounds is not None:
        effort = dataclasses.replace(effort, rounds=options.rounds)
    if options.seconds is not None:
        effort = dataclasses.replace(effort, seconds=options.seconds)
    build = options.build_dir.resolve()
    if options.suite.strip() == "memory":  # no rounds, no ratios
        return memory.run(build / "bench", options.quick)
    suites = choose(options.suite, options.quick)
    peers = choose_peers(options.peers)
    programs = Installation(build, options.peers_dir.resolve())
    missing = {c.program for s in suites for c in s.contestants if not c.peer and not programs.exists(c)}
    if missing:
        raise SystemExit(f"bench: {', '.join(sorted(missing))}: not built in {options.build_dir}; run 'make build'")

    host = machine.describe(build)
    busy = machine.loaded(host)
    if busy:
        print(f"bench: warning: the machine is busy (load {host['load_before']}): expect wide spreads")
    told = versions(programs, peers)
    absent = sorted(name for name in peers if name not in programs.known() or programs.known()[name].get("reason"))
    if absent:
        print(f"bench: without {', '.join(absent)}: not installed")

    results = []
    verdicts = []
    with tempfile.TemporaryDirectory() as directory:
        run = Run(programs, directory, peers, effort, options.limit, options.quick, Plant.of(options.plant))
        for suite in suites:
            measured = run.suite(suite)
            results.append(as_json(suite, measured))
            if suite.name == "tcp.unary" and not options.quick and not options.no_counts:
                results[-1]["counts"] = run.counts(suite)
            verdicts += judge(suite, measured)

    now = datetime.now(timezone.utc)
    document = {
        "when": now.isoformat(timespec="seconds"),
        "quick": bool(options.quick),
        "machine": host,
        "peers": told,
        "suites": results,
        "ratios": [dataclasses.asdict(v) for v in verdicts],
        "failures": run.failures,
    }
    options.results.mkdir(parents=True, exist_ok=True)
    stem = options.results / now.strftime("%Y%m%d-%H%M%S-%f")
    stem.with_suffix(".json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    text = report.markdown(document)
    stem.with_suffix(".md").write_text(text, encoding="utf-8")
    print(f"\n{text}")
    if options.publish:
        publish.write(document, ROOT)
    if busy or machine.loaded(machine.describe(build)):
        print("bench: warning: the machine was busy: these figures are rough")
    for reason in run.failures:
        print(f"bench: FAILED: {reason}")
    for line in report.closing_lines(verdicts):
        print(line)
    return 1 if run.failures else 0


if __name__ == "__main__":
    sys.exit(main())
