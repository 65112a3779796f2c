"""`make bench`: Leat beside raw baselines, in one run on one machine.

SUITE=a,b and QUICK=1 in the environment do what --suite and --quick do.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import os
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import machine
import report
from measure import MeasureError, Round, placements, run_round, serving
from suites import SUITES, Contestant, Rounds, Suite

ROOT = Path(__file__).resolve().parent.parent


@dataclasses.dataclass(frozen=True)
class Effort:
    rounds: int
    seconds: float  # of measuring in a round
    warm_up: float


FULL = Effort(rounds=9, seconds=1.0, warm_up=0.2)
QUICK = Effort(rounds=5, seconds=0.3, warm_up=0.1)


def server_command(contestant: Contestant, programs: Path, spoilt: str | None) -> list[str]:
    wrong = ["--wrong", "500"] if contestant.name == spoilt else []
    return [str(programs / contestant.program), "server", *contestant.server, *wrong]


def run_suite(suite: Suite, programs: Path, effort: Effort, spoilt: str | None) -> dict[str, Rounds]:
    """All rounds of a suite, by placement and contestant, the contestants alternating."""
    results: dict[str, Rounds] = {}
    for placement, where in placements().items():
        print(f"bench: {suite.row}, {placement}: {effort.rounds} rounds", flush=True)
        rounds: Rounds = {contestant.name: [] for contestant in suite.contestants}
        with contextlib.ExitStack() as stack:
            servers = {
                contestant.name: stack.enter_context(
                    serving(server_command(contestant, programs, spoilt), where.server)
                )
                for contestant in suite.contestants
            }
            for number in range(effort.rounds):
                # Every other round in reverse, so that nobody always runs after the same neighbour.
                for contestant in suite.contestants[:: 1 if number % 2 == 0 else -1]:
                    client = [str(programs / contestant.program), "client", *contestant.client]
                    try:
                        figures = run_round(
                            client, servers[contestant.name], where.client, effort.seconds, effort.warm_up
                        )
                    except MeasureError as failure:
                        raise MeasureError(f"{suite.row}, {placement}, {contestant.name}: {failure}") from None
                    rounds[contestant.name].append(figures)
        results[placement] = rounds
    return results


def judge_suite(suite: Suite, results: dict[str, Rounds]) -> list[report.Verdict]:
    return [
        report.judge(suite.row, ratio.key, ratio.placement, ratio.of(results[ratio.placement]))
        for ratio in suite.ratios
    ]


def as_json(suite: Suite, results: dict[str, Rounds]) -> dict[str, Any]:
    def plain(rounds: list[Round]) -> list[dict[str, Any]]:
        return [dataclasses.asdict(r) for r in rounds]

    return {
        "row": suite.row,
        "title": suite.title,
        "placements": {p: {name: plain(r) for name, r in rounds.items()} for p, rounds in results.items()},
    }


def choose(names: str) -> list[Suite]:
    known = {suite.row: suite for suite in SUITES}
    wanted = [name for name in names.replace(",", " ").split() if name]
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise SystemExit(f"bench: no suite is called {', '.join(unknown)}; there are: {', '.join(known)}")
    return [known[name] for name in wanted] or list(SUITES)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build-dir", type=Path, default=ROOT / "build" / "release")
    parser.add_argument("--suite", default=os.environ.get("SUITE", ""), help="rows, separated by commas")
    parser.add_argument("--quick", action="store_true", default=os.environ.get("QUICK", "") not in ("", "0"))
    parser.add_argument("--rounds", type=int, help=f"instead of {FULL.rounds}, or {QUICK.rounds}")
    parser.add_argument("--seconds", type=float, help="of measuring in each round")
    parser.add_argument("--results", type=Path, default=Path(__file__).parent / "results")
    parser.add_argument("--update-readme", action="store_true", help="write the ratios into README.md")
    parser.add_argument("--spoil", metavar="CONTESTANT", help="for tests: make it answer one call wrongly")
    return parser.parse_args()


def main() -> int:
    options = parse()
    effort = QUICK if options.quick else FULL
    if options.rounds is not None:
        effort = dataclasses.replace(effort, rounds=options.rounds)
    if options.seconds is not None:
        effort = dataclasses.replace(effort, seconds=options.seconds)
    build = options.build_dir.resolve()
    suites = choose(options.suite)
    missing = {c.program for s in suites for c in s.contestants if not (build / "bench" / c.program).exists()}
    if missing:
        raise SystemExit(f"bench: {', '.join(sorted(missing))}: not built in {options.build_dir}; run 'make build'")

    host = machine.describe(build)
    if machine.loaded(host):
        print(f"bench: warning: the machine is busy (load {host['load_before']}): expect wide spreads")
    results = []
    verdicts = []
    failures = []
    for suite in suites:
        try:
            measured = run_suite(suite, build / "bench", effort, options.spoil)
        except MeasureError as failure:
            failures.append(str(failure))
            continue
        results.append(as_json(suite, measured))
        verdicts += judge_suite(suite, measured)

    text = report.markdown(results, verdicts, host)
    options.results.mkdir(parents=True, exist_ok=True)
    now = datetime.now(timezone.utc)
    document = {
        "when": now.isoformat(timespec="seconds"),
        "quick": bool(options.quick),
        "machine": host,
        "suites": results,
        "ratios": [dataclasses.asdict(v) for v in verdicts],
        "failures": failures,
    }
    stem = options.results / now.strftime("%Y%m%d-%H%M%S")
    stem.with_suffix(".json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    stem.with_suffix(".md").write_text(text, encoding="utf-8")
    print(f"\n{text}")
    if (
        options.update_readme
        and not failures
        and not report.update_readme(ROOT / "README.md", report.readme_lines(verdicts, host))
    ):
        failures.append("README.md has no <!-- bench:begin --> and <!-- bench:end --> to write between")
    for reason in failures:
        print(f"bench: FAILED: {reason}")
    for line in report.closing_lines(verdicts):
        print(line)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
