"""How many, and how much, as people read it."""

from __future__ import annotations


def size_of(size: int) -> str:
    """Return bytes as people read them.

    >>> size_of(999), size_of(1500), size_of(2_000_000_000)
    ('999 B', '1.5 kB', '2.0 GB')
    """
    if size < 1000:
        return f"{size} B"
    amount = float(size)
    for unit in ("kB", "MB", "GB", "TB"):
        amount /= 1000
        if amount < 1000 or unit == "TB":
            break
    return f"{amount:.1f} {unit}"


def count_of(number: int, word: str) -> str:
    """Return a number with its noun.

    >>> count_of(1, "file"), count_of(0, "file")
    ('1 file', '0 files')
    """
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
