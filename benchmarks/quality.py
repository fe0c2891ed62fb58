"""Data quality: profiles and drift of a million rows, beside DuckDB's own SUMMARIZE."""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.timing import Clock

ROUNDS = 5
SUMMARIZE = "import duckdb, sys; duckdb.sql(f\"SUMMARIZE FROM '{sys.argv[1]}'\").fetchall()"
TABLE = """
COPY (
    SELECT i AS id, sin(i * 12.9898) * 43758.5453 % 1 AS real, CAST(ln(2 + i * 7919 % 99991) AS FLOAT) AS single,
        i * 7919 % 100 AS small, chr(CAST(97 + i * 31 % 4 AS INTEGER)) AS class, 'user ' || i * 7919 % 600011 AS name,
        TIMESTAMP '2026-01-01' + to_seconds(i * 7919 % 9999991) AS moment, i % 3 = 0 AS flag
    FROM range({rows}) AS _(i)
) TO '{path}' (FORMAT parquet)
"""
COLUMN = "COPY (SELECT sqrt((i * 7919 % 999983) / 999983) * {factor} AS x FROM range({rows}) AS _(i)) TO '{path}'"


def measure(clock: Clock, work: Path, mlreg: str, rows: int) -> list[tuple[str, float, float]]:
    """Return label, seconds and peak in 10^6 bytes of each call, after timing all in turn; none without DuckDB.

    Args:
        clock: what times.
        work: an empty directory.
        mlreg: the installed, compiled command.
        rows: of each table.
    """
    try:
        import duckdb
    except ImportError:
        return []
    duckdb.sql(TABLE.format(rows=rows, path=work / "table.parquet"))
    for name, factor in (("before", 1), ("after", 0.99)):
        duckdb.sql(COLUMN.format(rows=rows, factor=factor, path=work / f"{name}.parquet"))
    duckdb.sql(f"COPY (FROM '{work}/table.parquet') TO '{work}/table.csv'")
    calls = {
        "DuckDB's `SUMMARIZE`, Parquet": [sys.executable, "-c", SUMMARIZE, "table.parquet"],
        "`mlreg data profile`, Parquet": [mlreg, "data", "profile", "./table.parquet", "-q"],
        "`mlreg data drift`, a column of Parquet": [
            mlreg,
            "data",
            "drift",
            "./before.parquet",
            "./after.parquet",
            "-q",
        ],
    }
    for _ in range(ROUNDS):
        for label, command in calls.items():
            clock.run(label, command, work)
    text = "`mlreg data profile`, CSV, once"
    clock.run(text, [mlreg, "data", "profile", "./table.csv", "-q"], work)
    return [(label, clock.seconds(label), clock.peak(label)) for label in (*calls, text)]
