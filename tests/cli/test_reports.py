"""Files that commands write for people: reports, pictures and comparisons."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.calling import Call

WRITES = {
    "report": ["report", "exp/churn", "-o"],
    "plot": ["plot", "--exp", "churn", "-m", "auc", "--out"],
    "scatter": ["plot", "--exp", "churn", "--kind", "scatter", "-m", "params.lr", "-m", "auc", "--out"],
    "compare": ["compare", "exp/churn@best", "--report"],
}


def place_of(name: str, directory: str) -> str:
    return f"markdown={directory}/c.md" if name == "compare" else f"{directory}/{name}.html"


@pytest.mark.parametrize("name", WRITES)
def test_a_file_that_is_there_is_replaced_whole(name: str, mlreg: Call) -> None:
    place = place_of(name, ".")
    path = Path(place.rpartition("=")[2])
    path.write_text("x" * 10_000_000)

    assert mlreg(*WRITES[name], place).status == 0
    first = path.read_text()
    path.unlink()
    assert mlreg(*WRITES[name], place).status == 0

    assert "x" * 1000 not in first
    assert len(path.read_text()) == len(first)


@pytest.mark.parametrize("name", WRITES)
def test_a_place_that_is_not_there_is_named_with_the_way_to_make_it(name: str, mlreg: Call) -> None:
    call = mlreg(*WRITES[name], place_of(name, "no where/deep"), "--json")

    assert (call.status, call.error["code"]) == (2, "bad_place")
    assert call.error["fix"] == ["mkdir -p 'no where/deep'"]
    assert not Path("no where").exists()


@pytest.mark.parametrize("name", WRITES)
def test_a_place_that_may_not_be_written_is_no_fault_of_mlreg(name: str, mlreg: Call) -> None:
    call = mlreg(*WRITES[name], place_of(name, "/proc"), "--json")

    assert call.error["code"] in ("access_denied", "bad_place")


def test_a_report_says_what_it_holds(mlreg: Call) -> None:
    assert mlreg("report", "exp/churn", "model/net", "-o", "r.html", "-q").out == "r.html\n"

    document = mlreg("report", "exp/churn", "model/net", "-o", "r.html", "--json").document
    assert (document["path"], document["runs"], document["points"]) == ("r.html", 5, 12)
    assert document["size"] == Path("r.html").stat().st_size
    assert document["refs"][-1] == "model/net@1.0.0"
    assert mlreg("report", "exp/churn", "--top", "1", "-o", "r.html", "--json").document["runs"] == 1


def test_a_title_of_any_bytes_can_be_given(mlreg: Call) -> None:
    assert mlreg("report", "exp/churn", "-o", "r.html", "--title", "caf\udce9").status == 0

    assert r"<title>caf\udce9</title>" in Path("r.html").read_text(encoding="utf-8")
