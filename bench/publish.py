"""Writes a run's figures where users read them: README.md, docs/benchmarks.md and the pictures beside it.

.venv/bin/python bench/publish.py bench/results/RUN.json
"""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path
from typing import Any

import report

ROOT = Path(__file__).resolve().parent.parent
MARKERS = re.compile(r"(<!-- bench:begin -->\n).*?(<!-- bench:end -->)", re.DOTALL)


def between_markers(path: Path, text: str) -> None:
    """Replaces what stands between the markers."""
    before = path.read_text(encoding="utf-8")
    after, count = MARKERS.subn(lambda m: f"{m[1]}{text}{m[2]}", before)
    if count != 1:
        raise SystemExit(f"bench: {path} has no <!-- bench:begin --> and <!-- bench:end --> to write between")
    path.write_text(after, encoding="utf-8")


def readme_lines(document: dict[str, Any]) -> str:
    """What the README shows: the ratios of 64 B calls to raw TCP, whatever they are."""
    machine = document["machine"]
    shown = {v.key: v for v in report.verdicts_of(document) if v.row == "tcp.unary"}
    lines = ["| 64 B there and back over `tcp://` | time over raw TCP's |", "|---|---|"]
    names = {"free": "the peers where the system puts them", "one_core": "both peers on one core"}
    for key, name in names.items():
        v = shown[key]
        lines.append(f"| {name} | {v.ratio.median:.2f} ({v.ratio.low:.2f} to {v.ratio.high:.2f}) |")
    lines += [
        "",
        "Median of the rounds (lowest to highest), `make bench` on "
        f"{machine['cores']}{' virtual' if machine['virtual'] else ''} cores, {machine['system']}. "
        "Left free, the system puts a contestant's two processes now on one core and now on two, and not the "
        "same for both contestants: hence the spread, and ratios below 1.",
    ]
    return "\n".join(lines) + "\n"


def write(document: dict[str, Any], root: Path) -> None:
    import plots  # matplotlib takes half a second, which runs that publish nothing save

    docs = root / "docs"
    pictures = plots.draw(document, docs / "benchmarks")
    links = [f"![{title}]({path.relative_to(docs)})\n" for title, path in pictures.items()]
    between_markers(docs / "benchmarks.md", "\n" + report.markdown(document) + "\n" + "\n".join(links))
    if any(v.row == "tcp.unary" for v in report.verdicts_of(document)):
        between_markers(root / "README.md", readme_lines(document))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, help="a JSON file of bench/results")
    write(json.loads(parser.parse_args().run.read_text(encoding="utf-8")), ROOT)


if __name__ == "__main__":
    main()
