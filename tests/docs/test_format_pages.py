"""The format pages: what they show is what the code writes, and what it reads."""

from __future__ import annotations

import importlib
import re
import struct
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from blake3 import blake3

from mlreg import ids
from mlreg.codecs import CODECS, codec_of
from mlreg.codecs.difference import DIFFERENCE
from mlreg.codecs.planes import Planes, Shape
from mlreg.errors import MlregError
from mlreg.formats import canonical, names, paths, usage
from mlreg.formats.archive import BLOCK as BLOCK_SIZE
from mlreg.formats.archive import decode_header, encode_header
from mlreg.formats.backup import BesideFile, Point, Record, decode_list, encode_list
from mlreg.formats.bundle import Bundle, Need, sum_of
from mlreg.formats.commit import Commit, Input
from mlreg.formats.identity import Identity
from mlreg.formats.journal import line_of, read_journal
from mlreg.formats.pack import (
    TRAILER_SIZE,
    Block,
    Item,
    PackIndex,
    PackKind,
    Sort,
    block_sum,
    decode_trailer,
    encode_index,
)
from mlreg.formats.recipe import Recipe
from mlreg.formats.run import RunState
from mlreg.formats.run_summary import summary
from mlreg.formats.series import decode_series, encode_series
from mlreg.formats.snapshot import PackState, RefState, Snapshot
from mlreg.formats.transaction import PackEntry, RefChange, Transaction
from mlreg.formats.tree import Child, File, Mode, Node, build
from mlreg.ids import CommitId, ContentId, ObjectId, PageId, TransactionHash, TreeId
from tests.docs.error_codes import codes_in_source

ROOT = Path(__file__).parents[2]
FORMATS = ROOT / "docs" / "format"
PAGES = sorted(path.stem for path in FORMATS.glob("*.md") if path.stem != "index")
SECTIONS = ["Layout", "Limits", "Rules", "Reasons", "Example", "A newer version", "Changes"]

NO_CODE = "\N{EN DASH}"
"""In a table, where a reader cannot see that a rule is broken."""

HELLO = ContentId.of(b"hello")
AUTHOR = "Ann Lee <ann@example.org>"


def text_of(page: str) -> str:
    return (FORMATS / f"{page}.md").read_text(encoding="utf-8")


def section(page: str, title: str) -> str:
    found = re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", text_of(page), re.DOTALL | re.MULTILINE)
    assert found, f"{page}.md has no section {title}"
    return found[1]


