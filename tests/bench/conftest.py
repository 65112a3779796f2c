"""Lets the tests import the modules of bench/ and what stands beside them."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path += [str(HERE.parents[1] / "bench"), str(HERE)]
