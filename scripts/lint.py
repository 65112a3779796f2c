"""`make lint`: formats, clang-tidy, ruff, mypy, include arrows. `make format` (--fix) rewrites files."""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import check_arrows
import tidy

ROOT = Path(__file__).resolve().parent.parent
BIN = ROOT / ".venv" / "bin"
# Compared to the byte by tests: nobody formats these.
UNTOUCHED = ("schema/testdata/", "tests/vectors/")


def tracked(*suffixes: str) -> list[str]:
    names = tidy.git("ls-files", "-co", "--exclude-standard")
    kept = {n for n in names if n.endswith(suffixes) and not n.startswith(UNTOUCHED) and (ROOT / n).is_file()}
    return sorted(kept)


def run(*command: str | Path) -> bool:
    return subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, check=False).returncode == 0


def clang_format(*options: str) -> bool:
    files = tracked(".h", ".cc")
    return not files or run("clang-format-19", *options, *files)


def ruff() -> bool:
    return run(BIN / "ruff", "check", "-q", ".") & run(BIN / "ruff", "format", "-q", "--diff", ".")


def mypy() -> bool:
    # The unit tests misuse the API on purpose; python/tests/typing is what users' checkers see.
    files = [file for file in tracked(".py", ".pyi") if not file.startswith("python/tests/unit/")]
    return not files or run(BIN / "mypy", "--no-error-summary", *files)


def arrows() -> bool:
    return check_arrows.main() == 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--all", action="store_true", help="clang-tidy on every file")
    parser.add_argument("--fix", action="store_true", help="rewrite the files instead")
    options = parser.parse_args()
    if options.fix:
        good = clang_format("-i") & run(BIN / "ruff", "format", "-q", ".")
        return 0 if good & run(BIN / "ruff", "check", "-q", "--fix", ".") else 1

    steps: dict[str, Callable[[], bool]] = {
        "clang-format": lambda: clang_format("--dry-run", "--Werror"),
        "ruff": ruff,
        "mypy": mypy,
        "arrows": arrows,
        "clang-tidy": lambda: tidy.run(options.all),
    }
    failed = []
    for name, step in steps.items():
        started = time.monotonic()
        good = step()
        print(f"lint: {name}: {'ok' if good else 'FAILED'} ({time.monotonic() - started:.1f} s)", flush=True)
        if not good:
            failed.append(name)
    print(f"lint: {'FAILED: ' + ', '.join(failed) if failed else 'ok'}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
