"""HTML that is made of elements: what is no `Markup` goes in as text, so that nothing in the data is read as HTML."""

from __future__ import annotations

from collections.abc import Iterable

from mlreg.web.document import escaped


class Markup(str):
    """HTML, which goes in as it is."""

    __slots__ = ()


def make(tag: str, *children: object, **attributes: object) -> Markup:
    """Return an element; children and attributes that are None are left out.

    >>> make("p", "a<b", make("i", 1), None, class_="soft", aria_label=None)
    '<p class="soft">a&lt;b<i>1</i></p>'
    """
    told = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{escaped(value)}"'
        for name, value in attributes.items()
        if value is not None
    )
    return Markup(f"<{tag}{told}>{joined(children)}</{tag}>")


def joined(children: Iterable[object]) -> Markup:
    """Return children one after the other, those that are None left out."""
    return Markup("".join(one if isinstance(one, Markup) else escaped(one) for one in children if one is not None))
