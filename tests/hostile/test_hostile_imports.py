"""What is imported may be damaged, or made to hurt: it is left out, and nothing else is read or written for it."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlreg.errors import MlregError, UnsupportedError
from mlreg.formats.journal import MAX_LINE
from mlreg.importers.foreign import Importer
from mlreg.importers.foreign_values import MAX_LABELS
from mlreg.registry import importing
from mlreg.registry.experiment import ExperimentRegistry
from mlreg.registry.importing import Imported, Origin, bring
from mlreg.registry.places import init
from tests import foreign_tools as foreign
from tests.foreign_tools import RUN, event_record, field, item, single, wandb_log
from tests.hostile.counting import TRIED

SECRET = "root:x:0:0"  # noqa: S105 - how a file begins that all have


@pytest.fixture
def experiments(tmp_path: Path) -> ExperimentRegistry:
    place, _ = init(tmp_path / "project", shared=False)
    return ExperimentRegistry(place, "Ann")


def everything(experiments: ExperimentRegistry) -> str:
    """Return all that is known here, and the bytes of all files."""
    registry = experiments.registry
    found = [repr(run) for run in experiments.list_runs()]
    refs = [run.ref for run in experiments.list_runs()]
    refs += [version.ref for entry in registry.entries("model/*") for version in registry.versions(entry.ref)]
    for ref in refs:
        repository, _, target = registry.find(ref)
        for file in registry.files_of(repository, target, None):
            found.append(file.path)
            found.append(b"".join(repository.objects.read_whole(file.id, file.size)).decode(errors="replace"))
    return "\n".join(found)


# Mlflow's directory.

Edit = Callable[[Path, Path], object]
"""Does something to a directory of mlflow, and to that of its run."""


def swap(path: Path, old: str, new: str) -> None:
    path.write_text(path.read_text().replace(old, new))


def put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def link(path: Path, target: str | Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.symlink_to(target)


def model(root: Path) -> Path:
    return root / "models" / "Net v2" / "version-1"


ODD: dict[str, tuple[Edit, str]] = {
    "a start beyond all times": (lambda root, run: swap(run / "meta.yaml", str(foreign.MOMENT), "9" * 40), ""),
    "a start before all times": (lambda root, run: swap(run / "meta.yaml", "start_time: ", "start_time: -"), ""),
    "a start that is a list": (lambda root, run: put(run / "meta.yaml", "artifact_uri: ''\nstart_time: [1]\n"), ""),
    "a description that is a list": (lambda root, run: put(run / "meta.yaml", "[1]"), ""),
    "a bomb of aliases": (
        lambda root, run: put(run / "meta.yaml", "a: &a [x, x]\nb: &b [*a, *a]\nartifact_uri: [*b, *b]\n"),
        "meta.yaml cannot be read",
    ),
    "a tag of YAML": (
        lambda root, run: put(run / "meta.yaml", "artifact_uri: !!python/object/apply:os.system [touch hacked]\n"),
        "meta.yaml cannot be read",
    ),
    "a deep description": (lambda root, run: put(run / "meta.yaml", "[" * 5000), "meta.yaml cannot be read"),
    "a description without an end": (
        lambda root, run: link(run / "meta.yaml", "/dev/zero"),
        "link that leads out",
    ),
    "version 0": (lambda root, run: put(model(root) / "meta.yaml", "version: 0\n"), ""),
    "a version below 0": (
        lambda root, run: put(model(root) / "meta.yaml", "version: -4\n"),
        "no version for the number",
    ),
    "a version that is a word": (lambda root, run: put(model(root) / "meta.yaml", "version: x\n"), ""),
    "a version that is there twice": (
        lambda root, run: put(model(root).with_name("version-2") / "meta.yaml", "version: 1\n"),
        "is registered already",
    ),
    "a label that is too long": (
        lambda root, run: put(run / "tags" / "long", "x" * MAX_LABELS),
        "label left out that is too long",
    ),
    "a label of bells": (
        lambda root, run: put(run / "tags" / "bell", "\x07" * (MAX_LABELS // 3)),
        "label left out that is too long",
    ),
    "a label of a model that is too long": (
        lambda root, run: put(root / "models" / "Net v2" / "tags" / "long", "x" * MAX_LABELS),
        "label left out",
    ),
    "a label of a version that is too long": (
        lambda root, run: put(model(root) / "tags" / "long", "x" * MAX_LABELS),
        "label left out",
    ),
    "a param without an end": (lambda root, run: (run / "params" / "zero").symlink_to("/dev/zero"), "link that leads"),
    "a param that is long": (lambda root, run: put(run / "params" / "long", "x" * 2_000_000), ""),
    "a param that is too long": (lambda root, run: put(run / "params" / "long", "x" * 5_000_000), "text left out"),
    "a description that is long": (
        lambda root, run: put(run / "tags" / "mlflow.note.content", "x" * 2_000_000),
        "",
    ),
    "a pipe among params": (lambda root, run: os.mkfifo(run / "params" / "pipe"), "no file"),
    "a pipe among metrics": (lambda root, run: os.mkfifo(run / "metrics" / "pipe"), "no file"),
    "a pipe among artifacts": (lambda root, run: os.mkfifo(run / "artifacts" / "pipe"), "neither a file"),
    "a link to nothing": (lambda root, run: (run / "artifacts" / "x").symlink_to("/nowhere"), "leads out"),
    "a link to itself": (lambda root, run: (run / "artifacts" / "x").symlink_to("x"), ""),
    "a link to all": (lambda root, run: (run / "artifacts" / "x").symlink_to(root), "link to a directory"),
    "a name with a line end": (lambda root, run: put(run / "artifacts" / "x\ny", ""), "not safe"),
    "a place that is no URI": (lambda root, run: swap(run / "meta.yaml", "file://", "file://[x"), ""),
    "a place with a zero byte": (lambda root, run: swap(run / "meta.yaml", f"file://{run}", '"file:///a\\0b"#'), ""),
    "a long place": (lambda root, run: swap(run / "meta.yaml", f"file://{run}", "file:///" + "b" * 5000), ""),
    "a source with a zero byte": (
        lambda root, run: put(model(root) / "meta.yaml", f'version: 1\nsource: "runs:/{RUN}/a\\0b"\n'),
        "not on this disk",
    ),
    "a metric with other bytes": (
        lambda root, run: (run / "metrics" / "odd").write_bytes(b"\xff\xfe\n1 \xff 1\n1 2 3\n"),
        "no point (2 times)",
    ),
}


@pytest.mark.parametrize("name", ODD)
def test_what_is_odd_in_a_directory_of_mlflow_is_left_out_and_the_rest_comes(
    name: str, tmp_path: Path, experiments: ExperimentRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    edit, notice = ODD[name]
    root = foreign.write_mlruns(tmp_path / "mlruns")
    put(root / "2" / "meta.yaml", "experiment_id: '2'\nname: other\n")
    put(root / "2" / ("f" * 32) / "meta.yaml", f"artifact_uri: ''\nrun_id: {'f' * 32}\n")
    edit(root, root / "1" / RUN)

    first = bring(experiments.registry, importing.mlflow(str(root)))
    again = bring(experiments.registry, importing.mlflow(str(root)))

    assert notice in "; ".join(first.warnings)
    assert again.added == 0
    assert len(experiments.list_runs("other")) == 1
    assert not (tmp_path / "hacked").exists()


LINKS: dict[str, Edit] = {
    "a param": lambda root, run: link(run / "params" / "x", "/etc/passwd"),
    "a tag": lambda root, run: link(run / "tags" / "x", "/etc/passwd"),
    "a metric": lambda root, run: link(run / "metrics" / "x", "/etc/passwd"),
    "an artifact": lambda root, run: link(run / "artifacts" / "x", "/etc/passwd"),
    "a directory of artifacts": lambda root, run: link(run / "artifacts" / "x", "/etc"),
    "a tag of a model": lambda root, run: link(root / "models" / "Net v2" / "tags" / "x", "/etc/passwd"),
    "a source": lambda root, run: put(
        model(root) / "meta.yaml", "version: 1\nsource: /etc\nstorage_location: file:///etc"
    ),
    "a source above": lambda root, run: put(
        model(root) / "meta.yaml", f"version: 1\nsource: runs:/{RUN}/../../../../secret\n"
    ),
    "a place of artifacts": lambda root, run: swap(run / "meta.yaml", f"file://{run}/artifacts", "file:///etc"),
    "a run": lambda root, run: link(root / "1" / "linked", root.parent / "secret"),
    "an experiment": lambda root, run: link(root / "9", root.parent / "secret"),
}


@pytest.mark.parametrize("name", LINKS)
def test_no_file_beside_a_directory_of_mlflow_is_read(
    name: str, tmp_path: Path, experiments: ExperimentRegistry
) -> None:
    root = foreign.write_mlruns(tmp_path / "mlruns")
    (tmp_path / "secret").mkdir()
    put(
        tmp_path / "secret" / "meta.yaml", f"artifact_uri: ''\nexperiment_id: '9'\nname: secret\nrun_name: '{SECRET}'\n"
    )
    put(tmp_path / "secret" / "params" / "x", SECRET)
    LINKS[name](root, root / "1" / RUN)

    bring(experiments.registry, importing.mlflow(str(root)))

    assert SECRET not in everything(experiments)


# Databases.


def test_a_database_names_no_file_that_may_be_read_but_those_of_mlflow_beside_it(
    tmp_path: Path, experiments: ExperimentRegistry
) -> None:
    private = tmp_path / "private"
    put(private / "key", SECRET)
    for place in ("private", "file:///etc", str(tmp_path), f"file://{tmp_path}/mlruns/../private", str(private)):
        rows = foreign.mlflow_rows(tmp_path)
        ((run, *rest),) = rows["runs"]
        rest[5] = place
        ((name, number, *_),) = rows["model_versions"]
        rows |= {"runs": [(run, *rest)], "model_versions": [(name, number, run, place, place, "None", "")]}
        database = foreign.write_database(tmp_path / "mlflow.db", foreign.MLFLOW_TABLES, rows)

        result = bring(experiments.registry, importing.mlflow(str(database)))

        assert (result.runs, result.artifacts) == (1, 0)
    assert SECRET not in everything(experiments)
    assert bring(experiments.registry, importing.mlflow(f"sqlite:///{database}", private)).artifacts == 1


@pytest.mark.parametrize("tool", ["mlflow", "trackio"])
def test_a_database_is_opened_as_it_is_and_left_so(tool: str, tmp_path: Path, experiments: ExperimentRegistry) -> None:
    path = database_of(tool, tmp_path / "there")
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute(
            "CREATE VIEW endless AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n"
        )
        db.commit()
    before = path.read_bytes()

    bring(experiments.registry, OPENED[tool](path))

    assert path.read_bytes() == before
    assert len(experiments.list_runs()) == 1


def database_of(tool: str, root: Path) -> Path:
    if tool == "mlflow":
        return foreign.write_mlflow_db(root)
    return next(foreign.write_trackio(root).glob("*.db"))


OPENED: dict[str, Callable[[Path], Origin]] = {
    "mlflow": lambda path: importing.mlflow(str(path)),
    "trackio": importing.trackio,
    "wandb": importing.wandb,
    "tensorboard": importing.tensorboard,
}


@pytest.mark.parametrize("tool", ["mlflow", "trackio"])
def test_a_database_that_is_cut_or_changed_is_read_or_refused(tool: str, tmp_path: Path, scale: int) -> None:
    path = database_of(tool, tmp_path)
    data = path.read_bytes()
    step = max(1, len(data) // (400 * scale))
    for place in range(0, len(data), step):
        for changed in (data[:place], data[:place] + bytes([data[place] ^ 0x55]) + data[place + 1 :]):
            path.write_bytes(changed)
            TRIED[f"database of {tool}"] += 1
            with suppress(UnsupportedError):
                consume(OPENED[tool](path))


def consume(importer: Importer) -> int:
    """Take all that an importer yields; returns how much that was."""
    return sum(1 for _ in importer.runs()) + sum(1 for _ in importer.models())


VALUES = st.one_of(
    st.none(),
    st.integers(-(1 << 63), (1 << 63) - 1),
    st.floats(),
    st.binary(max_size=20),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    st.sampled_from(
        ["", "active", "x" * 2000, "\x1b[2J", "../../..", "{", '{"a": 1e400}', '{"a": [1', "9" * 5000, "0"]
    ),
    st.integers(1, 900).map(lambda depth: '{"a": ' + "[" * depth + "]" * depth + "}"),
)


@pytest.mark.parametrize("tool", ["mlflow", "trackio"])
@settings(max_examples=40)
@given(data=st.data())
def test_any_value_may_stand_in_any_column(
    tool: str, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.mktemp("odd")
    rows, tables = (
        (foreign.mlflow_rows(root), foreign.MLFLOW_TABLES)
        if tool == "mlflow"
        else (foreign.trackio_rows(), foreign.TRACKIO_TABLES)
    )
    for _ in range(data.draw(st.integers(1, 3))):
        table = data.draw(st.sampled_from(sorted(rows)))
        place = data.draw(st.integers(0, len(rows[table]) - 1))
        column = data.draw(st.integers(1 if tool == "trackio" else 0, len(rows[table][place]) - 1))
        row = [*rows[table][place]]
        row[column] = data.draw(VALUES)
        rows[table][place] = tuple(row)
    TRIED[f"rows of {tool}"] += 1
    try:
        path = foreign.write_database(root / "odd.db", tables, rows)
    except sqlite3.Error:
        # A primary key takes whole numbers alone.
        return
    project, _ = init(root / "project", shared=False)
    registry = ExperimentRegistry(project, "Ann").registry

    first = bring(registry, OPENED[tool](path))
    again = bring(registry, OPENED[tool](path))

    assert again.added == 0
    assert (first.runs, first.points) == (again.runs, again.points)


# Messages of protocol buffers.

NUMBERS = st.one_of(st.integers(0, (1 << 64) - 1), st.floats(), st.sampled_from([0, 1, (1 << 63), (1 << 64) - 1]))
BYTES = st.one_of(
    st.binary(max_size=30), st.sampled_from([b"1" + b"0" * 400, b"NaN", b"[" * 900, b'{"a":', b"_timestamp"])
)
FIELDS = st.recursive(
    st.builds(field, st.integers(1, 30), st.one_of(NUMBERS, BYTES)),
    lambda below: st.builds(
        lambda number, parts: field(number, b"".join(parts)), st.integers(1, 30), st.lists(below, max_size=4)
    ),
    max_leaves=12,
)
MESSAGES = st.one_of(st.lists(FIELDS, max_size=5).map(b"".join), st.binary(max_size=60))


@settings(max_examples=300)
@given(messages=st.lists(MESSAGES, min_size=1, max_size=5))
def test_any_message_may_stand_in_an_event_file(
    messages: list[bytes], tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.mktemp("events")
    (root / "events.out.tfevents.1.host").write_bytes(b"".join(map(event_record, messages)))
    TRIED["messages of tensorboard"] += len(messages)

    consume(importing.tensorboard(root))


@settings(max_examples=300)
@given(messages=st.lists(MESSAGES, min_size=1, max_size=5), history=st.lists(st.tuples(BYTES, BYTES), max_size=3))
def test_any_message_may_stand_in_a_log_of_wandb(
    messages: list[bytes], history: list[tuple[bytes, bytes]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.mktemp("wandb")
    (root / "run-1-abc").mkdir()
    items = [field(2, field(1, field(1, key) + field(16, value))) for key, value in history]
    (root / "run-1-abc" / "run-abc.wandb").write_bytes(wandb_log(*messages, *items))
    TRIED["messages of wandb"] += len(messages)

    consume(importing.wandb(root))


EVENTS = [
    field(1, time) + field(2, step) + field(5, field(1, field(1, "loss") + single(2, 0.5)))
    for time in (float("inf"), float("-inf"), float("nan"), 1e300, -1e10)
    for step in (0, (1 << 64) - 1, 1 << 63)
]


def test_times_and_steps_that_cannot_be_are_no_reason_to_lose_a_value(
    tmp_path: Path, experiments: ExperimentRegistry
) -> None:
    (tmp_path / "events").mkdir()
    (tmp_path / "events" / "tfevents.1").write_bytes(b"".join(map(event_record, EVENTS)))
    odd: list[Any] = [1e400, -1e400, 1e300, "x", [1], {}, None]
    steps = [item("loss", 0.5) + item(word, value) for word in ("_step", "_timestamp") for value in odd]
    (tmp_path / "wandb" / "run-1-abc").mkdir(parents=True)
    log = wandb_log(*(field(2, one) for one in steps), field(2, item("huge", 1) + field(1, field(1, "huge"))))
    (tmp_path / "wandb" / "run-1-abc" / "run-abc.wandb").write_bytes(log)

    for tool in ("tensorboard", "wandb"):
        bring(experiments.registry, OPENED[tool](tmp_path / ("events" if tool == "tensorboard" else tool)))

    counts = {
        run.facts["source"]["tool"]: list(experiments.get_metrics(run.id)["loss"].values)
        for run in experiments.list_runs()
    }
    assert counts == {"tensorboard": [0.5] * len(EVENTS), "wandb": [0.5] * len(steps)}


def test_a_long_record_of_wandb_comes_whole_from_its_pieces_and_one_without_an_end_is_left_out(
    tmp_path: Path, experiments: ExperimentRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    import struct
    import zlib

    from mlreg.importers import wandb

    def pieces(data: bytes) -> Iterator[tuple[int, bytes]]:
        parts = [data[at : at + 30_000] for at in range(0, len(data), 30_000)]
        for number, part in enumerate(parts):
            yield (1 if len(parts) == 1 else 2 if number == 0 else 4 if number == len(parts) - 1 else 3), part

    def log(*records: bytes) -> bytes:
        found = bytearray(b":W&B\xe1\xbe\x00")
        for record in records:
            for kind, part in pieces(record):
                # A piece never lies in two blocks.
                if 32768 - len(found) % 32768 < len(part) + 7:
                    found += bytes(32768 - len(found) % 32768)
                found += struct.pack("<IHB", zlib.crc32(part, zlib.crc32(bytes([kind]))), len(part), kind) + part
        return bytes(found)

    (tmp_path / "run-1-abc").mkdir()
    long = field(17, field(1, "abc") + field(4, item("text", "x" * 200_000)))
    longer = field(17, field(1, "abc") + field(4, item("longer", "x" * 400_000)))
    (tmp_path / "run-1-abc" / "run-abc.wandb").write_bytes(log(long, longer, field(2, item("loss", 0.5))))
    monkeypatch.setattr(wandb, "MAX_RECORD", 300_000)

    result = bring(experiments.registry, importing.wandb(tmp_path))

    (run,) = experiments.list_runs()
    assert (run.params, run.metrics) == ({"text": "x" * 200_000}, {"loss": 0.5})
    assert result.warnings == ("record left out that is too long",)


def test_files_of_wandb_that_lead_out_are_left_out(tmp_path: Path, experiments: ExperimentRegistry) -> None:
    root = foreign.write_wandb(tmp_path / "wandb")
    files = next(root.glob("*run-*/files"))
    (tmp_path / "secret.yaml").write_text(f"key:\n  value: '{SECRET}'\n")
    (files / "link").symlink_to(tmp_path / "secret.yaml")
    (files / "inside").symlink_to("output.log")
    (files / "config.yaml").symlink_to(tmp_path / "secret.yaml")
    (files / "bad").symlink_to("/nowhere")

    result = bring(experiments.registry, importing.wandb(root))

    assert SECRET not in everything(experiments)
    paths = [file.path for file in experiments.registry.files(experiments.list_runs()[0].ref)]
    assert {"artifacts/output.log", "artifacts/inside"} <= set(paths)
    assert result.artifacts == 2


# Tables.


@pytest.mark.parametrize(
    "text",
    [
        "run,start_time,metrics.a\nx,²,1\n",
        f"run,start_time,metrics.a\nx,{'9' * 5000},1\n",
        "run,start_time,metrics.a\nx,0001-01-01,1\n",
        "run,end_time,metrics.a\nx,9999-12-31T23:59:59-23:00,1\n",
        f"run,metrics.a\nx,{'9' * 5000}\n",
        f"run,p,metrics.a\nx,{'9' * 5000},1\n",
        f"run,tags.a,metrics.a\nx,{'x' * 100_000},1\n",
        "step,a\n1e300,1\nnan,2\ninf,3\n\x00,4\n",
        "run,metrics.a\x1b[2J\nx\x00,1\n",
    ],
)
def test_any_text_may_stand_in_a_table(text: str, tmp_path: Path, experiments: ExperimentRegistry) -> None:
    (tmp_path / "table.csv").write_text(text, encoding="utf-8")

    first = bring(experiments.registry, importing.csv(tmp_path / "table.csv"))
    again = bring(experiments.registry, importing.csv(tmp_path / "table.csv"))

    assert (first.runs, again.added, len(experiments.list_runs())) == (1, 0, 1)
    assert first.points >= 1


def test_names_that_cannot_stay_are_kept_apart(tmp_path: Path, experiments: ExperimentRegistry) -> None:
    names = ["a\x00", "a\x01", "a\ufffd", "x" * 251, "x" * 252, "x" * 250]
    header = ",".join(f"metrics.{name}" for name in names)
    (tmp_path / "table.csv").write_text(f"{header}\n{','.join('123456')}\n")

    bring(experiments.registry, importing.csv(tmp_path / "table.csv"))

    (run,) = experiments.list_runs()
    assert sorted(run.metrics.values()) == [1, 2, 3, 4, 5, 6]
    assert all(name.isprintable() and len(name) <= 250 for name in run.metrics)


# Telling of it.


def test_many_faults_are_told_in_few_words(tmp_path: Path, experiments: ExperimentRegistry) -> None:
    root = foreign.write_mlruns(tmp_path / "mlruns")
    for number in range(50):
        put(root / "1" / RUN / "artifacts" / f"bad{number}\n", "")

    warnings = bring(experiments.registry, importing.mlflow(str(root))).warnings

    assert len(warnings) == 21
    assert warnings[-1] == "and 30 other kinds"


def test_a_name_that_no_experiment_can_have_is_refused_before_anything_is_imported(tmp_path: Path) -> None:
    foreign.write_all(tmp_path)
    opened: dict[str, Callable[[], Any]] = {
        "tensorboard": lambda: importing.tensorboard(tmp_path / "events", "No Name"),
        "wandb": lambda: importing.wandb(tmp_path / "wandb", "No Name"),
        "trackio": lambda: importing.trackio(tmp_path / "trackio", "No Name"),
        "csv": lambda: importing.csv(tmp_path / "table.csv", "No Name"),
    }
    for opens in opened.values():
        with pytest.raises(MlregError) as refused:
            opens()
        assert refused.value.code == "bad_name"


def test_a_record_of_the_registry_is_never_too_long_for_what_was_imported(
    tmp_path: Path, experiments: ExperimentRegistry
) -> None:
    root = foreign.write_mlruns(tmp_path / "mlruns")
    for number in range(30):
        put(root / "1" / RUN / "tags" / f"t{number}", "é" * 4000)
        put(root / "1" / RUN / "params" / f"p{number}", "x" * (MAX_LINE // 10))

    result: Imported = bring(experiments.registry, importing.mlflow(str(root)))

    (run,) = experiments.list_runs()
    assert (result.added, len(run.labels) < 30) == (2, True)
    assert any(warning.startswith("label left out that is too long") for warning in result.warnings)
