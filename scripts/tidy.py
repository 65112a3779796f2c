"""Runs clang-tidy over the C++ files that were touched lately, and remembers which were found clean.

The compile commands are those of build/release, which GCC runs, with what Clang would not take removed: the
precompiled header and the warning flags. So each file must also stand on its own includes.
"""

from __future__ import annotations

import concurrent.futures
import hashlib
import json
import os
import re
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "release"
DATABASE = ROOT / "build" / "tidy"
COMPILER = "clang++-19"
TIDY = "clang-tidy-19"
COMMITS = 30


@dataclass
class Unit:
    """A source file and the arguments it is compiled with."""

    file: str
    arguments: list[str]


def git(*arguments: str) -> list[str]:
    result = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    return result.stdout.splitlines() if result.returncode == 0 else []


def touched_files() -> set[str]:
    """What the last commits, the index and the work tree changed or added."""
    base = git("rev-parse", "--verify", "-q", f"HEAD~{COMMITS}")
    changed = git("diff", "--name-only", base[0]) if base else git("ls-files")
    return set(changed) | set(git("ls-files", "-o", "--exclude-standard"))


def clang_arguments(command: str) -> list[str]:
    words = shlex.split(command)
    start = next(i for i, word in enumerate(words) if re.fullmatch(r"(c|g|clang)\+\+(-\d+)?", Path(word).name))
    kept = [COMPILER]
    skip = False
    for word, following in zip(words[start + 1 :], [*words[start + 2 :], ""], strict=True):
        if skip:
            skip = False
        elif word == "-include" and "cmake_pch" in following:
            skip = True
        elif not word.startswith("-W") and word not in ("-fno-fat-lto-objects",):
            kept.append(word)
    return kept


def read_units() -> dict[str, Unit]:
    """The units of our own sources, by path; a database of them for clang-tidy is written beside."""
    units = {}
    entries = []
    for entry in json.loads((BUILD / "compile_commands.json").read_text()):
        path = Path(entry["directory"], entry["file"]).resolve()
        if not path.is_relative_to(ROOT) or path.is_relative_to(ROOT / "build"):
            continue
        name = path.relative_to(ROOT).as_posix()
        if name in units:
            continue
        units[name] = Unit(name, clang_arguments(entry["command"]))
        entries.append({"directory": entry["directory"], "file": str(path), "arguments": units[name].arguments})
    DATABASE.mkdir(parents=True, exist_ok=True)
    (DATABASE / "compile_commands.json").write_text(json.dumps(entries, indent=1))
    return units


def choose_units(touched: set[str], units: dict[str, Unit]) -> list[str]:
    """Touched sources, and for each touched header that none of them includes one source that does."""
    chosen = {name for name in touched if name in units}
    texts = {name: (ROOT / name).read_text(encoding="utf-8") for name in units if (ROOT / name).is_file()}
    for header in sorted(name for name in touched if name.endswith(".h") and (ROOT / name).is_file()):
        spelled = re.sub(r"^.*?/include/", "", header) if "/include/" in header else header
        pattern = re.compile(rf'#include ["<]{re.escape(spelled)}[">]')
        includers = [name for name, text in texts.items() if pattern.search(text)]
        if includers and not chosen & set(includers):
            stem = header.removesuffix(".h")
            preferred = [f"{stem}.cc", f"{stem}_test.cc"]
            chosen.add(next((name for name in preferred if name in includers), sorted(includers)[0]))
    return sorted(chosen)


def fingerprint(unit: Unit, salt: str) -> str:
    """Everything of ours that the verdict on a unit depends on, as one hash."""
    arguments = [word for word in unit.arguments if word != "-c"]
    arguments = [word for i, word in enumerate(arguments) if word != "-o" and (i == 0 or arguments[i - 1] != "-o")]
    result = subprocess.run([*arguments, "-MM", "-MF", "-"], cwd=BUILD, capture_output=True, text=True, check=False)
    digest = hashlib.sha256(salt.encode())
    digest.update(" ".join(arguments).replace(str(ROOT), "").encode())
    if result.returncode != 0:  # clang-tidy will say why
        return ""
    for word in result.stdout.replace("\\\n", " ").split()[1:]:
        file = BUILD / word
        digest.update(file.read_bytes())
    return digest.hexdigest()


def checks_for(file: str, everything: bool) -> list[str]:
    """The path-sensitive analysis is slow, and in gtest finds gtest: only with ALL=1, only in what ships."""
    return [] if everything and not file.endswith("_test.cc") else ["--checks=-clang-analyzer-*"]


def check_unit(unit: Unit, checks: list[str], salt: str, cache: Path) -> tuple[str, str]:
    """("cached" | "clean" | "faulty", output)."""
    key = fingerprint(unit, salt + " ".join(checks))
    marker = cache / key[:2] / key
    if key and marker.exists():
        marker.touch()
        return "cached", ""
    result = subprocess.run(
        [TIDY, "--quiet", "-p", str(DATABASE), *checks, str(ROOT / unit.file)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode == 0:
        if key:
            marker.parent.mkdir(parents=True, exist_ok=True)
            marker.touch()
        return "clean", ""
    output = re.sub(rf"{re.escape(str(BUILD))}/arrows/[^/\n]+/", "", result.stdout).replace(f"{ROOT}/", "")
    return "faulty", output or result.stderr


def run(everything: bool) -> bool:
    """Returns whether all is clean."""
    units = read_units()
    chosen = sorted(units) if everything else choose_units(touched_files(), units)
    version = subprocess.run([TIDY, "--version"], capture_output=True, text=True, check=True).stdout
    salt = version + (ROOT / ".clang-tidy").read_text()
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    cache = home / "leat" / "clang-tidy"
    counts = {"cached": 0, "clean": 0, "faulty": 0}
    shown: set[str] = set()
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        tasks = [pool.submit(check_unit, units[name], checks_for(name, everything), salt, cache) for name in chosen]
        for done, task in enumerate(concurrent.futures.as_completed(tasks), 1):
            verdict, output = task.result()
            counts[verdict] += 1
            if output and output not in shown:
                shown.add(output)
                print(output, flush=True)
            if done % 20 == 0:
                print(f"lint: clang-tidy: {done} of {len(chosen)} files", flush=True)
    print(
        f"lint: clang-tidy: {len(chosen)} of {len(units)} files, {counts['faulty']} with faults, "
        f"{counts['cached']} unchanged since they were found clean",
        flush=True,
    )
    return counts["faulty"] == 0
