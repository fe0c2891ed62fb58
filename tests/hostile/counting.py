"""How many hostile inputs were tried in this run; the end of the run says so."""

from __future__ import annotations

from collections import Counter

TRIED: Counter[str] = Counter()
"""By what they were given to: `codec planes`, `format gguf`."""

SCALE = 10
"""Hostile inputs are small: so many times the examples of other properties."""
