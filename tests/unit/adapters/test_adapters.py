"""The table of adapters, seen from `ModelRegistry`: who keeps what, what metadata says, what the caller may choose."""

from __future__ import annotations

import os
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from mlreg.adapters.adapter import Adapter, Kept, Scratch, Stored
from mlreg.adapters.archive import read_member
from mlreg.adapters.notes import decode_note, note, read_note
from mlreg.adapters.path import framework_of
from mlreg.adapters.signature import MAX_NAMES, bounded, listed
from mlreg.errors import MlregError, RefusedError, UnsupportedError, UsageError
from mlreg.registry import ModelRegistry


class Word(str):
    """A model of the caller's own."""

    __slots__ = ()


class WordAdapter(Adapter):
    """Keeps a word in a note."""

    name = "word"

    def recognises(self, model: object) -> bool:
        return isinstance(model, Word)

    def save(self, model: Any, scratch: Scratch) -> Kept:
        place = scratch()
        (place / "word.txt").write_text(model)
        from mlreg.operations.scanning import sources_below

        return Kept([*sources_below([place / "word.txt"]), note({"class": "Word"})], signature={"letters": len(model)})

    def load(self, stored: Stored, *, trust: bool) -> Word:
        read_note(stored, ["Word"])
        return Word(stored.read("word.txt").decode())


def test_an_adapter_of_the_callers_own_keeps_and_loads(models: ModelRegistry) -> None:
    version = models.register_model(Word("cat"), "word", "1.0.0", adapter=WordAdapter())

    assert type(models.get_model("word", adapter=WordAdapter())) is Word
    assert version.metadata == {"adapter": "word", "signature": {"letters": 3}}
    with pytest.raises(UnsupportedError) as caught:
        models.get_model("word")
    assert caught.value.code == "no_adapter"
    assert (models.get_path("word") / "word.txt").read_text() == "cat"


@pytest.mark.parametrize("asked", ["no-such", 3, type("Torch", (WordAdapter,), {"name": "torch"})()])
def test_what_is_no_adapter_of_its_own_name_is_refused(asked: Any, models: ModelRegistry) -> None:
    with pytest.raises(UsageError) as caught:
        models.register_model(b"x", "net", "1.0.0", adapter=asked)
    assert caught.value.code == "no_adapter"


def test_an_object_of_no_adapter_is_refused_with_what_to_do(models: ModelRegistry) -> None:
    with pytest.raises(UsageError) as caught:
        models.register_model({"x": 3}, "net", "1.0.0")
    assert caught.value.code == "unknown_model_object"
    assert "'x' is a int" in caught.value.message
    assert len(caught.value.fix) == 2


def test_metadata_of_the_caller_wins_but_for_the_adapter(models: ModelRegistry) -> None:
    mine = {"framework": "mine", "signature": {"x": 1}}

    assert models.register_model(Word("a"), "net", "1.0.0", mine, adapter=WordAdapter()).metadata == {
        "adapter": "word",
        **mine,
    }
    for model, adapter in ((Word("a"), WordAdapter()), (b"x", "")):
        with pytest.raises(UsageError) as caught:
            models.register_model(model, "net", "1.1.0", {"adapter": "pickle"}, adapter=adapter)
        assert caught.value.code == "reserved_metadata"


def test_metadata_of_a_version_may_be_given_again(models: ModelRegistry) -> None:
    first = models.register_model(Word("a"), "net", "1.0.0", adapter=WordAdapter())

    assert models.register_model(Word("a"), "net", "1.0.0", first.metadata, adapter=WordAdapter()).id == first.id


@pytest.mark.parametrize(("model", "form"), [(b"x", "bytes"), ({}, "arrays")])
def test_what_was_kept_without_an_adapter_has_no_new_metadata(model: Any, form: str, models: ModelRegistry) -> None:
    version = models.register_model(model, "net", "1.0.0")

    assert (version.form, version.metadata) == (form, {})
    assert models.get_model("net") == model
    assert models.get_path("net").is_file()


