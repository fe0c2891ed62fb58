"""What other tools leave on a disk, written by hand, byte by byte: for where the tools themselves are not."""

from __future__ import annotations

import json
import sqlite3
import struct
import zlib
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from mlreg.importers.event_file import masked_crc

MOMENT = 1_790_000_000
"""Seconds since 1970 at which everything here began."""
RUN = "0123456789abcdef0123456789abcdef"


def write_mlruns(root: Path) -> Path:
    """Write a directory of mlflow: an experiment, a run with an artifact, and a model with an alias."""
    run = root / "1" / RUN
    milliseconds = MOMENT * 1000
    files = {
        "1/meta.yaml": f"experiment_id: '1'\nname: churn\nartifact_location: {root}/1\nlifecycle_stage: active\n",
        f"1/{RUN}/meta.yaml": f"artifact_uri: file://{run}/artifacts\nrun_id: {RUN}\nrun_name: first\nstatus: 3\n"
        f"lifecycle_stage: active\nstart_time: {milliseconds}\nend_time: {milliseconds + 1000}\nuser_id: ann\n",
        f"1/{RUN}/params/lr": "0.1",
        f"1/{RUN}/params/optim/name": "adam",
        f"1/{RUN}/metrics/auc": f"{milliseconds} 0.5 0\n{milliseconds + 500} 0.75 1\n",
        f"1/{RUN}/tags/team": "vision",
        f"1/{RUN}/artifacts/model/weights.bin": "weights",
        "models/Net v2/meta.yaml": "name: Net v2\ndescription: finds nets\n",
        "models/Net v2/aliases/champion": "1",
        "models/Net v2/version-1/meta.yaml": f"name: Net v2\nversion: 1\nrun_id: {RUN}\nsource: runs:/{RUN}/model\n"
        "current_stage: None\n",
    }
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return root


MLFLOW_TABLES = """
CREATE TABLE experiments(experiment_id INTEGER PRIMARY KEY, name TEXT, artifact_location TEXT, lifecycle_stage TEXT);
CREATE TABLE experiment_tags(key TEXT, value TEXT, experiment_id INTEGER);
CREATE TABLE runs(run_uuid TEXT PRIMARY KEY, name TEXT, user_id TEXT, status TEXT, start_time BIGINT, end_time BIGINT,
                  artifact_uri TEXT, experiment_id INTEGER, lifecycle_stage TEXT);
CREATE TABLE params(key TEXT, value TEXT, run_uuid TEXT);
CREATE TABLE tags(key TEXT, value TEXT, run_uuid TEXT);
CREATE TABLE metrics(key TEXT, value DOUBLE, timestamp BIGINT, run_uuid TEXT, step BIGINT, is_nan BOOLEAN);
CREATE TABLE registered_models(name TEXT, description TEXT, creation_time BIGINT);
CREATE TABLE registered_model_tags(key TEXT, value TEXT, name TEXT);
CREATE TABLE registered_model_aliases(alias TEXT, version INTEGER, name TEXT);
CREATE TABLE model_versions(name TEXT, version INTEGER, run_id TEXT, source TEXT, storage_location TEXT,
                            current_stage TEXT, description TEXT);
CREATE TABLE model_version_tags(key TEXT, value TEXT, name TEXT, version INTEGER);
"""


def mlflow_rows(root: Path) -> dict[str, list[tuple[object, ...]]]:
    """Return what the tables of mlflow hold: the same as `write_mlruns` writes."""
    milliseconds = MOMENT * 1000
    place = f"{root}/mlruns/1/{RUN}/artifacts"
    return {
        "experiments": [(1, "churn", f"{root}/mlruns/1", "active")],
        "experiment_tags": [("owner", "ann", 1)],
        "runs": [(RUN, "first", "ann", "FINISHED", milliseconds, milliseconds + 1000, place, 1, "active")],
        "params": [("lr", "0.1", RUN), ("optim/name", "adam", RUN)],
        "tags": [("team", "vision", RUN)],
        "metrics": [("auc", 0.5, milliseconds, RUN, 0, 0), ("auc", 0.75, milliseconds + 500, RUN, 1, 0)],
        "registered_models": [("Net v2", "finds nets", milliseconds)],
        "registered_model_tags": [("owner", "ann", "Net v2")],
        "registered_model_aliases": [("champion", 1, "Net v2")],
        "model_versions": [("Net v2", 1, RUN, f"runs:/{RUN}/model", "", "None", "")],
        "model_version_tags": [("approved", "yes", "Net v2", 1)],
    }


