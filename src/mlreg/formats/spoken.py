"""A hash as words that can be said on the phone: proquints, five letters for each 16 bits, which no one misspells."""

from __future__ import annotations

from mlreg.ids import TransactionHash

WORDS = 6
"""Words of a phrase: 96 bits."""
_CONSONANTS, _VOWELS = "bdfghjklmnprstvz", "aiou"


def phrase_of(head: TransactionHash) -> str:
    """Return the first bits of a hash as words.

    >>> phrase_of(TransactionHash(bytes([127, 0, 0, 1] * 8)))
    'lusab-babad-lusab-babad-lusab-babad'
    """
    numbers = (int.from_bytes(head[at : at + 2], "big") for at in range(0, 2 * WORDS, 2))
    return "-".join(map(_word, numbers))


def _word(number: int) -> str:
    consonants = (_CONSONANTS[number >> shift & 15] for shift in (12, 6, 0))
    first, second = (_VOWELS[number >> shift & 3] for shift in (10, 4))
    one, two, three = consonants
    return f"{one}{first}{two}{second}{three}"
