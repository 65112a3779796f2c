"""The counts that `make test` closes with come from these functions."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

import runners  # noqa: E402

REPORT = """<testsuites><testsuite name="A">
<testcase classname="A" name="good" status="run"/>
<testcase classname="A" name="bad" status="run"><failure message="no"/></testcase>
<testcase classname="A" name="skip" status="run"><skipped message="a.cc:5&#x0A;no such thing"/></testcase>
<testcase classname="A" name="off" status="notrun"/>
</testsuite></testsuites>"""


def test_a_report_is_counted(tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    report.write_text(REPORT)
    tally = runners.read_junit(report, 1, "program")
    assert tally.line() == "1 passed, 1 failed, 2 skipped"
    assert tally.failed == ["program: A.bad"]
    assert tally.skipped == ["program: A.skip: a.cc:5 no such thing", "program: A.off: disabled"]


def test_a_crash_without_a_report_is_a_failure(tmp_path: Path) -> None:
    tally = runners.read_junit(tmp_path / "none.xml", -11, "program")
    assert tally.failed == ["program: ended with SIGSEGV and no report"]


def test_a_leak_after_good_tests_is_a_failure(tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    report.write_text('<testsuites><testsuite><testcase name="good"/></testsuite></testsuites>')
    tally = runners.read_junit(report, 1, "program")
    assert tally.line() == "1 passed, 1 failed, 0 skipped"


def test_no_test_at_all_is_not_good(capsys: pytest.CaptureFixture[str]) -> None:
    assert runners.close(runners.Tally()) == 1
    assert capsys.readouterr().out.splitlines()[-1] == "0 passed, 0 failed, 0 skipped"
