"""Tables and pictures that scikit-learn ships, from files to an export: what is told of them is what others compute."""

from __future__ import annotations

import itertools
import json
import random
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from mlreg.quality.drift import BINS, FEW, ColumnDrift
from mlreg.quality.numbers import QUANTILES
from mlreg.quality.profile import ColumnProfile, TableProfile
from mlreg.registry import DataRegistry
from mlreg.registry.drifting import data_drift
from mlreg.registry.profiling import profile
from mlreg.registry.registry import Registry
from tests.cli.calling import command, environment

NAMES = ("iris", "wine", "breast_cancer")
FILES = {"iris": "iris.csv", "wine": "wine_data.csv", "breast_cancer": "breast_cancer.csv"}
FLOOR = 1e-4
"""The least share of an index."""
RULES = """rules:
- {rule: schema_equal, file: first.csv}
- {rule: range, column: petal_length, min: 0, max: 10}
- {rule: not_null, columns: [sepal_length, species]}
- {rule: in_set, name: known species, column: species, values: [0, 1], severity: warn}
- {rule: null_share, column: petal_length, max: 0.05, name: petals were measured}
"""


class Batches(NamedTuple):
    """Two exports of the same table, on the disk and as pandas has them."""

    paths: tuple[Path, Path]
    frames: tuple[Any, Any]


def shipped() -> Path:
    """Return the directory of what scikit-learn ships."""
    datasets = pytest.importorskip("sklearn.datasets")
    return Path(datasets.__path__[0])


def headings(name: str) -> list[str]:
    """Return the names of the columns, which the files themselves do not have."""
    datasets = pytest.importorskip("sklearn.datasets")
    named = getattr(datasets, f"load_{name}")().feature_names
    return [*(word.removesuffix(" (cm)").replace(" ", "_") for word in named), "species"]


def write(path: Path, heading: str, lines: Sequence[str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in [heading, *lines]))
    return path


def number(cell: str) -> float:
    return float(cell or "nan")


def without(line: str, place: int) -> str:
    cells = line.split(",")
    return ",".join(["" if at == place else cell for at, cell in enumerate(cells)])


