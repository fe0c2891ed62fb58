"""Cards: what is written is read again, and what others wrote is kept."""

from __future__ import annotations

import textwrap
from typing import Any

import pytest
import yaml
from hypothesis import assume, example, given
from hypothesis import strategies as st

from mlreg.errors import UsageError
from mlreg.formats.canonical import encode
from mlreg.formats.card import MAX_CHARS, MAX_FRONT_CHARS, SPELLINGS, parse_card, render_card
from mlreg.formats.fields import check_fields
from tests.unit.formats.test_canonical import texts, values
from tests.unit.formats.test_fields import standard

OURS = {spelling.ours for spelling in SPELLINGS}
THEIRS = {spelling.theirs for spelling in SPELLINGS}

bodies = st.text("a#- \n\r\ufeff:é") | texts
free = st.dictionaries(texts.filter(lambda key: key not in THEIRS - OURS), values, max_size=3)
metadatas = st.builds(lambda named, more: more | named, standard, free)
"""What `check_fields` takes, with free keys."""
anything = st.dictionaries(st.sampled_from(sorted(OURS | THEIRS)) | texts, values, max_size=4)
"""Standard fields with any value, and their other spellings beside them."""


def front_of(card: str) -> Any:
    """Read front matter with PyYAML, as Hugging Face does."""
    return yaml.safe_load(card.split("\n---\n", maxsplit=1)[0].removeprefix("---\n"))


@given(metadatas, bodies)
@example({}, "---\n")
@example({}, "\ufeff---\n---\n")
@example({}, "--- \r\n")
@example({"a": 1}, "\n\n")
@example({"a": 1}, "\r\n")
@example({"a": 1}, "---\n")
@example({"metrics": {}}, "")
@example({"metrics": {"unknown": {"map": 1}}}, "")
@example({"metrics": {"unknown": {"map": 1}, "test": {"map": 1}}}, "")
@example({"metrics": {"test": {}}}, "")
@example({"metrics": {"map": 1, "test": {"map": 1}}}, "")
@example({"metrics": {"map": 1}, "model-index": [{"name": "x"}]}, "")
@example({"metrics": {"map": 1}, "metric_names": ["map"], "task": "x"}, "")
@example({"framework": {"name": "torch", "version": "2.10"}}, "")
@example({"a": ["1e-3", "yes", "2026-01-01", "", "null", "~", "- a", "a: b", "#", "\x7f\x85\u2028\ufeff😀"]}, "")
@example({"a": [1e-07, 5e-324, 1e22, -0.0, 1.0, 1]}, "")
@example({"yes": 1, "1": 2, "": 3, "a: b": 4, "<<": {"a": 1}}, "")
@example({"a": [[], {}, [[1, [2]], {"b": []}]]}, "")
def test_what_was_written_is_read_again_with_its_types(metadata: dict[str, Any], body: str) -> None:
    card = parse_card(render_card(metadata, body, ""), "README.md")

    assert encode(card.fields) == encode(metadata)
    assert card.body == body


@given(metadatas)
@example({"a": [1e-07, 1e22, 0.1, "1e-07", "yes", "010", "1:30", "2026-01-01", ".5", "0x1", "Null", "ON"]})
def test_other_readers_of_yaml_see_the_same_front_matter(metadata: dict[str, Any]) -> None:
    card = render_card(metadata, "", "")
    assume(card)

    renamed = render_card(front_of(card), "", "")

    # All keys are spelt in their way already, so writing what PyYAML read changes nothing.
    assert renamed == card


@given(anything)
@example({"task": "x", "pipeline_tag": "y", "tags": ["a"], "keywords": ["b"], "metrics": ["map"], "metric_names": 1})
def test_after_one_round_nothing_changes_any_more(metadata: dict[str, Any]) -> None:
    once = parse_card(render_card(metadata, "", ""), "x").fields

    assert encode(parse_card(render_card(once, "", ""), "x").fields) == encode(once)
    assert len(once) == len(metadata)


@given(metadatas)
def test_the_order_of_keys_does_not_matter(metadata: dict[str, Any]) -> None:
    assert render_card(dict(reversed(metadata.items())), "", "") == render_card(metadata, "", "")


@given(st.text(max_size=60) | st.text("-\n\r :a#&*![]{}\ufeff'\"").map(lambda text: "---\n" + text))
@example("---\n&a [*a]\n---\n")
@example("---\r\n---")
def test_any_text_is_read_or_refused_with_one_of_two_codes(text: str) -> None:
    try:
        card = parse_card(text, "x")
    except UsageError as error:
        code = error.code
    else:
        code = "bad_card"
        assert isinstance(card.fields, dict)
    assert code in ("bad_card", "bad_yaml")


