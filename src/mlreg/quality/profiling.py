"""The profile of one file of a table, whatever its form."""

from __future__ import annotations

from mlreg.quality.file_profile import FileProfile
from mlreg.quality.measuring_parquet import parquet_profile
from mlreg.quality.measuring_text import text_profile
from mlreg.quality.tables import Form, TableFile


def profile_of(table: TableFile, *, threads: int = 0) -> FileProfile:
    """Say what a file of a table is like; the answer is a function of its bytes and its form alone.

    Args:
        table: the file.
        threads: of DuckDB; 0 for as many as there are cores.

    Raises:
        UsageError: `bad_table`.
        UnsupportedError: `missing_extra`, for Parquet without DuckDB.
    """
    if table.form is Form.PARQUET:
        return parquet_profile(table, threads)
    return text_profile(table)
