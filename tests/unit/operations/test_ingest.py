"""Sources that are not from a disk: what is registered can be read and written out, or is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlreg.errors import RefusedError
from mlreg.operations.scanning import Source
from mlreg.registry.places import init
from mlreg.registry.registry import Registry


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    place, _ = init(tmp_path / "here", shared=True)
    return Registry(place, "Ann")


def sources(*paths: str) -> list[Source]:
    return [Source(path, lambda path=path: [path.encode()]) for path in paths]  # type: ignore[misc] # bound now


def test_the_order_of_the_sources_does_not_matter(registry: Registry) -> None:
    first = registry.register("model/net", sources("b", "a/c", "a-b"), "directory", version="1.0.0")
    again = registry.register("model/net", sources("a/c", "a-b", "b"), "directory", version="1.0.0")

    assert (first.changed, again.changed) == (True, False)
    assert [file.path for file in registry.files("model/net")] == ["a-b", "a/c", "b"]
    assert b"".join(registry.cat("model/net:a/c")) == b"a/c"
    assert registry.verify().problems == ()


@pytest.mark.parametrize(
    ("paths", "code"),
    [
        (("../x",), "unsafe_path"),
        (("/etc/passwd",), "unsafe_path"),
        (("a", "a"), "colliding_paths"),
        (("a", "A"), "colliding_paths"),
        (("a", "b", "a/c"), "colliding_paths"),
    ],
)
def test_a_version_that_could_not_be_written_out_is_not_registered(
    paths: tuple[str, ...], code: str, registry: Registry
) -> None:
    with pytest.raises(RefusedError) as caught:
        registry.register("model/net", sources(*paths), "directory", version="1.0.0")
    assert caught.value.code == code
    assert registry.entries() == []


def test_two_files_of_one_name_from_two_directories_are_refused(registry: Registry, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "f.csv").write_text(name)

    with pytest.raises(RefusedError) as caught:
        registry.add("model/net", [tmp_path / "one" / "f.csv", tmp_path / "two" / "f.csv"], version="1.0.0")
    assert caught.value.code == "colliding_paths"


def test_a_version_may_have_no_files(registry: Registry) -> None:
    assert registry.register("model/net", [], "directory", version="1.0.0").version.files == 0
