"""Pictures made of characters: each cell has two by four dots of Braille, so that curves look like curves."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Iterator
from typing import NamedTuple

_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
_BLANK = 0x2800
_LARGEST = sys.float_info.max


class Scale(NamedTuple):
    """From values to places, 0 to 1; logarithmic if asked for."""

    low: float
    high: float
    is_log: bool = False
    """Whether `low` and `high` are the logarithms of values."""

    @classmethod
    def over(cls, values: Iterable[float], *, is_log: bool = False) -> Scale:
        """Return the scale that all values fit on; on a logarithmic one, those above 0 do."""
        fitting = [value for value in values if math.isfinite(value) and (value > 0 or not is_log)]
        ends = min(fitting, default=1.0 if is_log else 0.0), max(fitting, default=10.0 if is_log else 1.0)
        low, high = map(math.log10, ends) if is_log else ends
        if low == high:
            pad = 0.5 if is_log else abs(low) / 2 or 0.5
            low, high = max(low - pad, -_LARGEST), min(high + pad, _LARGEST)
        return cls(low, high, is_log)

    def place(self, value: float) -> float | None:
        """Return where a value lies; None if it is on no such scale."""
        if not math.isfinite(value) or (self.is_log and value <= 0):
            return None
        found = math.log10(value) if self.is_log else value
        if math.isinf(self.high - self.low):
            return (found / 2 - self.low / 2) / (self.high / 2 - self.low / 2)
        return (found - self.low) / (self.high - self.low)

    def value(self, place: float) -> float:
        """Return the value at a place."""
        found = self.low * (1 - place) + self.high * place
        try:
            return 10.0**found if self.is_log else found
        except OverflowError:
            return _LARGEST


class Canvas:
    """Cells that dots are set in."""

    def __init__(self, columns: int, rows: int) -> None:
        """Begin with nothing."""
        self.columns, self.rows = columns, rows
        self._dots = [[0] * columns for _ in range(rows)]
        self._words: dict[tuple[int, int], str] = {}

    def dot(self, x: float, y: float) -> None:
        """Set a dot; places are from 0 to 1, from the left and from below."""
        across, down = self._cell(x, self.columns * 2), self._cell(1 - y, self.rows * 4)
        self._dots[down // 4][across // 2] |= _DOTS[down % 4][across % 2]

    def line(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """Set the dots from one place to another."""
        (x0, y0), (x1, y1) = start, end
        # Two for each dot: with one, roundings would leave gaps.
        steps = max(1, 2 * math.ceil(max(abs(x1 - x0) * self.columns * 2, abs(y1 - y0) * self.rows * 4)))
        for number in range(steps + 1):
            share = number / steps
            self.dot(x0 + (x1 - x0) * share, y0 + (y1 - y0) * share)

    def letter(self, x: float, y: float, letter: str) -> None:
        """Put a letter into the cell of a place."""
        self._words[self._cell(1 - y, self.rows), self._cell(x, self.columns)] = letter

    @staticmethod
    def _cell(place: float, cells: int) -> int:
        return min(cells - 1, max(0, int(place * cells)))

    def lines(self) -> Iterator[str]:
        """Yield the rows from above."""
        for row in range(self.rows):
            cells = (
                self._words.get((row, column)) or chr(_BLANK + self._dots[row][column])
                for column in range(self.columns)
            )
            yield "".join(cells).replace(chr(_BLANK), " ").rstrip()
