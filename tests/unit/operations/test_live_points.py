"""Points that are read many at a time stand in the order in which all writers of a run logged them."""

from __future__ import annotations

from pathlib import Path

from mlreg.formats.journal import line_of, read_journal
from mlreg.formats.run import Points
from mlreg.operations.live_runs import read_live_run

RUN = "01a20c4f-b500-7000-8203-040506070809"


def points(name: str, times: range) -> bytes:
    return b"".join(line_of({"metrics": {name: time / 8}, "step": time, "time": time}) for time in times)


def test_points_of_several_writers_stand_in_the_order_of_their_times(tmp_path: Path) -> None:
    directory = tmp_path / RUN
    directory.mkdir()
    journals = {
        "a": points("loss", range(0, 20, 2)),
        "b": points("loss", range(1, 20, 2)) + points("auc", range(20, 25)),
    }
    for name, data in journals.items():
        (directory / f"{name}.journal").write_bytes(data)
        assert any(isinstance(part, Points) for part in read_journal(data).parts)

    state = read_live_run(tmp_path, RUN).state

    assert [*state.metrics["loss"].steps] == [*range(20)]
    assert [*state.metrics["loss"].values] == [time / 8 for time in range(20)]
    assert [*state.metrics["auc"].times] == [*range(20, 25)]
    assert (state.first, state.last) == (0, 24)


def test_points_of_one_writer_stand_between_what_it_said_before_and_after(tmp_path: Path) -> None:
    directory = tmp_path / RUN
    directory.mkdir()
    both = line_of({"metrics": {"auc": 0.5, "loss": 9.0}, "step": 9, "time": 3})
    (directory / "a.journal").write_bytes(points("loss", range(5, 12)) + both + points("loss", range(2, 9)))

    state = read_live_run(tmp_path, RUN).state

    assert [*state.metrics["loss"].steps] == [*range(5, 12), 9, *range(2, 9)]
    assert (state.first, state.last) == (2, 11)
