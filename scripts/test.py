"""`make test`: every runner, and one closing line that adds them up.

Expects a built tree and the wheel in .venv, as the Makefile makes them.
"""

from __future__ import annotations

import argparse
import sys

from runners import ROOT, Tally, close, end_programs_with_this, run_programs, run_pytest

# What installs the package somewhere, or works through the README.
SLOW = ["tests/package", "tests/readme"]


def main() -> int:
    end_programs_with_this()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="without " + " and ".join(SLOW))
    parser.add_argument("--build", default="release", help="the preset whose tree is tested")
    options = parser.parse_args()

    build = ROOT / "build" / options.build
    tally = Tally()
    tally += run_programs(build)
    folders = [path for path in ("python/tests", "tests", "examples") if (ROOT / path).is_dir()]
    arguments = ["-q", *(f"--ignore={path}" for path in SLOW), *folders]
    tally += run_pytest("python", arguments, build / "test-logs" / "pytest.xml")
    if not options.quick:
        slow = [path for path in SLOW if (ROOT / path).is_dir()]
        if slow:
            tally += run_pytest("package", ["-q", *slow], build / "test-logs" / "pytest-package.xml")
    return close(tally)


if __name__ == "__main__":
    sys.exit(main())