def test_a_version_kept_by_another_form_does_not_heed_the_word_adapter(models: ModelRegistry, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    models.registry.add("model/net", [tmp_path / "file"], version="1.0.0", metadata={"adapter": "pickle"})

    assert models.get_model("net").read_bytes() == b"x"


def test_only_what_can_be_filled_takes_into(models: ModelRegistry) -> None:
    models.register_model(b"x", "net", "1.0.0")

    with pytest.raises(UsageError) as caught:
        models.get_model("net", into=[])
    assert caught.value.code == "no_into"


# Model folders of Hugging Face.


def folder(tmp_path: Path, config: bytes) -> Path:
    """Return a directory with a `config.json`."""
    place = tmp_path / "folder"
    place.mkdir()
    (place / "config.json").write_bytes(config)
    return place


def test_a_model_folder_stays_a_directory_and_says_what_wrote_it(models: ModelRegistry, tmp_path: Path) -> None:
    place = folder(tmp_path, b'{"model_type": "bert", "transformers_version": "4.56.0"}')
    version = models.register_model(place, "bert", "1.0.0")

    assert version.metadata == {"framework": {"name": "transformers", "version": "4.56.0"}}
    assert models.get_model("bert").is_dir()


@pytest.mark.parametrize(
    "config",
    [
        b"",
        b"[]",
        b"{",
        b"\xff\xfe",
        b'{"transformers_version": 4}',
        b'{"transformers_version": ""}',
        b'{"transformers_version": "\\u0000"}',
        b'{"transformers_version": "\\ud800"}',
        b'{"transformers_version": "' + b"9" * 100 + b'"}',
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"n": ' + b"9" * 100_000 + b"}",
        b" " * (1024 * 1024 + 1) + b'{"transformers_version": "4"}',
    ],
)
def test_a_hostile_config_says_nothing_and_hurts_nothing(config: bytes, models: ModelRegistry, tmp_path: Path) -> None:
    assert models.register_model(folder(tmp_path, config), "net", "1.0.0").metadata == {}


def test_a_pipe_in_the_place_of_a_config_is_not_waited_for(models: ModelRegistry, tmp_path: Path) -> None:
    place = folder(tmp_path, b"")
    (place / "config.json").unlink()
    os.mkfifo(place / "config.json")

    with pytest.raises(RefusedError) as caught:
        models.register_model(place, "net", "1.0.0")
    assert caught.value.code == "special_file"


# The other methods.


def test_models_and_versions_are_listed_tagged_and_deleted(models: ModelRegistry) -> None:
    models.register_model(b"1", "team/net", "1.0.0")
    models.register_model(b"2", "team/net", "1.1.0", inputs=[("base", "model/team/net@1.0.0")])

    assert [entry.ref for entry in models.list_models()] == ["model/team/net"]
    assert models.list_models("other*") == []
    assert [version.version for version in models.list_versions("team/net")] == ["1.1.0", "1.0.0"]
    assert models.tag("team/net", "1.0.0", "production").target == "model/team/net@1.0.0"
    assert models.get_model("team/net", "production") == b"1"
    assert [node.ref for node in models.lineage("team/net")] == ["model/team/net@1.1.0", "model/team/net@1.0.0"]
    assert models.delete("team/net", "1.1.0").changed
    assert [version.version for version in models.list_versions("team/net")] == ["1.0.0"]
    with pytest.raises(RefusedError) as caught:
        models.delete("team/net", "1.0.0")
    assert caught.value.code == "version_tagged"


# Signatures and notes.


def test_a_number_that_takes_long_to_read_is_refused_though_python_would_read_it() -> None:
    limit = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(0)
    try:
        with pytest.raises(ValueError, match="digits"):
            decode_note(b'{"n": ' + b"9" * 10_000 + b"}")
    finally:
        sys.set_int_max_str_digits(limit)


def test_a_config_that_fills_the_memory_is_not_read(tmp_path: Path) -> None:
    config = tmp_path / "config.json"
    config.touch()
    os.truncate(config, 1 << 40)

    assert framework_of(config) == {}


def test_a_signature_lists_few_names_and_counts_many() -> None:
    assert listed(["a", 1, 2.5, True, float("nan"), 2**70]) == ["a", 1, 2.5, True, "nan", str(2**70)]
    assert listed(range(MAX_NAMES + 1)) == {"count": MAX_NAMES + 1}
    assert listed(None) is None


def test_a_signature_that_is_too_large_is_left_out() -> None:
    assert bounded({"x": "y" * 100_000}) == {}
    assert bounded({"x": None, "y": 1}) == {"y": 1}


@pytest.mark.parametrize("data", [b'{"class": "Other"}', b'{"class": ["Word"]}', b"{}", b"[]", b"\xff", b"[" * 100_000])
def test_a_note_of_another_class_is_refused(data: bytes, models: ModelRegistry, tmp_path: Path) -> None:
    (tmp_path / "evil").mkdir()
    (tmp_path / "evil" / "class.json").write_bytes(data)
    models.registry.add("model/evil", [tmp_path / "evil"], version="1.0.0", metadata={"adapter": "word"})

    with pytest.raises(MlregError) as caught:
        models.get_model("evil", adapter=WordAdapter())
    assert caught.value.code == "bad_model"


def test_a_member_of_an_archive_that_is_larger_than_it_may_be_is_refused(tmp_path: Path) -> None:
    place = tmp_path / "bomb.zip"
    with zipfile.ZipFile(place, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", bytes(1001))

    with pytest.raises(ValueError, match="1000 bytes"):
        read_member(place, "config.json", 1000)
    assert read_member(place, "config.json", 1001) == bytes(1001)
