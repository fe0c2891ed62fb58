"""Figures and tables of other libraries as bytes, known by what they can do; no library is imported for them."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mlreg.errors import UsageError
from mlreg.formats.plain import plain


def figure_bytes(figure: Any, name: str) -> bytes:  # noqa: ANN401 - of matplotlib, plotly, Pillow
    """Return a picture in the format that its name ends in: `.png`, `.svg`, `.html`.

    Args:
        figure: of matplotlib (`savefig`), plotly (`write_html`, `to_image`), or an image of Pillow (`save`).
        name: of the file.

    Raises:
        UsageError: `bad_figure`.
    """
    form = name.rpartition(".")[2].lower() if "." in name else "png"
    held = io.BytesIO()
    if hasattr(figure, "savefig"):
        figure.savefig(held, format=form)
        return held.getvalue()
    if hasattr(figure, "write_html"):
        html: bytes = figure.to_html().encode() if form in ("html", "htm") else figure.to_image(format=form)
        return html
    if hasattr(figure, "save") and hasattr(figure, "getbands"):
        figure.save(held, format={"jpg": "jpeg"}.get(form, form))
        return held.getvalue()
    word = type(figure).__name__
    raise UsageError(
        "bad_figure",
        f"a {word} is no figure that is known",
        why="figures of matplotlib and plotly and images of Pillow are",
        fix="save it to a file, and log that: log_artifact",
    )


def table_bytes(rows: Any, name: str) -> bytes:  # noqa: ANN401 - rows, columns, or a data frame
    """Return a table as CSV, or as JSON lines if its name ends in `.jsonl`.

    Args:
        rows: mappings from column to value; a mapping from column to values; a data frame of pandas or polars.
        name: of the file.

    Raises:
        UsageError: `bad_table`.
    """
    records = _records(rows)
    if name.endswith(".jsonl"):
        return "".join(f"{json.dumps(plain(record), default=str)}\n" for record in records).encode()
    columns = list(dict.fromkeys(key for record in records for key in record))
    held = io.StringIO()
    writer = csv.DictWriter(held, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    return held.getvalue().encode()


def _records(rows: Any) -> Sequence[Mapping[str, Any]]:  # noqa: ANN401 - as above
    if hasattr(rows, "to_dicts"):
        rows = rows.to_dicts()
    elif hasattr(rows, "to_dict"):
        rows = rows.to_dict("records")
    if isinstance(rows, Mapping):
        columns = {key: list(values) for key, values in rows.items() if not isinstance(values, str)}
        if len(columns) == len(rows) and len({len(values) for values in columns.values()}) <= 1:
            return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    elif isinstance(rows, Iterable) and not isinstance(rows, str | bytes):
        found = list(rows)
        if all(isinstance(row, Mapping) for row in found):
            return found
    raise UsageError("bad_table", "this is no table", fix='log_table([{"id": 1, "p": 0.9}], "predictions.csv")')
