"""Checks that includes point the way docs/architecture.md draws them, and that the core stays pure.

The build catches a wrong arrow too, since a folder's target sees only the folders that it names. This check
catches what the build can't: a CMakeLists.txt that names a folder it should not, a system header in the core,
a path with `..` in it, a folder without a README.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# folder: the folders that it may include, besides itself; what those may include follows.
ARROWS: dict[str, list[str]] = {
    "core/include": [],
    "core/base": ["core/include"],
    "core/wire": ["core/base"],
    "core/session": ["core/wire"],
    "core/compress": ["core/base"],
    "core/call": ["core/session", "core/compress"],
    "core/object": ["core/call"],
    "core/topic": ["core/call"],
    "schema/include": ["core/include"],
    "schema/model": ["core/base", "schema/include"],
    "schema/dynamic": ["schema/model"],
    "schema/compiler": ["schema/model"],
    "shm/os": ["core/base"],
    "shm/ring": ["shm/os"],
    "shm/pool": ["shm/os"],
    "transport/link": ["core/base", "core/wire", "core/session", "core/call", "core/object", "core/topic"],
    "transport/intercept": ["core/base", "transport/endpoint/include"],
    "transport/runtime": ["transport/link", "transport/intercept", "transport/endpoint/include"],
    "transport/telemetry": ["transport/runtime"],
    "transport/inproc": ["transport/runtime"],
    "transport/tcp": ["transport/runtime"],
    "transport/zmq": ["transport/runtime"],
    "transport/shm": ["transport/runtime", "shm/os", "shm/ring", "shm/pool"],
    "transport/websocket": ["transport/runtime"],
    "transport/endpoint/include": ["core/include", "schema/include"],
    "transport/endpoint": [
        "transport/endpoint/include",
        "transport/telemetry",
        "transport/inproc",
        "transport/tcp",
        "transport/zmq",
        "transport/shm",
        "transport/websocket",
        "schema/dynamic",
    ],
    "transport/testing/include": ["transport/endpoint/include"],
    "transport/testing": ["transport/testing/include", "transport/endpoint"],
    # Python's module writes and reads values and generates code as schema's own folders do
    "python": ["transport/endpoint/include", "transport/testing/include", "schema/dynamic", "schema/compiler"],
    # those outside see what a user sees
    "js-client": ["transport/endpoint/include"],
    "examples": ["transport/endpoint/include"],
    "bench": ["transport/endpoint/include"],
    "tests": ["transport/endpoint", "transport/testing/include"],
}
# Public headers are found by <leat/...>, in these roots.
PUBLIC_ROOTS = ["core/include", "schema/include", "transport/endpoint/include", "transport/testing/include"]

# What the core must not know: operating system, threads, clocks, and the libraries of the layers above. A stop token is
# a value, and public where there are threads to use it.
CORE_FORBIDDEN_HEADERS = re.compile(
    r"^(sys|netinet|arpa|linux|net|poll|pybind11|flatbuffers|msgpack|boost|zmq|fmt)(/|\.|$)|"
    r"^(thread|jthread|mutex|shared_mutex|condition_variable|future|semaphore|latch|barrier|fstream|"
    r"filesystem|iostream|unistd\.h|fcntl\.h|pthread\.h|sched\.h|signal\.h|time\.h|ctime|cstdio|stdio\.h|"
    r"zmq\.hpp|zmq\.h|zmq_addon\.hpp|Python\.h|poll\.h|errno\.h|cerrno|random)$"
)
CORE_FORBIDDEN_WORDS = re.compile(
    r"\b(?:steady_clock|system_clock|high_resolution_clock)\s*::\s*now\b|\bclock_gettime\b|\bgettimeofday\b|"
    r"\bstd::(?:thread|jthread|mutex|this_thread|random_device)\b|\bthrow\b|\btry\s*\{"
)
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(["<])([^">]+)[">]', re.MULTILINE)
SOURCES = {".h", ".cc"}
# Ours by the way they are included; anything else in quotes is generated code or stands beside the includer.
TOP_FOLDERS = sorted({name.split("/")[0] for name in ARROWS} | {"shm", "js-client"})


def reachable(folder: str) -> set[str]:
    seen = {folder}
    waiting = [folder]
    while waiting:
        for name in ARROWS[waiting.pop()]:
            if name not in seen:
                seen.add(name)
                waiting.append(name)
    return seen


def folder_of(path: str) -> str | None:
    """The longest folder of ARROWS that holds the path."""
    matches = [name for name in ARROWS if path == name or path.startswith(name + "/")]
    return max(matches, key=len) if matches else None


def without_comments(text: str) -> str:
    """Comments and string literals blanked, lines kept."""
    pattern = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"', re.DOTALL)
    return pattern.sub(lambda m: re.sub(r"[^\n]", " ", m.group()), text)


def check_file(root: Path, path: str) -> list[str]:
    text = (root / path).read_text(encoding="utf-8")
    home = folder_of(path)
    if home is None:
        return [f"{path}:1: stands in no folder that scripts/check_arrows.py knows; add its arrows there"]
    problems = []
    allowed = reachable(home)
    is_test = path.endswith("_test.cc")
    in_core = home.startswith("core/")

    for match in INCLUDE.finditer(text):
        where = f"{path}:{text.count(chr(10), 0, match.start()) + 1}"
        quote, name = match.groups()
        if ".." in name.split("/"):
            problems.append(f'{where}: "{name}": spell it from the root of the repository, without ..')
            continue
        if quote == '"':
            target = folder_of(name)
            if target is None:
                if name.split("/")[0] in TOP_FOLDERS:
                    problems.append(f'{where}: "{name}" is in no folder that scripts/check_arrows.py knows')
                continue
        else:
            target = next((public for public in PUBLIC_ROOTS if (root / public / name).is_file()), None)
            if target is None and name.startswith("leat/"):
                problems.append(f"{where}: <{name}>: there is no such public header")
        # A test may use what stands beside its folder: the runtime's runs over real sockets.
        beside = is_test and target is not None and target.split("/")[0] in ("tests", home.split("/")[0])
        if target is not None and target not in allowed and not beside:
            problems.append(f"{where}: {home} must not include {name}: {target} is not below it")
        if in_core and not is_test and CORE_FORBIDDEN_HEADERS.search(name):
            problems.append(f"{where}: the core must not include <{name}>: it has no system, thread or clock")
        if name == "flatbuffers/idl.h" and not path.startswith("schema/compiler/"):
            problems.append(f"{where}: only the front end in schema/compiler includes <{name}>")
        if name.startswith("zmq") and home not in ("transport/zmq", "bench", "tests"):
            problems.append(f"{where}: only transport/zmq includes <{name}>")

    if in_core and not is_test:
        for match in CORE_FORBIDDEN_WORDS.finditer(without_comments(text)):
            line = text.count("\n", 0, match.start()) + 1
            word = match.group().strip()
            problems.append(f"{path}:{line}: `{word}` has no place in the core: it must build for wasm32")
    return problems


def check_tree(root: Path) -> list[str]:
    problems = []
    front_ends = []
    folders: set[Path] = set()
    for top in TOP_FOLDERS:
        for file in sorted((root / top).rglob("*")):
            path = file.relative_to(root).as_posix()
            if file.suffix not in SOURCES or not file.is_file() or "/testdata/" in path or "/gen/" in path:
                continue
            if path.startswith("tests/package/"):  # outside projects: they see only what is installed
                continue
            folders.add(file.parent)
            problems += check_file(root, path)
            if any(name == "flatbuffers/idl.h" for _, name in INCLUDE.findall(file.read_text(encoding="utf-8"))):
                front_ends.append(path)
    if len(front_ends) > 1:
        problems.append(f"flatbuffers/idl.h is included by more than one file: {', '.join(front_ends)}")
    for folder in sorted(folders):
        path = folder.relative_to(root).as_posix()
        if any(path.startswith(public) for public in PUBLIC_ROOTS):
            continue  # the folder above describes its public headers
        if not (folder / "README.md").is_file():
            problems.append(f"{path}: has no README.md")
    return problems


def main() -> int:
    problems = check_tree(ROOT)
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