def fences(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", section(page, "Example"), re.DOTALL | re.MULTILINE)


def hex_of(page: str) -> list[bytes]:
    """Return the bytes of each hex block; what stands behind # is a comment."""
    return [bytes.fromhex(re.sub(r"#.*", "", block)) for block in fences(page, "hex")]


def json_of(page: str) -> bytes:
    (block,) = fences(page, "json")
    return block.removesuffix("\n").encode()


def rows(text: str, header: str) -> list[list[str]]:
    """Return the cells of the tables with a header row."""
    found: list[list[str]] = []
    for table in re.findall(rf"^\| {re.escape(header)} \|\n\|[-|]+\|\n((?:\|.*\|\n)+)", text, re.MULTILINE):
        found.extend([cell.strip() for cell in line.strip("|").split(" | ")] for line in table.splitlines())
    assert found, f"no table | {header} |"
    return found


# The values that the pages show.

IDENTITY = Identity("00112233445566778899aabbccddeeff", "2026-11-23T06:28:00Z")
LEAF = Node(0, 2, 5, (File("bin/run", Mode.EXECUTABLE, 0, ContentId.of(b"")), File("hello.txt", Mode.FILE, 5, HELLO)))
INNER = Node(1, 3, 15, (Child("bin/run", 1, 0, TreeId.of(b"1")), Child("hello.txt", 2, 15, TreeId.of(b"2"))))
RECIPE = Recipe.of([(4, ContentId.of(b"hell")), (1, ContentId.of(b"o"))])
PAGED = Recipe.of([(5, PageId.of(RECIPE.encode()))], is_paged=True)
COMMIT = Commit(
    entry="model/greeter",
    version="1.0.0",
    tree=TreeId.of(LEAF.encode()),
    files=2,
    size=5,
    form="directory",
    parents=(),
    inputs=(Input("data", CommitId.of(b"hello"), "data/words@2026.11.23"),),
    metadata={"metrics": {"map": 0.93}, "note": "größer"},
    message="first",
    author=AUTHOR,
    time="2026-11-23T06:30:00Z",
)
COMMIT_ID = CommitId.of(COMMIT.encode())
PACK_ID = "3fa9c1d2e4b5a69788796a5b4c3d2e1f"
BLOCK = b"hellohi"
BLOCKS = [Block(0, 7, 7, 0, block_sum(BLOCK))]
ITEMS = [Item(Sort.PIECE, HELLO, 0, 0, 5), Item(Sort.PIECE, ContentId.of(b"hi"), 0, 5, 2)]
PACK = BLOCK + encode_index(PackKind.DATA, BLOCKS, ITEMS)
INDEX_SIZE, INDEX_SUM = decode_trailer(PACK[-TRAILER_SIZE:])
PACK_ENTRY = PackEntry(PACK_ID, PackKind.DATA, len(PACK), INDEX_SIZE, INDEX_SUM, 2)
SLOT = Transaction(
    number=1,
    previous=IDENTITY.origin,
    id="5c" * 16,
    time="2026-11-23T06:30:01Z",
    author=AUTHOR,
    message="add model/greeter@1.0.0",
    refs=(
        RefChange("version/model/greeter/1.0.0", None, COMMIT_ID),
        RefChange("tag/model/greeter/production", None, COMMIT_ID),
    ),
    add=(PACK_ENTRY,),
)
SNAPSHOT = Snapshot(
    number=1,
    head=TransactionHash.of(SLOT.encode()),
    generation=0,
    requires=(),
    refs=tuple(sorted(RefState(ref.name, ref.new, None, 1) for ref in SLOT.refs)),
    packs=(PackState(PACK_ENTRY, 1, 0),),
    reaped=(),
)


POINT = Point(1, TransactionHash.of(SLOT.encode()))
BESIDE = [BesideFile("config.yaml", 5, HELLO)]
RECORD = Record(
    repository=IDENTITY.repository,
    point=POINT,
    since=None,
    time="2026-11-23T06:31:00Z",
    author=AUTHOR,
    host="ann-laptop",
    is_project=True,
    versions=1,
    size=220,
    copied=1200,
    beside=ContentId.of(encode_list(BESIDE)),
)
BUNDLE = Bundle(
    repository=IDENTITY.repository,
    point=POINT,
    time="2026-11-23T06:31:00Z",
    author=AUTHOR,
    host="ann-laptop",
    needs=(Need("model/greeter@1.0.0", COMMIT_ID),),
    left_out=1,
    sum=sum_of([HELLO]),
)


class Document(NamedTuple):
    """A value that a page shows as bytes or JSON, and how the code writes and reads it."""

    page: str
    shown: Callable[[], bytes]
    value: Any
    write: Callable[[], bytes]
    read: Callable[[bytes], Any]


DOCUMENTS = (
    Document("identity", lambda: json_of("identity"), IDENTITY, IDENTITY.encode, Identity.decode),
    Document("backup", lambda: json_of("backup"), RECORD, RECORD.encode, Record.decode),
    Document("bundle", lambda: json_of("bundle"), BUNDLE, BUNDLE.encode, Bundle.decode),
    Document("commit", lambda: json_of("commit"), COMMIT, COMMIT.encode, Commit.decode),
    Document("log", lambda: json_of("log") + b"\n", SLOT, SLOT.encode, Transaction.decode),
    Document("tree", lambda: hex_of("tree")[0], LEAF, LEAF.encode, Node.decode),
    Document("tree", lambda: hex_of("tree")[1], INNER, INNER.encode, Node.decode),
    Document("recipe", lambda: hex_of("recipe")[0], RECIPE, RECIPE.encode, Recipe.decode),
    Document("recipe", lambda: hex_of("recipe")[1], PAGED, PAGED.encode, Recipe.decode),
)


@pytest.mark.parametrize("document", DOCUMENTS, ids=[f"{d.page}-{n}" for n, d in enumerate(DOCUMENTS)])
def test_a_page_shows_the_bytes_that_are_written_and_read(document: Document) -> None:
    assert document.write() == document.shown()
    assert document.read(document.shown()) == document.value


def test_the_pack_page_shows_a_pack_and_where_everything_in_it_lies() -> None:
    (shown,) = hex_of("pack")

    assert shown == PACK
    size, digest = decode_trailer(shown[-TRAILER_SIZE:])
    index = PackIndex(shown[-TRAILER_SIZE - size : -TRAILER_SIZE], digest)
    index.check()
    assert list(index.blocks()) == BLOCKS
    assert list(index.items()) == sorted(ITEMS, key=lambda item: item.id)
    assert [shown[item.start : item.start + item.size] for item in index.items()] == [b"hi", b"hello"]


def test_the_snapshot_page_shows_header_and_document() -> None:
    """The page stores the document raw: what a compressor makes of it is not part of the format."""
    (header,) = hex_of("snapshot")
    document = json_of("snapshot")
    written = SNAPSHOT.encode()

    assert Snapshot.decode(header + document) == SNAPSHOT
    assert codec_of(written[5]).decode(written[48:], len(document)) == document
    assert (written[:5], written[6:48]) == (header[:5], header[6:])


def test_the_page_on_runs_shows_a_journal_and_what_it_is_sealed_as() -> None:
    (journal,), (metrics,) = fences("run", "text"), hex_of("run")
    reading = read_journal(journal.encode())
    state = RunState("01a20c4f-b500-7000-8203-040506070809")
    for record in reading.records:
        state.take(record)

    assert (reading.damaged, reading.is_cut) == (0, False)
    assert "".join(line_of(record).decode() for record in reading.records) == journal
    assert canonical.encode(summary(state, "finished", state.metrics)) == json_of("run")
    assert encode_series(state.metrics) == metrics
    assert decode_series(metrics) == state.metrics


def test_the_page_on_usage_shows_reads_and_their_sum() -> None:
    own, shared = (text.encode() for text in fences("usage", "text"))
    counted = usage.decode(own)

    assert b"".join(usage.line_for(key, reader) for key, readers in counted.items() for reader in readers) * 2 == own
    assert usage.encode(usage.without_readers(counted)) == shared
    assert f".{usage.total(counted)}`" in section("usage", "Example")


def test_the_page_on_archives_shows_a_header() -> None:
    (shown,) = hex_of("archive")

    assert shown.ljust(BLOCK_SIZE, b"\0") == encode_header("mlreg.json", 127)
    assert decode_header(shown.ljust(BLOCK_SIZE, b"\0")) == ("mlreg.json", len(IDENTITY.encode()))


def test_the_page_on_backups_shows_a_list_of_files() -> None:
    (shown,) = fences("backup", "text")

    assert encode_list(BESIDE) == shown.removesuffix("\n").encode()
    assert decode_list(encode_list(BESIDE)) == BESIDE


def test_the_codec_page_shows_a_frame_that_is_decoded() -> None:
    frame, _, _ = hex_of("codecs")
    zstd = codec_of(1)

    assert zstd.decode(frame, 64) == b"a" * 64
    assert zstd.decode(zstd.encode(b"a" * 64), 64) == b"a" * 64


def test_the_codec_page_shows_planes_as_they_are_written() -> None:
    _, planes, _ = hex_of("codecs")
    plain = b"\xaa" + struct.pack("<4H", 0x8001, 0x8102, 0x8203, 0x8304)

    assert codec_of(2).decode(planes, len(plain)) == plain
    assert Planes().encode_as(plain, Shape(2, is_rotated=True, lead=1)) == planes


def test_the_codec_page_shows_a_difference_as_it_is_written() -> None:
    _, _, difference = hex_of("codecs")
    base, plain = bytes([5, 5, 5]), bytes([5, 4, 7])

    assert DIFFERENCE.decode(difference, base, 3) == plain
    assert DIFFERENCE.encode(plain, ContentId.of(base), base, Shape(1, is_rotated=False)) == difference


def test_the_codec_page_lists_all_codecs() -> None:
    table = rows(section("codecs", "Layout"), "number | name | stored bytes")

    known = [*((codec.number, codec.name) for codec in CODECS), (DIFFERENCE.number, DIFFERENCE.name)]
    assert [(int(row[0]), row[1]) for row in table] == known


def test_the_pack_page_lists_all_sorts_in_the_packs_they_belong_to() -> None:
    table = rows(section("pack", "Layout"), "sort | object | kind of pack | id")

    assert [int(row[0]) for row in table] == list(Sort)
    for number, _, kind, _ in table:
        index = encode_index(PackKind[kind.upper()], [Block(0, 1, 1, 0, bytes(16))], [_item(int(number))])
        size, digest = decode_trailer(index[-TRAILER_SIZE:])
        PackIndex(index[:size], digest).check()


def _item(number: int) -> Item:
    return Item(Sort(number), HELLO, 0, 0, 1)


KINDS_OF_ID: dict[str, type[ObjectId]] = {
    "content": ContentId,
    "page": PageId,
    "tree": TreeId,
    "commit": CommitId,
    "slot": TransactionHash,
}


def test_the_page_on_ids_shows_what_each_kind_makes_of_hello() -> None:
    shown = {row[0]: row[1].strip("`") for row in rows(section("ids", "Example"), "id | digits")}

    assert shown == {kind: str(id_type.of(b"hello")) for kind, id_type in KINDS_OF_ID.items()}


def test_the_page_on_ids_names_all_contexts() -> None:
    named = {row[0]: re.findall("`(mlreg [^`]+)`", row[2]) for row in rows(section("ids", "Layout"), "id | of | how")}
    kinds = [kind for kind in vars(ids).values() if isinstance(kind, type) and issubclass(kind, ObjectId)]

    assert named == {kind: [id_type.context] if id_type.context else [] for kind, id_type in KINDS_OF_ID.items()}
    assert set(kinds) == {ObjectId, *KINDS_OF_ID.values()}


@pytest.mark.parametrize(
    ("page", "digest"),
    [("identity", IDENTITY.origin), ("log", TransactionHash.of(SLOT.encode())), ("commit", COMMIT_ID)],
    ids=lambda value: value if type(value) is str else "id",
)
def test_a_page_names_the_id_of_its_example(page: str, digest: ObjectId) -> None:
    assert f"`{digest}`" in section(page, "Example")


VALUES = (1, 1.0, 1e16, 1e-7, -0.0, 2**63 - 1)


def test_the_page_on_json_shows_how_values_are_written() -> None:
    shown = [row[1].strip("`").encode() for row in rows(section("json", "Example"), "value | bytes")]

    assert shown == [canonical.encode(value) for value in VALUES]
    assert [repr(canonical.decode(text, 100)) for text in shown] == [repr(value) for value in VALUES]


def test_the_page_on_json_shows_what_is_escaped() -> None:
    value = {"b": [1, 1.0, True, None], "a": 'ä\n"\\/\x01\x7f\u2028'}
    (shown,) = hex_of("json")

    assert canonical.encode(value) == shown
    assert canonical.decode(shown, 100) == value


def test_a_value_has_as_many_containers_around_it_as_the_page_on_json_says() -> None:
    deepest = b"[" * canonical.MAX_DEPTH + b"1" + b"]" * canonical.MAX_DEPTH

    assert canonical.encode(canonical.decode(deepest, 100)) == deepest
    assert _verdict(lambda: canonical.decode(b"[" + deepest + b"]", 100)) == "bad_json"


CHECKS: dict[str, Callable[[str], object]] = {
    "name": names.check_name,
    "tag": names.check_tag,
    "role": names.check_role,
    "remote": names.check_remote,
    "version": names.check_version_text,
    "ref": names.parse_ref_name,
}


@pytest.mark.parametrize("row", rows(section("names", "Example"), "text | as | is"), ids=lambda row: row[0])
def test_the_page_on_names_says_what_is_legal(row: Sequence[str]) -> None:
    text, kind, verdict = row

    assert _verdict(lambda: CHECKS[kind](text.strip("`"))) == verdict.strip("`")


@pytest.mark.parametrize("row", rows(section("paths", "Example"), "paths | are"), ids=lambda row: row[0])
def test_the_page_on_paths_says_what_is_legal(row: Sequence[str]) -> None:
    texts, verdict = row

    assert _verdict(lambda: paths.check_tree_paths(re.findall("`([^`]+)`", texts))) == verdict.strip("`")


def _verdict(check: Callable[[], object]) -> str:
    try:
        check()
    except MlregError as error:
        return error.code
    return "legal"


def test_the_page_on_names_has_all_words_that_are_kept() -> None:
    rules = section("names", "Rules")

    assert set(re.findall("`([a-z]+)`", rules)) >= names.RESERVED_WORDS
    assert set(re.findall("`([a-z]+)`", section("names", "Layout"))) == names.KINDS


def test_the_tree_page_names_the_first_path_that_ends_a_leaf_and_a_node() -> None:
    example = section("tree", "Example")
    digests = {f"{n:04}.txt": blake3(f"{n:04}.txt".encode()).digest() for n in range(1000)}
    leaf = next(n for n, d in digests.items() if int.from_bytes(d[:8], "little") % 1024 == 0)
    node = next(n for n, d in digests.items() if int.from_bytes(d[8:16], "little") % 256 == 0)

    assert f"`{leaf}` is the first behind which a leaf ends" in example
    assert f"`{node}` the first" in example
    assert f"`{digests[leaf][:8].hex()}`" in example
    assert f"`{digests[node][8:16].hex()}`" in example


def test_trees_are_cut_where_the_page_says() -> None:
    """Counted from the words of the page: leaves of a thousand files end where the hash ends in ten zero bits."""
    files = [File(f"{n:04}.txt", Mode.FILE, 0, ContentId.of(b"")) for n in range(1000)]
    nodes: list[Node] = []
    build(files, lambda _, data: nodes.append(Node.decode(data)))
    lasts = [file.path for file in files if _ends(file.path)] + ["0999.txt"]

    assert [row.path for node in nodes if node.level == 0 for row in node.rows[-1:] if isinstance(row, File)] == lasts


def _ends(path: str) -> bool:
    return int.from_bytes(blake3(path.encode()).digest()[:8], "little") % 1024 == 0


# What all pages have.


def test_every_page_that_the_source_names_is_there_and_the_index_lists_all() -> None:
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "src").rglob("*.py")]
    named = {page for source in sources for page in re.findall(r"docs/format/([a-z]+)\.md", source)}

    assert named == set(PAGES)
    assert set(re.findall(r"\]\(([a-z]+)\.md\)", text_of("index"))) == set(PAGES)


