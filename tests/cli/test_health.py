"""health and doctor on the command line: exit codes, the file for monitoring, and what is mended."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from mlreg.cli.health_views import openmetrics
from mlreg.registry.health import Check, Health
from tests.cli.calling import Call
from tests.cli.conftest import HALF

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*"'
SAMPLE = re.compile(rf"({NAME})\{{((?:{LABEL})(?:,{LABEL})*)\}} (-?[0-9]+(?:\.[0-9]+)?(?:e[+-]?[0-9]+)?)")
OUT_OF_ORDER = "out of order"


def families(text: str) -> dict[str, dict[str, float]]:
    """Read a text as OpenMetrics 1.0 has it, of gauges alone; anything else is an error."""
    assert text.endswith("# EOF\n")
    assert text.isprintable() or "\n" in text
    found: dict[str, dict[str, float]] = {}
    known, name = {"TYPE": "", "UNIT": "", "HELP": ""}, ""
    for line in text.removesuffix("# EOF\n").splitlines():
        if line.startswith("# "):
            _, word, of, said = line.split(" ", 3)
            if of != name:
                assert of not in found, OUT_OF_ORDER
                name, known, found[of] = of, dict.fromkeys(known, ""), {}
            assert not known[word]
            assert not found[of], OUT_OF_ORDER
            known[word] = said
            continue
        sample = SAMPLE.fullmatch(line)
        assert sample, line
        assert (sample[1], known["TYPE"]) == (name, "gauge")
        assert name.endswith(known["UNIT"])
        assert not name.endswith(("_total", "_count", "_sum", "_bucket", "_created", "_info"))
        assert sample[2] not in found[name]
        found[name][sample[2]] = float(sample[3])
    return found


def test_the_file_for_monitoring_is_openmetrics_and_says_what_json_says(mlreg: Call) -> None:
    run = mlreg("health", "--report", "openmetrics=m.prom", "--json")

    found = families(Path("m.prom").read_text())
    states = ["green", "yellow", "red"]
    shown = {labels: states[int(value)] for labels, value in found["mlreg_health_state"].items()}
    checks = run.document["checks"]
    assert [*shown.values()] == [check["state"] for check in checks]
    numbers = [value for name, some in found.items() for value in some.values() if not name.startswith("mlreg_health")]
    assert sorted(numbers) == sorted(float(check["number"]) for check in checks if check["number"] is not None)


def test_names_in_labels_cannot_end_them() -> None:
    checks = (
        Check("remote", 'a"b\\c\nd"} 1', "red", "", 2**60, "", ""),
        Check("disk", "", "green", "", 1e-9, "", ""),
        Check("backup", "", "yellow", "", None, "", ""),
    )

    text = "".join(f"{line}\n" for line in openmetrics(Health('/x"y', "2026-11-23T06:28:00Z", "red", checks)))

    found = families(text)
    assert [*found["mlreg_unsent_names"].values()] == [2**60]
    assert [*found["mlreg_disk_free_ratio"].values()] == [1e-9]
    assert "mlreg_backup_age_seconds" not in found


def test_the_file_for_monitoring_takes_the_place_of_the_old_one_whole(mlreg: Call) -> None:
    Path("m.prom").write_text("old")
    with Path("m.prom").open() as reader:
        mlreg("health", "--offline", "--report", "openmetrics=m.prom")

        assert reader.read() == "old"
    assert families(Path("m.prom").read_text())
    assert [*Path().glob(".m.prom*")] == []


@pytest.mark.parametrize("report", ["openmetrics", "openmetrics=", "junit=x", "openmetrics=."])
def test_a_report_that_cannot_be_written_is_refused(report: str, mlreg: Call) -> None:
    assert mlreg("health", "--offline", "--report", report).status == 2


def test_a_report_makes_no_directory_and_what_it_said_is_printed_though_it_cannot_be_written(mlreg: Call) -> None:
    run = mlreg("health", "--offline", "--report", "openmetrics=typo/m.prom")
    assert (run.status, run.out, Path("typo").exists()) == (2, "", False)

    Path("m.prom").mkdir()
    run = mlreg("health", "--offline", "--report", "openmetrics=m.prom", "--json")
    assert (run.status, run.document["state"] in ("green", "yellow", "red")) == (2, True)
    assert "bad_stamp" in run.err


def test_a_check_that_is_red_is_exit_code_3_and_all_is_printed(mlreg: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLREG_HEALTH_DISK_FREE", "never 100%")

    run = mlreg("health", "-q")

    assert (run.status, run.err) == (3, "")
    assert "disk" in run.out.split()
    assert mlreg("health", "--json").document["state"] == "red"


def test_yellow_is_exit_code_3_only_if_that_is_asked_for(mlreg: Call) -> None:
    assert mlreg("health").status == 0
    assert mlreg("health", "--fail-on", "yellow").status == 3


def test_bounds_are_settings(mlreg: Call) -> None:
    assert mlreg("config", "set", "health.crashed_runs", "1 1").status == 0
    assert mlreg("health").status == 3
    assert mlreg("config", "set", "health.crashed_runs", "many").status == 2


def test_doctor_works_without_a_repository_and_names_what_is_wrong_with_the_settings(
    mlreg: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")

    assert (mlreg("doctor").status, mlreg("doctor", "-q").out) == (0, "repository\n")
    Path(".mlreg.yaml").write_text("nonsense: 1")
    run = mlreg("doctor", "--json")
    red = [check for check in run.document["checks"] if check["state"] == "red"]
    assert (run.status, [check["name"] for check in red]) == (3, ["settings"])
    assert "nonsense" in red[0]["value"]


def test_doctor_deletes_only_what_cut_writes_left_long_ago_and_only_if_asked(mlreg: Call) -> None:
    packs = Path(".mlreg/packs")
    fresh = packs / HALF.replace("0123", "4567")
    fresh.write_bytes(b"someone is writing this")

    assert mlreg("doctor", "-q").out.split() == ["leftovers"]
    assert (packs / HALF).exists()
    checks = mlreg("doctor", "--fix", "--json").document["checks"]
    assert [check["value"].startswith("deleted: 1 files, 4 bytes") for check in checks if check["name"] == "leftovers"]
    assert mlreg("doctor", "-q").out == ""
    assert not (packs / HALF).exists()
    assert fresh.exists()


def test_doctor_forgets_a_note_on_a_remote_that_cannot_be_read_only_if_asked(mlreg: Call) -> None:
    note = Path(".mlreg/remotes/origin.json")
    note.parent.mkdir(exist_ok=True)
    note.write_text("half")

    run = mlreg("doctor", "-q")
    assert (run.status, "remote:origin" in run.out.split()) == (3, True)
    assert mlreg("doctor", "--fix", "-q").status == 0
    assert not note.exists()


def test_doctor_asks_a_remote_only_if_asked(mlreg: Call) -> None:
    mlreg("config", "set", "remotes.origin", "/nowhere")

    assert mlreg("doctor").status == 0
    assert mlreg("doctor", "--remote").status == 3


@pytest.mark.parametrize("damage", ["log/0000000000000001", "mlreg.json"])
def test_doctor_and_health_live_with_damage(damage: str, mlreg: Call) -> None:
    file = Path(".mlreg", damage)
    file.chmod(0o644)
    file.write_bytes(b"{}\n")

    assert mlreg("doctor").status == 3
    assert mlreg("health").status == (6 if damage == "mlreg.json" else 3)


def test_doctor_names_what_a_model_needs_to_be_loaded(mlreg: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    mlreg("add", "model/far", "weights", "--version", "1.0.0", "--meta", "adapter=keras")
    monkeypatch.setitem(sys.modules, "keras", None)

    run = mlreg("doctor", "--json")

    extras = [(check["subject"], check["fix"]) for check in run.document["checks"] if check["name"] == "extra"]
    assert extras == [("keras", "pip install 'mlreg[keras]'")]


def test_doctor_warns_of_a_directory_that_everyone_may_change(mlreg: Call) -> None:
    Path(".mlreg/log").chmod(0o777)
    assert "rights" in mlreg("doctor", "-q").out.split()

    Path(".mlreg/log").chmod(0o1777)
    assert "rights" not in mlreg("doctor", "-q").out.split()
