"""The frame of a page, and the elements in it: what may run there, and that what is no markup is text."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from mlreg.web.document import document
from mlreg.web.markup import Markup, make


class Reader(HTMLParser):
    """What a reader of HTML finds."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes.extend(attrs)

    def handle_data(self, data: str) -> None:
        self.text += data


def test_a_page_without_a_script_allows_none_and_its_style_by_its_hash_alone() -> None:
    text = document("x", "<p>y</p>", ["page/data.css"])

    style = text.partition("<style>")[2].partition("</style>")[0]
    hashed = b64encode(sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{hashed}'; base-uri 'none'; form-action 'none'"
    assert ("content", policy) in Reader(text).attributes
    assert "script" not in Reader(text).tags


@given(st.text(), st.text())
def test_a_text_is_one_text_wherever_it_stands(inside: str, attribute: str) -> None:
    found = Reader(make("p", inside, make("em", inside), title=attribute))

    plain = "".join(mark if mark.isprintable() else mark.encode("unicode_escape").decode() for mark in inside)
    assert (found.tags, found.text) == (["p", "em"], plain * 2)
    assert [name for name, _ in found.attributes] == ["title"]
    told = found.attributes[0][1] or ""
    assert told == "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in attribute)


def test_markup_goes_in_as_it_is_and_none_not_at_all() -> None:
    assert make("p", Markup("<i></i>"), None, class_=None) == "<p><i></i></p>"
