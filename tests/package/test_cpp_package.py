"""The installed C++ package, used by a project outside the tree."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
BUILD = Path(os.environ.get("LEAT_BUILD", ROOT / "build" / "release"))


def run(*command: str | Path, cwd: Path) -> str:
    result = subprocess.run(
        command,
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert result.returncode == 0, f"{' '.join(map(str, command))}\n{result.stdout}"
    return result.stdout


@pytest.fixture(scope="module")
def prefix(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where it is installed: a folder that is moved, since nothing may remember the first place."""
    first = tmp_path_factory.mktemp("installed") / "first"
    run("cmake", "--install", BUILD, "--component", "cpp", "--prefix", first, cwd=first.parent)
    return first.rename(first.parent / "moved")


def test_an_outside_project_finds_and_uses_it(prefix: Path, tmp_path: Path) -> None:
    project = tmp_path / "project"
    shutil.copytree(HERE / "cpp", project)
    run("cmake", "-G", "Ninja", "-S", ".", "-B", "build", f"-DCMAKE_PREFIX_PATH={prefix}", cwd=project)
    run("cmake", "--build", "build", cwd=project)
    assert run(project / "build" / "outside", cwd=project) == "42 over tcp\n"
    assert run(project / "build" / "compile", "outside.fbs", cwd=project) == "ok\n"


def test_public_headers_stand_on_their_own(prefix: Path, tmp_path: Path) -> None:
    """Each compiles first and alone, with the installed files only: none includes a header of the inside."""
    include = prefix / "include"
    headers = sorted(path.relative_to(include).as_posix() for path in (include / "leat").rglob("*.h"))
    assert "leat/peer.h" in headers
    for header in headers:
        source = tmp_path / f"{header.replace('/', '_')}.cc"
        source.write_text(f"#include <{header}>\n#include <{header}>\n")
        run(
            "g++",
            "-std=c++23",
            "-fsyntax-only",
            "-Wall",
            "-Wextra",
            "-Werror",
            "-I",
            include,
            source,
            cwd=tmp_path,
        )


def test_leatc_is_installed(prefix: Path, tmp_path: Path) -> None:
    shutil.copy(HERE / "cpp" / "outside.fbs", tmp_path)
    run(prefix / "bin" / "leatc", "outside.fbs", "--python", "-o", "gen", cwd=tmp_path)
    assert list((tmp_path / "gen").rglob("*.py"))
