"""`make sanitize`: the test programs under ASan with UBSan, and under TSan."""

from __future__ import annotations

import argparse
import subprocess
import sys
import time

from runners import ROOT, Tally, close, end_programs_with_this, run_programs

LABELS = {"unit", "sim", "conformance"}
SYMBOLIZER = "/usr/bin/llvm-symbolizer-19"
ENVIRONMENT = {
    "asan": {
        "ASAN_SYMBOLIZER_PATH": SYMBOLIZER,
        "LSAN_OPTIONS": f"suppressions={ROOT / 'tests' / 'lsan.supp'}:print_suppressions=0",
        "ASAN_OPTIONS": "detect_leaks=1:strict_string_checks=1:detect_stack_use_after_return=1"
        ":check_initialization_order=1",
        "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
    },
    "tsan": {
        "TSAN_OPTIONS": f"external_symbolizer_path={SYMBOLIZER}:halt_on_error=1:second_deadlock_stack=1"
        f":suppressions={ROOT / 'tests' / 'tsan.supp'}",
    },
}


def main() -> int:
    end_programs_with_this()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("presets", nargs="*", choices=[*ENVIRONMENT, []], help="both, if none is named")
    parser.add_argument("--all", action="store_true", help="every test program, whatever its label")
    options = parser.parse_args()

    tally = Tally()
    for preset in options.presets or ENVIRONMENT:
        started = time.monotonic()
        if subprocess.run([ROOT / "scripts" / "build", preset], check=False).returncode != 0:
            tally.failed.append(f"{preset}: does not build")
            continue
        result = run_programs(ROOT / "build" / preset, None if options.all else LABELS, environment=ENVIRONMENT[preset])
        print(f"sanitize: {preset}: {result.line()}, {time.monotonic() - started:.0f} s", flush=True)
        tally += result
    return close(tally)


if __name__ == "__main__":
    sys.exit(main())
