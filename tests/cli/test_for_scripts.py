"""What scripts rely on: dry runs that touch nothing, stamps that change when they should, and no question for them."""

from __future__ import annotations

import hashlib
import os
import pty
import subprocess
from pathlib import Path

import pytest

from tests.cli.calling import Call, command, environment


def state_of(*places: Path) -> dict[str, str]:
    """Return every file below some directories, with a hash of its bytes."""
    return {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest() + str(path.stat().st_mtime_ns)
        for place in places
        for path in sorted(place.rglob("*"))
        if path.is_file()
    }


@pytest.fixture
def news(mlreg: Call, tmp_path: Path) -> None:
    """Let both sides have something that the other one has not."""
    mlreg("push")
    mlreg("clone", str(tmp_path / "registry"), str(tmp_path / "other"))
    other = ("-C", str(tmp_path / "other"))
    Path("more").write_bytes(b"more")
    mlreg("add", "model/theirs", str(Path("more").absolute()), "--version", "1.0.0", "--tag", "new", *other)
    mlreg("push", *other)
    os.chdir(tmp_path / "project")  # in this process, -C is for good
    mlreg("add", "model/ours", "more", "--version", "1.0.0")
    mlreg("rm", "data/rows@2026.01.01")


DRY: dict[str, list[str]] = {
    "push": ["push"],
    "push one": ["push", "origin", "model/ours"],
    "pull": ["pull"],
    "fetch": ["fetch"],
    "rm": ["rm", "model/ours@1.0.0", "model/net@1.0.0"],
    "restore": ["restore", "data/rows@2026.01.01"],
    "get": ["get", "model/net", "out"],
    "get into something": ["get", "model/net", ".", "--delete", "-y"],
}


@pytest.mark.usefixtures("news")
@pytest.mark.parametrize("name", DRY)
def test_a_dry_run_says_what_would_be_done_and_does_nothing(name: str, mlreg: Call, tmp_path: Path) -> None:
    mlreg("tag", "rm", "model/net@production")
    places = [tmp_path / place for place in ("project", "registry", "other")]
    before = state_of(*places)

    tried = mlreg(*DRY[name], "-n", "--json")

    assert (tried.status, tried.document["dry_run"]) == (0, True)
    assert state_of(*places) == before
    assert not Path("out").exists()
    assert mlreg(*DRY[name], "--dry-run").out.startswith("dry run: ")
    done = mlreg(*DRY[name], "--json").document
    unknown = {"dry_run", "packs", "size"}
    assert {key: value for key, value in done.items() if key not in unknown} == {
        key: value for key, value in tried.document.items() if key not in unknown
    }
    assert done["changed"]
    assert state_of(*places) != before


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["rm", "model/net@1.0.0", "-n"], "version_tagged"),
        (["rm", "model/net", "-n"], "no_version"),
        (["restore", "model/net@9.9.9", "-n"], "ref_not_found"),
        (["get", "model/net:nothing", "-n"], "path_not_found"),
        (["get", "model/net", ".mlreg", "-n"], "target_is_a_repository"),
        (["push", "nowhere", "-n"], "no_remote"),
        (["push", "--exit-code"], "exit_code_without_dry_run"),
    ],
)
def test_what_would_be_refused_is_refused_in_a_dry_run(words: list[str], code: str, mlreg: Call) -> None:
    assert mlreg(*words, "--json").error["code"] == code


def test_a_conflict_stops_a_dry_push_as_it_would_stop_a_push(mlreg: Call, tmp_path: Path) -> None:
    mlreg("push")
    mlreg("clone", str(tmp_path / "registry"), str(tmp_path / "other"))
    for number, place in enumerate((tmp_path / "other", tmp_path / "project")):
        os.chdir(place)
        Path("file").write_bytes(b"%d" % number)
        mlreg("add", "model/same", "file", "--version", "1.0.0")
        assert mlreg("push", "-n").status == (0 if number == 0 else 5)
        mlreg("push")

    assert mlreg("push", "-n", "--json").error["code"] == mlreg("push", "--json").error["code"] == "version_conflict"


def test_the_answer_is_yes_when_nothing_is_left_to_push(mlreg: Call) -> None:
    assert (mlreg("push", "-n", "--exit-code").status, mlreg("status", "--exit-code").status) == (3, 3)
    mlreg("push")
    assert (mlreg("push", "-n", "--exit-code").status, mlreg("status", "--exit-code").status) == (0, 0)
    for words in (["label", "net", "team=vision"], ["mv", "model/net", "model/vision/net"]):
        mlreg(*words)
        assert (mlreg("push", "-n", "--exit-code").status, mlreg("status", "--exit-code").status) == (3, 3)
        assert mlreg("status", "--json").document["remotes"][0]["unpushed_notes"] == 1
        mlreg("push")
        assert (mlreg("push", "-n", "--exit-code").status, mlreg("status", "--exit-code").status) == (0, 0)


