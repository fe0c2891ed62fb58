"""Pages on data, where they are asked for: profiles, drift and rules as one HTML file each."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mlreg.cli.output import save
from mlreg.registry.checking_data import DataCheck
from mlreg.registry.drifting import DataDrift
from mlreg.registry.profiling import Profile

Page = Annotated[
    Path | None,
    typer.Option("-o", "--out", metavar="FILE", help="Write it as one HTML file, too, which opens anywhere."),
]


def write_profile(result: Profile, path: Path | None) -> None:
    """Write a page on a profile, if there is a path."""
    if path:
        from mlreg.web.profile_page import page

        save(page(result), path)


def write_drift(result: DataDrift, path: Path | None) -> None:
    """Write a page on drift, if there is a path."""
    if path:
        from mlreg.web.drift_page import page

        save(page(result), path)


def write_check(result: DataCheck, path: Path | None) -> None:
    """Write a page on rules, if there is a path."""
    if path:
        from mlreg.web.check_page import page

        save(page(result), path)