def batches(name: str, directory: Path) -> Batches:
    """Return a table as it ships, and a later export: without its first third, and each seventh third cell is empty."""
    pandas = pytest.importorskip("pandas")
    heading, *lines = (shipped() / "data" / FILES[name]).read_text().splitlines()
    assert int(heading.split(",")[0]) == len(lines)
    named = ",".join(headings(name))
    later = [without(line, 2) if at % 7 == 0 else line for at, line in enumerate(lines[len(lines) // 3 :])]
    paths = write(directory / "before.csv", named, lines), write(directory / "after.csv", named, later)
    before, after = (
        pandas.DataFrame([list(map(number, line.split(","))) for line in some], columns=headings(name))
        for some in (lines, later)
    )
    return Batches(paths, (before, after))


@pytest.fixture(params=NAMES)
def both(request: pytest.FixtureRequest, tmp_path: Path) -> Batches:
    return batches(request.param, tmp_path)


def the_table(tables: Sequence[TableProfile]) -> TableProfile:
    (table,) = tables
    return table


# Profiles, beside pandas.


def test_a_profile_of_a_real_table_is_what_pandas_says(both: Batches) -> None:
    for path, frame in zip(both.paths, both.frames, strict=True):
        table = the_table(profile(Registry("nowhere", "Ann"), str(path)).tables)

        assert (table.rows, table.duplicates) == (len(frame), int(frame.duplicated().sum()))
        assert [column.name for column in table.columns] == [*frame.columns]
        for column in table.columns:
            compare_with_pandas(column, frame[column.name])
    assert both.frames[1].isna().sum().sum() > 0


def compare_with_pandas(column: ColumnProfile, series: Any) -> None:
    numbers, present = column.numbers, series.dropna()
    assert numbers
    assert (column.nulls, column.distinct) == (int(series.isna().sum()), series.nunique())
    assert (numbers.min, numbers.max) == (present.min(), present.max())
    assert numbers.mean == pytest.approx(present.mean(), rel=1e-12)
    assert numbers.sd == pytest.approx(present.std(), rel=1e-12)
    assert (numbers.zeros, numbers.negatives) == (int((present == 0).sum()), int((present < 0).sum()))
    assert [one.value for one in numbers.quantiles] == pytest.approx(present.quantile(QUANTILES).tolist(), rel=1e-12)
    bins: Any = [numbers.min, *(one.high for one in numbers.histogram)]
    counts, edges = np.histogram(present, bins)
    assert [one.rows for one in numbers.histogram] == counts.tolist()
    assert edges == pytest.approx(np.linspace(present.min(), present.max(), 21))
    told = present.value_counts()
    assert [one.rows for one in column.top] == told.head(len(column.top)).tolist()
    assert all(told[one.value] == one.rows for one in column.top)


# Drift, beside scipy.


def test_drift_between_real_tables_is_what_scipy_says(both: Batches) -> None:
    stats, distance = pytest.importorskip("scipy.stats"), pytest.importorskip("scipy.spatial.distance")
    (table,) = data_drift(Registry("nowhere", "Ann"), str(both.paths[0]), str(both.paths[1])).tables

    assert {one.by for one in table.columns} == {"numbers", "values"}
    for column in table.columns:
        before, after = (frame[column.name] for frame in both.frames)
        assert column.ks == pytest.approx(stats.ks_2samp(before.dropna(), after.dropna()).statistic, abs=1e-12)
        one, other = counted(column, before, after)
        assert column.psi == pytest.approx(index(one, other), rel=1e-9)
        assert column.js == pytest.approx(distance.jensenshannon(one, other, base=2), abs=1e-7)
        assert (column.nulls_before, column.nulls_after) == (before.isna().mean(), after.isna().mean())
        if column.by == "values":
            filled = np.asarray([one, other])[:, (one + other) > 0]
            told = stats.chi2_contingency(filled, correction=False)
            assert (column.chi2, column.chi2_p) == pytest.approx((told.statistic, told.pvalue), rel=1e-6)
        compare_pictures(column, before.dropna(), after.dropna())
    assert max(one.psi or 0.0 for one in table.columns) > 1


def counted(column: ColumnDrift, before: Any, after: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return both counts of each bin, as the page on data quality describes them."""
    if column.by == "values":
        assert max(before.nunique(), after.nunique()) <= FEW
        words = sorted({*before.dropna(), *after.dropna()})
        one, other = ([*((series == word).sum() for word in words), series.isna().sum()] for series in (before, after))
        return np.asarray(one, float), np.asarray(other, float)
    ordered = np.sort(before.dropna())
    # The value up to which there are as near as can be k tenths of all.
    tops = [ordered[int(np.ceil(len(ordered) * k / BINS - 0.5)) - 1] for k in range(1, BINS)]
    edges = np.unique([*tops, ordered[-1]])
    bins = [np.nextafter(ordered[0], -np.inf), *edges]
    found = []
    for series in (before, after):
        inside = [int(((series > low) & (series <= high)).sum()) for low, high in itertools.pairwise(bins)]
        nulls = int(series.isna().sum())
        found.append(np.asarray([*inside, len(series) - sum(inside) - nulls, nulls], float))
    return found[0], found[1]


def index(before: NDArray[np.float64], after: NDArray[np.float64]) -> float:
    """Return the stability index as the sum of both relative entropies."""
    special = pytest.importorskip("scipy.special")
    one, other = (np.maximum(counts / counts.sum(), FLOOR) for counts in (before, after))
    return float(special.rel_entr(one, other).sum() + special.rel_entr(other, one).sum())


def compare_pictures(column: ColumnDrift, before: Any, after: Any) -> None:
    """Compare what is drawn of both with what numpy and pandas count."""
    if column.by == "values":
        assert [one.value for one in column.top] == sorted({*before, *after})
        assert [one.before for one in column.top] == [(before == one.value).sum() for one in column.top]
        assert [one.after for one in column.top] == [(after == one.value).sum() for one in column.top]
        return
    ends = min(before.min(), after.min()), max(before.max(), after.max())
    edges: Any = [column.histogram[0].low, *(one.high for one in column.histogram)]
    assert edges == pytest.approx(np.linspace(*ends, 21))
    assert [one.before for one in column.histogram] == np.histogram(before, edges)[0].tolist()
    assert [one.after for one in column.histogram] == np.histogram(after, edges)[0].tolist()


# Whatever counts them.


@pytest.mark.parametrize("name", ["iris", "wine"])
def test_a_profile_of_real_rows_is_the_same_by_any_number_of_threads_and_in_any_order_of_files(
    name: str, tmp_path: Path
) -> None:
    pytest.importorskip("duckdb")
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    from mlreg.quality.profiling import profile_of
    from mlreg.quality.tables import table_file

    frame = batches(name, tmp_path).frames[1]
    # The rows often enough for several threads, which sum floats up in other orders.
    sample = frame.sample(30_000, replace=True, random_state=7)
    # Words that are there equally often, and more of them than are kept.
    sample["plot"] = [f"plot {at % 1500}" for at in range(len(sample))]
    sample["kind"] = sample["species"].map({0: "setosa", 1: "versicolor", 2: "virginica"})
    table = arrow.Table.from_pandas(sample, preserve_index=False)
    found = []
    for threads, size in itertools.product((1, 2, 8), (1000, 100_000)):
        parquet.write_table(table, tmp_path / "a.parquet", row_group_size=size)
        file = table_file(tmp_path / "a.parquet")
        assert file
        found.append(profile_of(file, threads=threads))
    assert all(one == found[0] for one in found)

    shards = [table.slice(start, 7001) for start in range(0, 30_000, 7001)]
    chance, whole = random.Random(11), []
    for turn in range(4):
        for number, shard in enumerate(chance.sample(shards, len(shards))):
            parquet.write_table(shard, tmp_path / f"turn{turn}-{number}.parquet")
        directory = tmp_path / str(turn)
        directory.mkdir()
        for path in tmp_path.glob(f"turn{turn}-*"):
            path.rename(directory / path.name.partition("-")[2])
        whole.append(profile(Registry("nowhere", "Ann"), str(directory)).tables)
    assert all(one == whole[0] for one in whole)
    assert the_table(whole[0]).rows == 30_000


# Pictures, beside Pillow.


def test_pictures_are_what_pillow_says(tmp_path: Path) -> None:
    pillow = pytest.importorskip("PIL.Image")
    pictures = sorted((shipped() / "images").glob("*.jpg"))
    assert len(pictures) == 2
    for path in pictures:
        (tmp_path / path.stem).mkdir()
        shutil.copy(path, tmp_path / path.stem)
        with pillow.open(path) as picture:
            picture.convert("L").resize((40, 30)).save(tmp_path / path.stem / "small.png")
            (tmp_path / path.stem / "cut.jpg").write_bytes(path.read_bytes()[:-2000])
            expected = (picture.format.lower(), picture.mode.lower(), picture.width, picture.height)

    found = profile(Registry("nowhere", "Ann"), str(tmp_path))

    large, small = sorted(found.images.kinds)
    assert (large.format, large.mode, large.max_width, large.max_height) == expected
    assert (large.files, large.sizes) == (2, 1)
    assert (small.format, small.mode, small.min_width, small.min_height, small.files) == ("png", "gray", 40, 30, 2)
    assert [one.path for one in found.images.broken_samples] == ["china/cut.jpg", "flower/cut.jpg"]
    assert [(one.path, one.files) for one in found.folders] == [("china", 3), ("flower", 3)]


# From files to an export.


class Project:
    """A directory in which mlreg is called as a process."""

    def __init__(self, root: Path) -> None:
        self.place = root / "project"
        self.place.mkdir()
        self.mlreg("init", "-q")

    def mlreg(self, *words: str, status: int = 0) -> str:
        done = subprocess.run(
            command(*words),
            cwd=self.place,
            env=environment(MLREG_AUTHOR="Ann Lee <ann@example.org>"),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == status, done
        return done.stdout

    def json(self, *words: str, status: int = 0) -> Any:
        return json.loads(self.mlreg(*words, "--json", status=status))


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Iris and two pictures as a dataset of two versions, and a model that was made from the second one."""
    _, *lines = (shipped() / "data" / "iris.csv").read_text().splitlines()
    project, heading = Project(tmp_path), ",".join(headings("iris"))
    root = project.place / "iris"
    write(root / "first.csv", heading, [line for line in lines if not line.endswith(",2")])
    shutil.copytree(
        shipped() / "images",
        root / "pictures",
        ignore=lambda _, names: [name for name in names if not name.endswith(".jpg")],
    )
    project.mlreg("add", "data/iris", "iris", "--version", "2026.11.01", "--meta", "license=CC-BY-4.0", "-q")
    later = [line for line in lines if line.endswith(",2")]
    write(root / "second.csv", heading, [without(line, 2) if at % 5 == 0 else line for at, line in enumerate(later)])
    (root / "pictures" / "china.jpg").unlink()
    project.mlreg("add", "data/iris", "iris", "--version", "2026.11.02", "-q")
    (project.place / "weights.bin").write_bytes(b"weights")
    project.mlreg("add", "model/net", "weights.bin", "--version", "1.0.0", "--in", "data=data/iris@2026.11.02", "-q")
    (project.place / "rules.yaml").write_text(RULES)
    return project


def test_a_real_dataset_is_looked_at_compared_traced_and_got_in_part(project: Project, tmp_path: Path) -> None:
    root = project.place / "iris"
    found = project.json("data", "profile", "data/iris@2026.11.01")
    assert [(table["files"], table["rows"]) for table in found["tables"]] == [(["first.csv"], 100)]
    assert (found["files"], found["images"]["kinds"][0]["files"], found["images"]["broken"]) == (3, 2, 0)

    check = project.json("data", "check", "data/iris@2026.11.02", "--rules", "rules.yaml", status=3)
    assert {one["name"]: (one["verdict"], one["failing"]) for one in check["rules"]} == {
        "schema_equal": ("ok", 0),
        "range petal_length": ("ok", 0),
        "not_null sepal_length species": ("ok", 0),
        "known species": ("warn", 50),
        "petals were measured": ("fail", 10),
    }
    assert check["rules"][3]["samples"][0] == {"file": "second.csv", "line": 2, "value": "2"}

    drift = project.json("data", "drift", "data/iris@2026.11.01", "data/iris@2026.11.02", status=3)
    assert drift["tables"][0]["verdict"] == "fail"
    same = project.json("data", "drift", "data/iris@2026.11.02", "./iris")
    assert [column["psi"] for column in same["tables"][0]["columns"]] == [0.0] * 5

    changes = project.json("diff", "data/iris@2026.11.01", "data/iris@2026.11.02")["files"]
    assert [(one["change"], one["path"]) for one in changes] == [
        ("removed", "pictures/china.jpg"),
        ("added", "second.csv"),
    ]
    down = project.json("lineage", "data/iris@2026.11.02", "--down")["items"]
    assert [(one["depth"], one["ref"]) for one in down] == [(0, "data/iris@2026.11.02"), (1, "model/net@1.0.0")]

    project.mlreg("get", "data/iris@2026.11.01", str(tmp_path / "out"), "--include", "pictures/*")
    written = sorted(path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.*"))
    assert written == ["pictures/china.jpg", "pictures/flower.jpg"]
    assert (tmp_path / "out" / "pictures" / "china.jpg").read_bytes() == (shipped() / "images/china.jpg").read_bytes()
    project.mlreg("get", "data/iris@2026.11.02", str(tmp_path / "whole"))
    whole = {path.relative_to(root): path.read_bytes() for path in root.rglob("*.*")}
    assert {
        path.relative_to(tmp_path / "whole"): path.read_bytes() for path in (tmp_path / "whole").rglob("*.*")
    } == whole
    usage = project.json("usage", "data/iris")["items"]
    assert {one["ref"]: one["ways"] for one in usage} == {
        "data/iris@2026.11.01": {"get": 1},
        "data/iris@2026.11.02": {"get": 1},
    }


def test_a_real_dataset_has_pages_and_a_card(project: Project) -> None:
    project.mlreg("data", "profile", "data/iris", "-o", "profile.html")
    project.mlreg("data", "drift", "data/iris@latest~1", "data/iris", "-o", "drift.html", status=3)
    project.mlreg("data", "check", "data/iris", "--rules", "rules.yaml", "-o", "check.html", status=3)

    for name in ("profile", "drift", "check"):
        page = (project.place / f"{name}.html").read_text(encoding="utf-8")
        assert "petal_length" in page
        assert "<script" not in page
    assert "license: CC-BY-4.0" in project.mlreg("export", "data/iris@2026.11.01", "--as", "card")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # its own
def test_mlcroissant_accepts_a_real_dataset_and_reads_its_rows(project: Project) -> None:
    mlcroissant = pytest.importorskip("mlcroissant")
    project.mlreg("get", "data/iris@2026.11.02", "out", "-q")
    project.mlreg("export", "data/iris@2026.11.02", "--as", "croissant", "out/croissant.json")

    found = mlcroissant.Dataset(jsonld=str(project.place / "out" / "croissant.json"))

    assert not found.metadata.issues.errors
    files = {one.name: one.sha256 for one in found.metadata.distribution}
    assert sorted(files) == ["first.csv", "pictures/flower.jpg", "second.csv"]
    rows = list(found.records("records/second.csv"))
    assert len(rows) == 50
    assert sum(row["records/second.csv/petal_length"] is None for row in rows) == 10
    lengths = [row["records/second.csv/sepal_length"] for row in rows]
    data = DataRegistry(project.place / ".mlreg", "Ann")
    (told,) = data.profile("iris", "2026.11.02", "second.csv").tables
    assert told.columns[0].numbers
    assert told.columns[0].numbers.mean == pytest.approx(sum(lengths) / 50)