STAMPED: dict[str, list[str]] = {
    "rev-parse": ["rev-parse", "model/net@production", "data/rows"],
    "get": ["get", "model/net@production", "out"],
    "push": ["push", "origin", "model/net"],
}


@pytest.mark.parametrize("name", STAMPED)
def test_a_stamp_is_written_when_what_a_ref_means_has_changed_and_only_then(name: str, mlreg: Call) -> None:
    stamp = Path("stamps/deep/stamp")
    words = [*STAMPED[name], "--stamp", str(stamp)]

    assert mlreg(*words).status == 0
    text = stamp.read_text()
    os.utime(stamp, ns=(1, 1))
    mlreg(*words)
    assert (stamp.read_text(), stamp.stat().st_mtime_ns) == (text, 1)

    mlreg("add", "model/net", "weights", "--bump", "minor", "--tag", "production", "--meta", "x=1")
    mlreg(*words)
    assert stamp.read_text() != text
    assert stamp.stat().st_mtime_ns != 1
    shown = mlreg("rev-parse", "model/net@production", "--json").document["items"][0]
    assert any(line.split(" ")[1] == shown["id"] for line in stamp.read_text().splitlines())
    assert sorted(path.name for path in stamp.parent.iterdir()) == ["stamp"]


def test_adding_the_same_again_leaves_its_stamp_alone(mlreg: Call) -> None:
    words = ["add", "model/net", "weights", "--bump", "minor", "--meta", "x=1", "--stamp", "stamp"]
    mlreg(*words)
    os.utime("stamp", ns=(1, 1))

    assert mlreg(*words).out.startswith("unchanged")

    assert Path("stamp").stat().st_mtime_ns == 1
    assert Path("stamp").read_text().split(" ")[0] == "model/net@1.1.0"


@pytest.mark.parametrize("words", [["get", "model/net", "out"], ["push"]])
def test_a_dry_run_and_an_error_write_no_stamp(words: list[str], mlreg: Call) -> None:
    mlreg(*words, "-n", "--stamp", "stamp")
    mlreg("get", "model/nothing", "--stamp", "stamp")
    assert not Path("stamp").exists()


def test_what_add_would_do_is_tried_without_doing_it(mlreg: Call) -> None:
    Path("weights").write_text("changed")
    before = mlreg("log", "--json").out

    tried = mlreg("add", "model/net", "weights", "--bump", "minor", "--tag", "production", "-n", "--stamp", "stamp")

    assert (tried.status, tried.err) == (0, "")
    assert tried.out == "dry run: added model/net@1.1.0 (1 file, 7 B)\n"
    assert mlreg("log", "--json").out == before
    assert not Path("stamp").exists()
    assert mlreg("add", "model/net", "weights", "--version", "1.0.0", "-n").status == 5
    assert mlreg("add", "model/net", "weights", "--bump", "minor", "-q").out == "model/net@1.1.0\n"


@pytest.mark.usefixtures("mlreg")
def test_what_a_script_asks_most_loads_nothing_that_is_slow_to_load() -> None:
    asked = "import sys; sys.argv = ['mlreg', 'rev-parse', 'net@production']; from mlreg.cli.main import main"
    shown = "import atexit; atexit.register(lambda: print(*sys.modules))"
    words = [*command()[:1], "-c", f"{asked}; {shown}; main()"]
    done = subprocess.run(words, env=environment(), capture_output=True, text=True, check=True)

    found, loaded = done.stdout.splitlines()
    assert found == "model/net@1.0.0"
    slow = {"typer", "click", "rich", "numpy", "dataclasses", "inspect", "mlreg.cli.app", "mlreg.cli.output"}
    assert not slow & set(loaded.split())


def test_a_stamp_that_cannot_be_written_is_an_error(mlreg: Call) -> None:
    Path("file").write_text("")
    run = mlreg("rev-parse", "model/net", "--stamp", "file/stamp")
    assert run.status not in (0, 1)
    assert "file/stamp" in run.err or "file" in run.err


def answered(reply: str, *words: str) -> tuple[int, str]:
    """Run a command on a terminal, and type something."""
    end, terminal = pty.openpty()
    with subprocess.Popen(
        command(*words), stdin=terminal, stdout=subprocess.PIPE, stderr=terminal, env=environment(TERM="xterm")
    ) as process:
        os.close(terminal)
        os.write(end, reply.encode() + b"\n")
        process.wait()
        shown = b""
        try:
            while data := os.read(end, 65536):
                shown += data
        except OSError:
            pass
    os.close(end)
    return process.returncode, shown.decode()