WRITTEN = {
    "license": "apache-2.0",
    "task": "object-detection",
    "framework": "torch",
    "data": ["frames"],
    "keywords": ["surgery", "no"],
    "metrics": {"map": 0.93},
    "team": "vision",
}

TEXT = textwrap.dedent("""\
    ---
    datasets:
      - frames
    library_name: torch
    license: apache-2.0
    model-index:
      - name: Suture detector
        results:
          - dataset:
              name: unknown
              type: unknown
            metrics:
              - type: map
                value: 0.93
            task:
              type: object-detection
    pipeline_tag: object-detection
    tags:
      - surgery
      - "no"
    team: vision
    ---

    # Suture detector

    Finds sutures.
""")


def test_a_card_looks_as_hugging_face_has_them() -> None:
    assert render_card(WRITTEN, "Finds sutures.\n", "Suture\n detector") == TEXT


def test_a_card_of_theirs_has_our_fields() -> None:
    card = parse_card(TEXT, "README.md")

    assert card.fields == WRITTEN
    assert card.body == "# Suture detector\n\nFinds sutures.\n"


def test_a_card_that_we_wrote_gets_no_second_heading() -> None:
    card = parse_card(TEXT, "README.md")

    assert render_card(card.fields, card.body, "Suture detector") == TEXT


FOUND = textwrap.dedent("""\
    ---
    license: mit
    metrics: [accuracy, f1]
    library_name: transformers
    base_model: bert-base
    language: [en, no]
    model-index:
    - name: bert
      results:
      - task: {type: text-classification, name: Text Classification}
        dataset: {type: glue, name: GLUE SST-2, config: sst2, split: validation}
        metrics:
        - {type: accuracy, value: 0.91, name: Accuracy}
    ---
    # bert
""")


def test_a_model_index_that_says_more_than_metrics_do_is_kept_as_it_is() -> None:
    card = parse_card(FOUND, "README.md")

    assert card.fields["model-index"] == front_of(FOUND)["model-index"]
    assert card.fields["metric_names"] == ["accuracy", "f1"]
    assert card.fields["language"] == ["en", "no"]
    assert "metrics" not in card.fields
    assert check_fields(card.fields) == []
    assert card.body == "# bert\n"
    assert parse_card(render_card(card.fields, card.body, ""), "x") == card


def index_of(**changes: Any) -> list[Any]:
    """Return a model-index that would become metrics, but for some changes in its only result."""
    title = changes.pop("title", "m")
    result = {"task": {"type": "other"}, "dataset": {"name": "a", "type": "a"}, "metrics": [{"type": "x", "value": 1}]}
    return [{"name": title, "results": [result | changes]}]


def test_a_simple_model_index_becomes_metrics() -> None:
    assert parse_card(render_card({"model-index": index_of()}, "", ""), "x").fields == {"metrics": {"a": {"x": 1}}}


def configs_of(**changes: Any) -> Any:
    files = [{"split": "train", "path": "train/*"}, {"split": "test", "path": ["a.csv", "b.csv"]}]
    return [{"config_name": "default", "data_files": files} | changes]


def test_configs_that_only_name_files_of_splits_become_splits() -> None:
    card = parse_card(render_card({"configs": configs_of()}, "", ""), "x")

    assert card.fields == {"splits": {"train": "train/*", "test": ["a.csv", "b.csv"]}}
    assert parse_card(render_card(card.fields, "", ""), "x") == card
    assert "configs:" in render_card(card.fields, "", "")


@pytest.mark.parametrize(
    "configs",
    [
        configs_of(config_name="en"),
        configs_of(default=True),
        configs_of() * 2,
        configs_of(data_files="train/*"),
        configs_of(data_files=[{"split": "train", "path": "a", "sep": ";"}]),
        configs_of(data_files=[{"split": "train", "path": "a"}, {"split": "train", "path": "b"}]),
        configs_of(data_files=[{"split": "train", "path": 3}]),
        configs_of(data_files=[]),
        [],
        "default",
        3,
    ],
)
def test_any_other_configs_are_kept_as_they_are(configs: Any) -> None:
    assert parse_card(render_card({"configs": configs}, "", ""), "x").fields == {"configs": configs}


def test_a_model_index_takes_the_place_of_no_metrics() -> None:
    fields = {"metrics": {"map": 1}, "model-index": index_of()}

    assert parse_card(render_card(fields, "", ""), "x").fields == fields


