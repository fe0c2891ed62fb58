"""The page on the audit trail names every word that the trail has."""

from __future__ import annotations

import re
from pathlib import Path

from mlreg.registry.auditing import ACTIONS

PAGE = Path(__file__).parents[2] / "docs" / "audit-and-health.md"


def test_the_page_lists_the_words_of_the_audit_trail() -> None:
    _, _, rest = PAGE.read_text(encoding="utf-8").partition("The words are those of the commands: ")
    listed = re.findall(r"`([a-z-]+)`", rest.partition("\n\n")[0])
    assert sorted(listed) == sorted(ACTIONS)
