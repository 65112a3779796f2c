"""`make bench-peers`: installs what Leat is measured beside, outside the normal set-up.

System packages for the peers in C++ (as root or with sudo), a virtual environment of their own for those in Python,
and the contestants in C++ built, all in build/bench-peers. One that can't be installed is noted in peers.json with the
reason, listed, and left out of runs.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
NUMPY = "numpy==2.4.6" if sys.version_info >= (3, 11) else "numpy==2.2.6"


class InstallError(Exception):
    """Why a peer can't take part."""


@dataclass
class Installer:
    directory: Path

    def run(self, *command: str | Path) -> str:
        """Its output. The last line of a failure is the reason."""
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            env=environment,
        )
        with (self.directory / "install.log").open("a", encoding="utf-8") as log:
            log.write(f"$ {' '.join(map(str, command))}\n{done.stdout}\n")
        if done.returncode != 0:
            lines = done.stdout.strip().splitlines()
            raise InstallError(lines[-1] if lines else f"{Path(command[0]).name} failed")
        return done.stdout

    def system(self, packages: list[str]) -> str:
        if shutil.which("apt-get") is None:
            raise InstallError("no apt-get here; see bench/peers/packages.txt")
        there = self.run("dpkg-query", "-W", "-f", "${db:Status-Status} ${Package}\n").splitlines()
        missing = [package for package in packages if f"installed {package}" not in there]
        if missing:
            root = [] if os.geteuid() == 0 else ["sudo", "-n"]
            self.run(*root, "apt-get", "update", "-q")
            self.run(*root, "apt-get", "install", "-y", "-q", "--no-install-recommends", *missing)
        return "installed"

    def version(self, module: str) -> str:
        return self.run("pkg-config", "--modversion", module).strip()

    @property
    def python(self) -> Path:
        return self.directory / "venv" / "bin" / "python"

    def environment(self) -> None:
        if not self.python.exists():
            self.run(sys.executable, "-m", "venv", self.directory / "venv")
        self.pip([NUMPY])

    def pip(self, requirements: list[str]) -> str:
        """Installs them; the version of the first."""
        self.run(self.python, "-m", "pip", "install", "--no-input", "--prefer-binary", *requirements)
        name = requirements[0].partition("==")[0].partition("[")[0]
        return self.run(self.python, "-c", f"import importlib.metadata as m; print(m.version('{name}'))").strip()

    def build(self) -> str:
        """The contestants in C++, as many as have what they need."""
        build = self.directory / "cpp"
        self.run("cmake", "-S", HERE / "cpp", "-B", build, "-G", "Ninja")
        return self.run("cmake", "--build", build, "--", "-k", "0")


def entries(path: Path) -> dict[str, list[str]]:
    """Lines of "name: words"."""
    lines = (line.partition("#")[0].strip() for line in path.read_text(encoding="utf-8").splitlines())
    return {name: words.split() for name, _, words in (line.partition(":") for line in lines if line)}


def attempt(work: Callable[[], str]) -> dict[str, str]:
    """The version that `work` gives, or why it could not."""
    try:
        return {"version": work()}
    except (InstallError, OSError) as failure:
        return {"reason": str(failure)}


def install(installer: Installer) -> Iterator[tuple[str, dict[str, str]]]:
    """Each peer, and what came of it."""
    cpp = entries(HERE / "packages.txt")
    system = {name: attempt(partial(installer.system, packages)) for name, (_, *packages) in cpp.items()}
    built = attempt(installer.build)
    for name, (module, *_) in cpp.items():
        programs = [file for file in (installer.directory / "cpp").glob(f"bench_{name}*") if file.is_file()]
        if "reason" in system[name] or not programs:
            reasons = [system[name].get("reason", ""), built.get("reason", ""), "its contestant was not built"]
            yield name, {"reason": next(filter(None, reasons))}
        else:
            yield name, attempt(partial(installer.version, module))
    installer.environment()
    for name, requirements in entries(HERE / "requirements.txt").items():
        yield name, attempt(partial(installer.pip, requirements))
    yield "managers", {"version": f"Python {platform.python_version()}"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--directory", type=Path, default=ROOT / "build" / "bench-peers")
    directory: Path = parser.parse_args().directory.resolve()
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "install.log").unlink(missing_ok=True)
    known = {}
    for name, came in install(Installer(directory)):
        known[name] = came
        print(f"bench-peers: {name}: {came.get('version') or 'not installed: ' + came['reason']}", flush=True)
    (directory / "peers.json").write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
    absent = sum("reason" in entry for entry in known.values())
    print(f"bench-peers: {len(known) - absent} installed, {absent} not (log: {directory / 'install.log'})")


if __name__ == "__main__":
    main()