@pytest.mark.parametrize(
    "index",
    [
        *(None, 1, "text", [], {}, [1], [{}], [{"results": []}], [{"results": [{"dataset": 1}]}], {"results": [1]}),
        [{"results": index_of()[0]["results"]}],
        [*index_of(), *index_of()],
        index_of(title=5),
        index_of(more=1),
        index_of(task={"type": "else"}),
        index_of(dataset={"name": "a", "type": "b"}),
        index_of(dataset={"name": 1, "type": 1}),
        index_of(metrics=[{"type": 5, "value": 1}]),
        index_of(metrics=[{"type": ["x"], "value": 1}]),
        index_of(metrics=[{"type": "x", "value": True}]),
        index_of(metrics=[{"type": "x", "value": "1"}]),
        index_of(metrics=[{"type": "x", "value": 1}] * 2),
        index_of(metrics=[{"type": "x", "value": 1, "verified": False}]),
    ],
)
def test_any_other_model_index_is_kept_as_it_is(index: Any) -> None:
    card = parse_card(render_card({"model-index": index}, "", ""), "x")

    assert card.fields == {"model-index": index}


@pytest.mark.parametrize(
    ("text", "body"),
    [
        ("", ""),
        ("# Title\n", "# Title\n"),
        ("\n---\na: 1\n---\n", "\n---\na: 1\n---\n"),
        ("----\n", "----\n"),
        ("--- a\n", "--- a\n"),
        ("---", "---"),
    ],
)
def test_front_matter_may_be_missing(text: str, body: str) -> None:
    assert parse_card(text, "x") == ({}, body)


@pytest.mark.parametrize(
    "text",
    [
        "---\na: 1\n---\n\nbody",
        "---\r\na: 1\r\n---\r\n\r\nbody",
        "\ufeff---\na: 1\n---\nbody",
        "--- \na: 1\n---\t\nbody",
    ],
)
def test_front_matter_is_read_with_the_line_ends_of_any_system(text: str) -> None:
    assert parse_card(text, "x") == ({"a": 1}, "body")


@pytest.mark.parametrize("text", ["---\n---\n", "---\n---", "---\n\n---\n", "---\n# nothing\n---\n"])
def test_front_matter_may_be_empty(text: str) -> None:
    assert parse_card(text, "x") == ({}, "")


REFUSED = {
    "not closed": ("---\na: 1\n", "bad_card"),
    "closed with dots": ("---\na: 1\n...\nbody", "bad_card"),
    "closed by more": ("---\na: 1\n----\n", "bad_card"),
    "a list": ("---\n- a\n---\n", "bad_card"),
    "a text": ("---\na\n---\n", "bad_card"),
    "too long": ("a" * (MAX_CHARS + 1), "bad_card"),
    "long front matter": ("---\n#" + "a" * MAX_FRONT_CHARS + "\n---\n", "bad_card"),
    "lines that nearly close it": ("---\n" + "--- -\n" * 150_000, "bad_card"),
    "an alias bomb": ("---\na: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n---\n", "bad_yaml"),
    "a tag": ("---\na: !!python/object/apply:os.system ['true']\n---\n", "bad_yaml"),
    "a key twice": ("---\na: 1\na: 2\n---\n", "bad_yaml"),
    "NUL": ("---\na: \x00\n---\n", "bad_yaml"),
    "100,000 brackets": ("---\na: " + "[" * 100_000 + "\n---\n", "bad_yaml"),
}


@pytest.mark.parametrize(("text", "code"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_card_is_refused_with_its_name(text: str, code: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_card(text, "README.md")
    assert caught.value.code == code
    assert "README.md" in caught.value.message
    assert caught.value.why
    assert caught.value.fix


@pytest.mark.parametrize(
    ("metadata", "body", "code"),
    [
        ({}, "a" * (MAX_CHARS + 1), "bad_card"),
        ({"a": "b" * MAX_FRONT_CHARS}, "", "bad_card"),
        ({"k" * 2000: 1}, "", "bad_card"),
        ({"a": float("nan")}, "", "bad_json"),
        ({"a": object()}, "", "bad_json"),
        ({1: "a"}, "", "bad_json"),
        ({"a": "\ud800"}, "", "bad_json"),
    ],
)
def test_what_could_not_be_read_again_is_not_written(metadata: Any, body: str, code: str) -> None:
    with pytest.raises(UsageError) as caught:
        render_card(metadata, body, "")
    assert caught.value.code == code


def test_the_deepest_metadata_that_is_written_is_read_again() -> None:
    value: Any = 1
    for _ in range(30):
        value = [value]

    assert parse_card(render_card({"a": value}, "", ""), "x").fields == {"a": value}
    with pytest.raises(UsageError):
        render_card({"a": [value]}, "", "")