@pytest.mark.parametrize(("reply", "status"), [("y", 0), ("YES", 0), ("n", 11), ("", 11), ("sure", 11)])
def test_a_terminal_is_asked_before_much_is_removed(reply: str, status: int, mlreg: Call) -> None:
    mlreg("add", "model/net", "weights", "--version", "2.0.0", "--meta", "x=1")

    code, shown = answered(reply, "rm", "model/net@2.0.0", "data/rows@2026.01.01")

    assert code == status
    assert "remove 2 versions? [y/N]" in shown
    assert mlreg("rev-parse", "model/net@2.0.0").status == (4 if status == 0 else 0)


@pytest.mark.parametrize(
    "words", [["rm", "data/rows@2026.01.01"], ["rm", "-y", "data/rows@2026.01.01", "model/net@2.0.0"]]
)
def test_a_terminal_is_not_asked_about_one_version_or_if_it_says_so(words: list[str], mlreg: Call) -> None:
    mlreg("add", "model/net", "weights", "--version", "2.0.0", "--meta", "x=1")
    code, shown = answered("n", *words)
    assert (code, "[y/N]" in shown) == (0, False)


def test_a_terminal_is_asked_before_files_of_its_own_are_removed(mlreg: Call) -> None:
    mlreg("get", "model/net", "out")
    assert answered("n", "get", "model/net", "out", "--delete")[0] == 0
    Path("out/notes").write_text("mine")

    code, shown = answered("n", "get", "model/net", "out", "--delete")

    assert (code, "remove 1 file " in shown, Path("out/notes").exists()) == (11, True, True)
    run = mlreg("get", "model/net", "out", "--delete")
    assert (run.status, "own_changes" in run.err, "'notes'" in run.err, Path("out/notes").exists()) == (
        11,
        True,
        True,
        True,
    )
    Path("out/.git").mkdir()
    Path("out/.git/HEAD").write_text("main")
    assert mlreg("get", "model/net", "out", "--delete", "-y").status == 0
    assert (Path("out/notes").exists(), Path("out/.git/HEAD").exists()) == (False, True)


def test_bytes_that_no_version_has_are_not_replaced_without_a_yes(mlreg: Call) -> None:
    mlreg("get", "model/net", "out")
    Path("out/weights").write_text("worked on")

    for words in (["get", "model/net", "out"], ["get", "model/net", "out", "-n"]):
        run = mlreg(*words)
        assert (run.status, "own_changes" in run.err, "'weights'" in run.err) == (11, True, True)
    code, shown = answered("n", "get", "model/net", "out")
    assert (code, "replace 1 file that no version has?" in shown) == (11, True)
    assert Path("out/weights").read_text() == "worked on"

    assert mlreg("get", "model/net", "out", "-y").status == 0
    assert Path("out/weights").read_text() != "worked on"


def test_a_terminal_that_says_yes_has_its_own_bytes_replaced(mlreg: Call) -> None:
    mlreg("get", "model/net", "out")
    Path("out/weights").write_text("worked on")
    assert answered("y", "get", "model/net", "out")[0] == 0
    assert Path("out/weights").read_text() != "worked on"


@pytest.mark.parametrize("target", [".", "/", "..", "directory", "link", "/dev/null", "pipe"])
@pytest.mark.parametrize("words", [["add", "model/net", "weights", "--bump", "minor"], ["get", "net", "out"]])
def test_a_stamp_that_is_no_file_is_refused_before_anything_is_done(target: str, words: list[str], mlreg: Call) -> None:
    Path("directory").mkdir()
    Path("link").symlink_to("weights")
    os.mkfifo("pipe")
    Path("weights").write_text("changed")
    before = mlreg("ls", "model/net", "--json").out

    run = mlreg(*words, "--stamp", target)

    assert (run.status, run.out) == (2, "")
    assert "bad_stamp" in run.err
    assert mlreg("ls", "model/net", "--json").out == before
    assert not Path("out").exists()


def test_a_stamp_stays_out_of_what_is_added_and_of_what_is_cleared(mlreg: Call) -> None:
    Path("out").mkdir()
    Path("out/weights").write_text("more")

    assert mlreg("add", "model/net", "out", "--bump", "minor", "--stamp", "out/new/stamp").status == 2
    assert mlreg("get", "net", "out", "--delete", "-y", "--stamp", "out/stamp").status == 2
    assert mlreg("get", "net", "out", "-y", "--stamp", "out/stamp").status == 0
    assert sorted(path.name for path in Path("out").iterdir()) == ["stamp", "weights"]
