"""`make wasm`: builds the core for browsers, prints its size, and fails if it needs anything of its host."""

from __future__ import annotations

import gzip
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "wasm"
FLAGS = ["--target=wasm32-wasi", "-mexec-model=reactor", "-std=c++23", "-Os", "-fno-exceptions", "-fno-rtti"]
KINDS = ["function", "table", "memory", "global"]
TYPE_SECTION, IMPORT_SECTION, FUNCTION_SECTION = 1, 2, 3


def core_functions(archives: list[Path]) -> list[str]:
    """The names of the functions that the core defines; inline ones come along where they are called."""
    command = ["llvm-nm-19", "--defined-only", "--extern-only", "--format=posix", *map(str, archives)]
    listing = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    words = (line.split() for line in listing.splitlines())
    return sorted({word[0] for word in words if len(word) > 2 and word[1] == "T"})


def link(archives: list[Path], module: Path) -> None:
    """Links a module that exports every function of the core, so that nothing of it is dropped unseen."""
    exports = BUILD / "exports.txt"
    exports.write_text("".join(f"--export={name}\n" for name in core_functions(archives)))
    command = ["clang++-19", *FLAGS, str(ROOT / "js-client" / "wasm" / "abort.cc"), *map(str, archives)]
    command += [f"-Wl,@{exports}", "-Wl,--strip-all", "-o", str(module)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)


class Reader:
    """Reads the parts of a WebAssembly module that list its sections and imports."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def byte(self) -> int:
        self.at += 1
        return self.data[self.at - 1]

    def number(self) -> int:
        """An unsigned LEB128."""
        value = shift = 0
        while True:
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    def text(self) -> str:
        length = self.number()
        self.at += length
        return self.data[self.at - length : self.at].decode()


def describe(module: bytes) -> tuple[list[str], int]:
    """The names of a module's imports, and how many functions it defines."""
    if module[:8] != b"\0asm\1\0\0\0":
        raise ValueError("this is no WebAssembly module")
    reader = Reader(module)
    reader.at = 8
    imports: list[str] = []
    functions = 0
    while reader.at < len(module):
        section, size = reader.byte(), reader.number()
        end = reader.at + size
        if section == FUNCTION_SECTION:
            functions = reader.number()
        elif section == IMPORT_SECTION:
            for _ in range(reader.number()):
                name = f"{reader.text()}.{reader.text()}"
                kind = reader.byte()
                imports.append(f"{KINDS[kind]} {name}")
                if kind == 0:
                    reader.number()
                else:  # a table, memory or global is unwanted as well, and what follows it is not needed
                    break
        reader.at = end
    return imports, functions


def main() -> int:
    if subprocess.run([ROOT / "scripts" / "build", "wasm"], check=False).returncode != 0:
        return 1
    archives = sorted((BUILD / "core").glob("libleat_core_*.a"))
    if not archives:
        print("wasm: the build left no archive in build/wasm/core")
        return 1
    module = BUILD / "leat-core.wasm"
    link(archives, module)
    data = module.read_bytes()
    imports, functions = describe(data)
    size = len(gzip.compress(data, 9))
    print(f"wasm: {len(archives)} archives, {functions} functions, {len(data):,} bytes, {size:,} gzipped")
    if imports:
        print(f"wasm: the core must need nothing of its host, but imports: {', '.join(imports)}")
        return 1
    print("wasm: imports: none")
    return 0


if __name__ == "__main__":
    sys.exit(main())
