"""Quantiles of the calls' times, from an HDR histogram: right to three digits, whatever the range."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from hdrh.histogram import HdrHistogram

LONGEST = 600 * 10**9  # nanoseconds
DIGITS = 3
# The percentiles that a curve is drawn from: 50, 90, 99, 99.9, ... and between.
CURVE = [100 * (1 - 10 ** (-nines / 4)) for nines in range(17)]


@dataclass(frozen=True)
class Quantiles:
    """In seconds."""

    p50: float
    p99: float
    p999: float


def read(path: Path) -> HdrHistogram:
    """Of a file that a client wrote: 64-bit counts of nanoseconds."""
    histogram = HdrHistogram(1, LONGEST, DIGITS)
    values, counts = np.unique(np.fromfile(path, np.uint64).clip(1, LONGEST), return_counts=True)
    for value, count in zip(values.tolist(), counts.tolist(), strict=True):
        histogram.record_value(value, count)
    return histogram


def quantiles(histogram: HdrHistogram) -> Quantiles:
    return Quantiles(*(histogram.get_value_at_percentile(p) * 1e-9 for p in (50.0, 99.0, 99.9)))


def curve(histograms: list[HdrHistogram]) -> list[tuple[float, float]]:
    """All rounds together: percentile and seconds, as far as there are calls to tell."""
    whole = HdrHistogram(1, LONGEST, DIGITS)
    for histogram in histograms:
        whole.add(histogram)
    known = [p for p in CURVE if whole.total_count * (1 - p / 100) >= 1]
    return [(p, whole.get_value_at_percentile(p) * 1e-9) for p in known]
