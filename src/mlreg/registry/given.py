"""What callers in Python hand over where several are meant: lists of texts, and inputs with their roles."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mlreg.errors import UsageError

Inputs = Iterable[tuple[str, str]] | Mapping[str, str]
"""(role, ref), or from roles to refs."""


def listed(texts: Iterable[str]) -> list[str]:
    """Return several texts; one alone is meant whole, and not as its characters.

    >>> listed("golden"), listed(("id", "day"))
    (['golden'], ['id', 'day'])
    """
    return [texts] if isinstance(texts, str) else list(texts)


def input_pairs(inputs: Inputs) -> list[tuple[str, str]]:
    """Return what something was made from, (role, ref).

    Raises:
        UsageError: `bad_inputs`.
    """
    found: object = inputs.items() if isinstance(inputs, Mapping) else inputs  # Python lets a caller pass anything
    if isinstance(found, str) or not isinstance(found, Iterable):
        raise _no_pair(found)
    return [_pair(one) for one in found]


def _pair(one: object) -> tuple[str, str]:
    match one:
        case (str(role), str(ref)):
            return role, ref
    raise _no_pair(one)


def _no_pair(one: object) -> UsageError:
    ref = one if isinstance(one, str) else "data/frames@latest"
    why = "each input has a role, which says as what it was used"
    fix = (f'inputs=[("data", "{ref:.200}")]', f'inputs={{"data": "{ref:.200}"}}')
    return UsageError("bad_inputs", f"{one!r:.200} is not a role and a ref", why=why, fix=fix)
