"""Recipes: parts follow one another and fill the file, or the recipe is refused."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlreg.errors import IntegrityError, UnsupportedError
from mlreg.formats.recipe import MAGIC, MAX_BYTES, PAGE_ROWS, Part, Recipe, paginate, shifted
from mlreg.ids import ContentId, ObjectId, PageId
from tests.unit.formats.damage import check_refused_or_exact, check_small_refusal, cuts

HEADER = struct.Struct("<4sBBHIQ")
PIECES = [(size, ContentId.of(bytes([size]))) for size in (10, 20, 1)]

sizes = st.lists(st.integers(1, 2**40), max_size=8)


def pieces_of(sizes: list[int]) -> list[tuple[int, ContentId]]:
    return [(size, ContentId.of(str(size).encode())) for size in sizes]


@given(sizes=sizes)
def test_a_recipe_is_read_back(sizes: list[int]) -> None:
    recipe = Recipe.of(pieces_of(sizes))

    assert Recipe.decode(recipe.encode()) == recipe
    assert [part.end - part.start for part in recipe.parts] == sizes
    assert recipe.size == sum(sizes)


def test_pieces_and_pages_have_ids_of_their_own_kind() -> None:
    pages = Recipe.of([(5, PageId.of(b"page"))], is_paged=True)

    assert Recipe.decode(Recipe.of(PIECES).encode()).parts[0].id == ContentId.of(bytes([10]))
    assert isinstance(Recipe.decode(Recipe.of(PIECES).encode()).parts[0].id, ContentId)
    assert isinstance(Recipe.decode(pages.encode()).parts[0].id, PageId)


@pytest.mark.parametrize("is_paged", [False, True])
def test_no_damage_gives_a_second_form_of_a_recipe(is_paged: bool) -> None:
    parts: list[tuple[int, ObjectId]] = [(size, PageId.of(b"page")) for size, _ in PIECES] if is_paged else [*PIECES]

    check_refused_or_exact(Recipe.decode, Recipe.encode, Recipe.of(parts, is_paged=is_paged).encode())


def test_a_recipe_that_is_cut_is_refused() -> None:
    for data in cuts(Recipe.of(PIECES).encode()):
        with pytest.raises(IntegrityError) as caught:
            Recipe.decode(data)
        assert caught.value.code == "bad_recipe"


def forged(ends: list[int], size: int, count: int | None = None, paged: int = 0) -> bytes:
    header = HEADER.pack(MAGIC, 1, paged, 0, len(ends) if count is None else count, size)
    return header + struct.pack(f"<{len(ends)}Q", *ends) + bytes(32 * len(ends))


LIES = {
    "an empty part": forged([5, 5], 5),
    "an empty first part": forged([0, 5], 5),
    "parts that overlap": forged([5, 3], 3),
    "parts that wrap around": forged([2**64 - 1, 4], 4),
    "parts that end too early": forged([5, 9], 10),
    "parts that end too late": forged([5, 11], 10),
    "a size without parts": forged([], 10),
    "parts without a size": forged([5], 0),
    "2**32 - 1 parts": forged([5], 5, count=2**32 - 1),
    "one part less": forged([5, 6], 5, count=1),
    "a third kind of part": forged([5], 5, paged=2),
    "another signature": b"MLRT" + forged([5], 5)[4:],
    "nothing": b"",
}


@pytest.mark.parametrize("lie", LIES)
def test_a_recipe_that_lies_is_refused_before_anything_large_is_held(lie: str) -> None:
    check_small_refusal(lambda: Recipe.decode(LIES[lie]), "bad_recipe")


def test_a_recipe_over_its_limit_is_refused_unread() -> None:
    count = MAX_BYTES // 40
    data = forged(list(range(1, count + 1)), count)
    assert len(data) > MAX_BYTES

    with pytest.raises(IntegrityError) as caught:
        Recipe.decode(data)
    assert caught.value.code == "bad_recipe"
    assert Recipe.decode(forged(list(range(1, count)), count - 1)).size == count - 1


@pytest.mark.parametrize("header", [HEADER.pack(MAGIC, 2, 0, 0, 0, 0), HEADER.pack(MAGIC, 1, 0, 1, 0, 0)])
def test_a_later_version_and_an_unknown_flag_ask_for_a_newer_release(header: bytes) -> None:
    with pytest.raises(UnsupportedError) as caught:
        Recipe.decode(header)
    assert caught.value.code == "unknown_recipe_version"


# Pages.


def test_a_short_recipe_has_no_pages() -> None:
    recipe, pages = paginate(PIECES)

    assert not recipe.is_paged
    assert pages == []
    assert [(part.end - part.start, part.id) for part in recipe.parts] == PIECES


@pytest.mark.parametrize("count", [PAGE_ROWS, PAGE_ROWS + 1, 2 * PAGE_ROWS, 2 * PAGE_ROWS + 3])
def test_the_pages_of_a_long_recipe_put_together_are_the_pieces(count: int) -> None:
    pieces = [(1 + number % 7, ContentId.of(number.to_bytes(4))) for number in range(count)]
    recipe, pages = paginate(pieces)
    stored = dict(pages)
    read = Recipe.decode(recipe.encode())

    assert read.is_paged == (count > PAGE_ROWS)
    assert len(read.parts) <= PAGE_ROWS
    assert all(PageId.of(data) == page for page, data in pages)
    if read.is_paged:
        parts = [
            piece
            for part in read.parts
            if isinstance(part.id, PageId)
            for piece in shifted(Recipe.decode(stored[part.id]), part)
        ]
    else:
        parts = list(read.parts)
    assert parts == list(Recipe.of(pieces).parts)


def test_a_page_of_another_size_than_its_place_is_refused() -> None:
    page = Recipe.of(PIECES)

    assert list(shifted(page, Part(7, 38, PageId.of(b"")))) == [
        Part(7, 17, PIECES[0][1]),
        Part(17, 37, PIECES[1][1]),
        Part(37, 38, PIECES[2][1]),
    ]
    for end in (37, 39):
        with pytest.raises(IntegrityError) as caught:
            list(shifted(page, Part(7, end, PageId.of(b""))))
        assert caught.value.code == "bad_recipe"


def test_a_page_of_pages_is_refused() -> None:
    page = Recipe.of([(5, PageId.of(b"deeper"))], is_paged=True)

    with pytest.raises(IntegrityError) as caught:
        list(shifted(page, Part(0, 5, PageId.of(b""))))
    assert caught.value.code == "bad_recipe"