@pytest.mark.parametrize("page", PAGES)
def test_a_page_has_every_section_in_order_and_says_where_the_code_is(page: str) -> None:
    text = text_of(page)
    status = re.search(r"^Status: stable\. Version: 1\. Code: (.+)\.$", text, re.MULTILINE)

    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == SECTIONS
    assert status
    for path in re.findall("`([^`]+)`", status[1]):
        assert (ROOT / path).exists(), path


@pytest.mark.parametrize("page", [page for page in PAGES if "| limit |" in text_of(page)])
def test_a_page_gives_the_limits_of_the_code(page: str) -> None:
    limits = section(page, "Limits")
    table = rows(limits, "limit | value | code")
    table += rows(limits, "habit | value | code") if "| habit |" in limits else []

    for limit, value, place in table:
        module, _, name = place.strip("`").rpartition(".")
        assert getattr(importlib.import_module(f"mlreg.{module}"), name) == int(value.replace(",", "")), limit


@pytest.mark.parametrize("page", PAGES)
def test_the_codes_in_the_rules_of_a_page_exist(page: str) -> None:
    for rule, codes in rows(section(page, "Rules"), "rule | code"):
        named = re.findall("`([a-z_]+)`", codes)
        assert named or codes == NO_CODE, rule
        assert set(named) <= codes_in_source().keys(), rule


def test_the_codes_that_the_index_refuses_by_exist() -> None:
    table = rows(text_of("index"), "what | where | if it is not known | code")
    unknown = {code for code in codes_in_source() if code.startswith(("unknown_", "newer_"))}
    named = {row[3].strip("`") for row in table} - {NO_CODE}

    # The others are said of what a user asks for, not of what is stored.
    assert named == unknown - {"unknown_key", "unknown_scheme", "unknown_model_object"}
