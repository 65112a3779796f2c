"""The arrow check must catch a planted wrong arrow, or it is worth nothing."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

import check_arrows  # noqa: E402


def plant(root: Path, path: str, text: str) -> list[str]:
    """Writes one file into an otherwise correct tree and returns what the check says."""
    good = {
        "core/include/leat/status.h": "#pragma once\n",
        "core/base/ids.h": "#pragma once\n#include <leat/status.h>\n",
        "core/wire/frame.h": '#pragma once\n#include "core/base/ids.h"\n',
        "core/session/session.h": '#include "core/base/ids.h"\n#include "core/wire/frame.h"\n',
        "schema/compiler/front_end.cc": "#include <flatbuffers/idl.h>\n",
        "transport/tcp/tcp.cc": '#include <sys/socket.h>\n\n#include "core/wire/frame.h"\n',
    }
    for name, content in {**good, path: text}.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
        (file.parent / "README.md").write_text("What this folder is.\n")
    return check_arrows.check_tree(root)


def test_a_correct_tree_is_clean(tmp_path: Path) -> None:
    assert plant(tmp_path, "core/wire/frame.cc", '#include "core/wire/frame.h"\n') == []


@pytest.mark.parametrize(
    ("path", "text", "expected"),
    [
        ("core/wire/bad.cc", '#include "core/session/session.h"\n', "core/wire must not include"),
        ("core/base/bad.h", '\n#include "core/wire/frame.h"\n', "bad.h:2: core/base must not include"),
        ("transport/zmq/bad.cc", '#include "transport/tcp/tcp.h"\n', "transport/tcp is not below it"),
        ("core/include/leat/bad.h", '#include "core/base/ids.h"\n', "core/include must not include"),
        ("python/native/bad.cc", '#include "core/session/session.h"\n', "python must not include"),
        ("core/wire/bad.cc", "#include <sys/socket.h>\n", "the core must not include <sys/socket.h>"),
        ("core/wire/bad.cc", "#include <thread>\n", "the core must not include <thread>"),
        ("core/wire/bad.cc", "#include <zmq.hpp>\n", "only transport/zmq includes <zmq.hpp>"),
        ("core/wire/bad.cc", "#include <flatbuffers/idl.h>\n", "only the front end"),
        ("schema/compiler/second.cc", "#include <flatbuffers/idl.h>\n", "more than one file"),
        ("core/wire/bad.cc", '#include "../base/ids.h"\n', "without .."),
        ("core/wire/bad.cc", "auto now = std::chrono::steady_clock::now();\n", "has no place in the core"),
        ("core/wire/bad.cc", "#include <leat/nothing.h>\n", "there is no such public header"),
        ("core/elsewhere/bad.cc", "\n", "stands in no folder"),
    ],
)
def test_a_planted_fault_is_caught(tmp_path: Path, path: str, text: str, expected: str) -> None:
    problems = plant(tmp_path, path, text)
    assert any(expected in problem for problem in problems), problems


def test_words_in_comments_and_strings_are_no_fault(tmp_path: Path) -> None:
    text = '// never std::mutex, never steady_clock::now()\nconst char* text = "std::thread";\n'
    assert plant(tmp_path, "core/wire/fine.cc", text) == []


def test_a_folder_without_readme_is_caught(tmp_path: Path) -> None:
    plant(tmp_path, "core/wire/frame.cc", "")
    (tmp_path / "core/wire/README.md").unlink()
    assert check_arrows.check_tree(tmp_path) == ["core/wire: has no README.md"]


def test_the_arrows_have_no_cycle() -> None:
    for folder, below in check_arrows.ARROWS.items():
        for name in below:
            assert folder not in check_arrows.reachable(name), f"{folder} and {name} may include each other"
