"""Whether all is well: health, for cron; doctor, for set-up problems."""

from __future__ import annotations

from enum import Enum
from typing import Annotated

import typer

from mlreg import __version__
from mlreg.cli import health_views, views
from mlreg.cli.options import answer, open_registry, register, registry_of
from mlreg.cli.output import Printer
from mlreg.cli.report_files import read_reports, write_reports
from mlreg.config import Config
from mlreg.registry.doctor import Surroundings, examine, mend
from mlreg.registry.health import Asked
from mlreg.registry.health import health as look
from mlreg.registry.stamps import write_whole
from mlreg.registry.waiting import seconds_of


class Worst(Enum):
    """The state that exit code 3 stands for."""

    RED = "red"
    YELLOW = "yellow"


FailOn = Annotated[Worst, typer.Option("--fail-on", help="From which state on to exit with 3.")]


def health(
    out: Printer,
    sample: Annotated[
        str, typer.Option("--sample", metavar="SHARE", help="Read so many blocks, at most 256 MiB.")
    ] = "1%",
    offline: Annotated[bool, typer.Option("--offline", help="Ask no remote; use what was last seen of them.")] = False,
    timeout: Annotated[
        str, typer.Option("--timeout", metavar="TIME", help="Until remotes that do not answer are given up.")
    ] = "10s",
    reports: Annotated[
        list[str] | None,
        typer.Option("--report", metavar="FORM=FILE", help="openmetrics=FILE, for node_exporter and the like."),
    ] = None,
    fail_on: FailOn = Worst.RED,
) -> None:
    """Look at everything that goes wrong slowly, and say green, yellow or red: one command for cron.

    The log and what was seen of it, a sample of the stored bytes, the last backup, the disk, remotes and what is not
    pushed, packs and what waits to be deleted, crashed runs, retention that is due, the clock. Exit code 3 if anything
    is red. The bounds are settings, health.*.

    Examples:

      mlreg health

      mlreg health --report openmetrics=/var/lib/node_exporter/mlreg.prom -q
    """
    files, config = read_reports(reports, health_views.REPORTS), Config()
    seconds = 0.0 if offline else seconds_of(timeout)
    asked = Asked(config.health_bounds, config.retention, config.runs, views.share_of(sample), seconds)
    with out.progress("health") as report:
        result = look(open_registry(), asked, report)
    out.show("health", result, health_views.checked(result))
    write_reports(result, files, health_views.REPORTS, write_whole)
    return answer(health_views.is_well(result, fail_on.value))


def doctor(
    out: Printer,
    contact: Annotated[bool, typer.Option("--remote", help="Ask the remotes, too.")] = False,
    fix: Annotated[bool, typer.Option("--fix", help="Mend what is safe to mend.")] = False,
    fail_on: FailOn = Worst.RED,
) -> None:
    """Look for what is set up wrongly: packages, settings, rights, file system, cache, clock, remotes.

    It works outside of a repository, too. Exit code 3 if something is red. With --fix, what writes left that were cut
    is deleted, and notes that cannot be read are forgotten.

    Examples:

      mlreg doctor

      mlreg doctor --remote --fix
    """
    config = Config()
    place = Surroundings(__version__, config.check, lambda: config.cache, lambda: config.state)
    act = mend if fix else examine
    result = act(lambda: registry_of(config), place, contacts=contact)
    out.show("doctor", result, health_views.checked(result))
    return answer(health_views.is_well(result, fail_on.value))


def add_commands(app: typer.Typer) -> None:
    """Put the commands of this file into the tree."""
    for command in (health, doctor):
        register(app)(command)
