"""The file of a report, as it is written: what may run in it, and where texts stand."""

from __future__ import annotations

import json
import re
import zlib
from base64 import b64decode, b64encode
from datetime import UTC, datetime
from hashlib import sha256
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlreg.registry import ExperimentRegistry
from mlreg.registry.places import init
from mlreg.registry.reporting import Asked, Report, ReportData, gather
from mlreg.registry.results import Graph, VersionInfo
from mlreg.registry.run_results import RunInfo
from mlreg.web import report as writing
from mlreg.web.report import page

NOW = datetime(2026, 11, 30, 8, 29, tzinfo=UTC)
VENDOR = Path(str(files("mlreg.web").joinpath("vendor")))
RUN = RunInfo(
    ref="exp/churn@0199ab3f-21c5-7000-8000-000000000000",
    id="0199ab3f-21c5-7000-8000-000000000000",
    experiment="churn",
    name="a run",
    status="finished",
    sealed=True,
    started="2026-11-30T08:29:00.000Z",
    ended="2026-11-30T08:30:00.000Z",
    seconds=60.0,
    group="",
    parent="",
    author="Ann",
    params={},
    metrics={},
    ranges={},
    labels={},
    inputs=(),
    facts={},
)
EMPTY = Report("", (), {}, "", {}, (), (), Graph((), ()), (), 0, ())
HOSTILE = [
    "</script><script>alert(1)</script>",
    "<!--<script>",
    "]]>",
    "\u2028",
    "\x00",
    '"><img src=x onerror=alert(1)>',
]


class Parts(HTMLParser):
    """The elements of a page, with their texts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None], str]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs), ""))

    def handle_endtag(self, tag: str) -> None:
        self.found.append((f"/{tag}", {}, ""))

    def handle_data(self, data: str) -> None:
        if self.found:
            tag, attributes, text = self.found[-1]
            self.found[-1] = tag, attributes, text + data

    def of(self, tag: str) -> list[tuple[dict[str, str | None], str]]:
        """Return attributes and texts of the elements of this name."""
        return [(attributes, text) for name, attributes, text in self.found if name == tag]


def data_of(text: str) -> dict[str, Any]:
    """Return the data of a page."""
    [packed] = [inner for attributes, inner in Parts(text).of("script") if attributes.get("id") == "data"]
    found: dict[str, Any] = json.loads(zlib.decompress(b64decode(packed), wbits=-15))
    return found


def of_run(params: dict[str, Any]) -> Report:
    return EMPTY._replace(runs=(RUN._replace(params=params),))


def test_what_runs_and_how_it_looks_is_allowed_by_its_hash_alone() -> None:
    parts = Parts(page(EMPTY, NOW))

    [policy] = [attributes["content"] for attributes, _ in parts.of("meta") if "http-equiv" in attributes]
    allowed = dict(rule.strip().split(" ", 1) for rule in str(policy).split(";"))
    scripts = [text for attributes, text in parts.of("script") if "type" not in attributes]
    for sort, texts in (("script-src", scripts), ("style-src", [text for _, text in parts.of("style")])):
        assert allowed.pop(sort) == " ".join(
            f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'" for text in texts
        )
    assert allowed == {"default-src": "'none'", "base-uri": "'none'", "form-action": "'none'"}


def test_a_page_names_no_place_to_fetch_anything_from() -> None:
    for tag, attributes, _ in Parts(page(EMPTY, NOW)).found:
        assert not {"src", "href", "action", "data", "srcset"} & set(attributes), tag


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_is_in_the_file_as_it_is(text: str) -> None:
    version = VersionInfo(
        ref="model/net@1.0.0",
        kind="model",
        name="net",
        version="1.0.0",
        taints=(),
        id="ab",
        tree="cd",
        files=1,
        size=2,
        form="file",
        tags=(text,),
        author=text,
        time="2026-11-30T08:29:00Z",
        message=text,
        metadata={text: text, "card": text},
        inputs=(),
        parents=(),
        labels={text: text},
        deprecated=text,
        frozen=False,
        disputed=(),
    )
    report = Report(
        text,
        (RUN._replace(params={text: text}, name=text),),
        {},
        text,
        {text: "max"},
        (version,),
        (ReportData(text, None, text),),
        Graph((), ()),
        (),
        0,
        (),
    )

    harmless = EMPTY._replace(title="x", data=(ReportData("x", None, "x"),))
    plain, hostile = Parts(page(harmless, NOW)), Parts(page(report, NOW))

    assert [tag for tag, _, _ in hostile.found] == [tag for tag, _, _ in plain.found]
    assert data_of(page(report, NOW))["cards"][0]["body"] == text


@given(
    st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
        st.none()
        | st.booleans()
        | st.integers(-(2**63), 2**63 - 1)
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(max_size=5),
    )
)
def test_facts_are_in_the_data_as_they_were(params: dict[str, Any]) -> None:
    [run] = data_of(page(of_run(params), NOW))["runs"]

    found = {key.removeprefix("params."): value for key, value in run["facts"].items() if key.startswith("params.")}
    assert {key: int(value["int"]) if isinstance(value, dict) else value for key, value in found.items()} == params
    assert all(abs(int(value["int"])) >= 2**53 for value in found.values() if isinstance(value, dict))


def test_what_has_parts_is_told_from_what_was_made_for_the_page() -> None:
    params = {"list": [{"int": "5"}, 2**60], "empty": {}}

    facts = data_of(page(of_run(params), NOW))["runs"][0]["facts"]

    assert facts["params.list"] == [{"json": '{"int": "5"}'}, {"int": str(2**60)}]
    assert facts["params.empty"] == {"json": "{}"}


def test_two_params_that_have_one_name_in_the_end_hinder_no_report(tmp_path: Path) -> None:
    registry = ExperimentRegistry(init(tmp_path / "here", shared=True)[0], "Ann")
    with registry.start_experiment("churn", params={"a.b": 1, "a": {"b": "x"}}):
        pass

    [run] = data_of(page(gather(registry.place, Asked()), NOW))["runs"]

    assert run["facts"]["params.a.b"] in (1, "x")


def test_a_title_of_any_bytes_is_written() -> None:
    text = page(EMPTY._replace(title="caf\udce9"), NOW)

    assert r"<title>caf\udce9</title>" in text
    assert text.encode()


def test_the_page_says_when_and_by_what_it_was_made() -> None:
    assert data_of(page(EMPTY, NOW))["about"].startswith("made 2026-11-30 08:29 UTC by mlreg ")


def test_every_file_of_the_page_is_in_it() -> None:
    inside = {Path(name).name for name in (*writing.SCRIPTS, *writing.STYLES)}
    there = {path.name for folder in ("page", "vendor") for path in VENDOR.with_name(folder).iterdir()}

    assert {name for name in there if name.endswith((".js", ".css"))} == inside


def test_what_is_not_ours_is_as_it_was_published_and_has_its_licence() -> None:
    rows = re.findall(
        r"^\| `([^`]+)` \|.*\| ([^|]+) \| ([0-9a-f]{64}) \|$", (VENDOR / "README.md").read_text(), re.MULTILINE
    )

    assert {name for name, _, _ in rows} == {path.name for path in VENDOR.iterdir() if path.suffix in (".js", ".css")}
    for name, licence, checksum in rows:
        assert sha256((VENDOR / name).read_bytes()).hexdigest() == checksum, name
        texts = [(VENDOR / word).read_text() for word in re.findall(r"`([^`]+)`", licence)]
        assert all("Permission is hereby granted" in text for text in texts[:1]), licence