def write_database(path: Path, tables: str, rows: Mapping[str, list[tuple[object, ...]]]) -> Path:
    """Write a database with rows in its tables."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    with closing(sqlite3.connect(path)) as db:
        db.executescript(tables)
        for table, some in rows.items():
            for row in some:
                db.execute(f"INSERT INTO {table} VALUES({','.join('?' * len(row))})", row)
        db.commit()
    return path


def write_mlflow_db(root: Path) -> Path:
    """Write a database of mlflow, with an artifact beside it."""
    artifact = root / "mlruns" / "1" / RUN / "artifacts" / "model" / "weights.bin"
    artifact.parent.mkdir(parents=True)
    artifact.write_text("weights")
    return write_database(root / "mlflow.db", MLFLOW_TABLES, mlflow_rows(root))


def field(number: int, value: float | bytes | str) -> bytes:
    """Return a field of a message: an int is a varint, a float has 64 bits."""
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value & (1 << 64) - 1)
    if isinstance(value, float):
        return _varint(number << 3 | 1) + struct.pack("<d", value)
    data = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def single(number: int, value: float) -> bytes:
    """Return a field of a message that is a float of 32 bits."""
    return _varint(number << 3 | 5) + struct.pack("<f", value)


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 127:
        found.append(value & 127 | 128)
        value >>= 7
    return bytes([*found, value])


def event_record(data: bytes) -> bytes:
    """Return a record of an event file."""
    length = struct.pack("<Q", len(data))
    return length + struct.pack("<I", masked_crc(length)) + data + struct.pack("<I", masked_crc(data))


def scalar(tag: str, value: float, step: int) -> bytes:
    """Return an event with a number."""
    return field(1, MOMENT + step / 2) + field(2, step) + field(5, field(1, field(1, tag) + single(2, value)))


def write_events(root: Path) -> Path:
    """Write a log directory of TensorBoard with one run."""
    path = root / "first" / f"events.out.tfevents.{MOMENT}.host"
    path.parent.mkdir(parents=True)
    events = [
        field(1, float(MOMENT)) + field(3, "brain.Event:2"),
        *(scalar("auc", step / 4, step) for step in range(3)),
    ]
    path.write_bytes(b"".join(map(event_record, events)))
    return root


def wandb_log(*records: bytes) -> bytes:
    """Return a log of wandb with whole records, each less than a block."""
    pieces = [struct.pack("<IHB", zlib.crc32(data, zlib.crc32(b"\1")), len(data), 1) + data for data in records]
    return b":W&B\xe1\xbe\x00" + b"".join(pieces)


def item(key: str, value: Any) -> bytes:
    """Return an item of a history, a config or a summary of wandb."""
    return field(1, field(1, key) + field(16, json.dumps(value)))


def write_wandb(root: Path) -> Path:
    """Write a directory of wandb with one offline run."""
    directory = root / "offline-run-20260101_000000-abcd1234"
    (directory / "files").mkdir(parents=True)
    (directory / "files" / "output.log").write_text("epoch 1\n")
    run = field(1, "abcd1234") + field(3, "churn") + field(8, "first") + field(17, field(1, MOMENT))
    config = field(4, item("lr", 0.1) + item("optim", {"name": "adam"}))
    points = [
        field(2, item("auc", step / 4) + item("_timestamp", MOMENT + step) + field(2, field(1, step)))
        for step in range(3)
    ]
    log = wandb_log(field(17, run + config), *points, field(3, item("best", 0.9)), field(18, field(2, 3)))
    (directory / "run-abcd1234.wandb").write_bytes(log)
    return root


TRACKIO_TABLES = """
CREATE TABLE metrics(id INTEGER PRIMARY KEY, run_id, timestamp, run_name, step, metrics);
CREATE TABLE configs(id INTEGER PRIMARY KEY, run_id, run_name, config, created_at);
"""


def trackio_rows() -> dict[str, list[tuple[object, ...]]]:
    """Return what the tables of trackio hold."""
    times = [f"2026-11-24T17:11:0{step}+00:00" for step in range(3)]
    values = [json.dumps({"auc": step / 4, "loss": "NaN"}) for step in range(3)]
    config = json.dumps({"lr": 0.1, "_Group": "seeds", "_Created": times[0]})
    return {
        "metrics": [(None, RUN, times[step], "first", step, values[step]) for step in range(3)],
        "configs": [(None, RUN, "first", config, "")],
    }


def write_trackio(root: Path) -> Path:
    """Write a directory of trackio with one project and one run."""
    root.mkdir(parents=True, exist_ok=True)
    write_database(root / "churn.db", TRACKIO_TABLES, trackio_rows())
    return root


def write_table(path: Path) -> Path:
    """Write a table in which a row is a run."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("run_id,name,params.lr,metrics.auc,tags.team\na1,first,0.1,0.5,vision\na2,second,0.2,nan,vision\n")
    return path


def write_all(root: Path) -> None:
    """Write something of every tool that can be imported."""
    write_mlruns(root / "mlruns")
    write_events(root / "events")
    write_wandb(root / "wandb")
    write_trackio(root / "trackio")
    write_table(root / "table.csv")
