"""The repository itself: init, status, repair, repack, gc, du, why, config."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mlreg.cli import cleaning_views, views
from mlreg.cli.options import DryRun, ExitCode, Place, Yes, answer, open_registry, register
from mlreg.cli.output import Printer
from mlreg.config import Config
from mlreg.registry import collecting, mending, reasons, repacking
from mlreg.registry.places import init as make_repository
from mlreg.registry.registry import Registry
from mlreg.registry.results import Initialised
from mlreg.registry.standing import status as read_status
from mlreg.registry.waiting import seconds_of
from mlreg.registry.weighing import weigh

Origin = Annotated[bool, typer.Option("--origin", help="Show also where it is set.")]

settings = typer.Typer(no_args_is_help=True, help="Read, write and check settings: get, set, unset, list, check.")


def init(
    out: Printer,
    directory: Annotated[Path, typer.Argument(metavar="[DIR]", help="By default the current one.")] = Path(),
    shared: Annotated[bool, typer.Option("--shared", help="Make DIR itself the repository, to push to.")] = False,
) -> None:
    """Make an empty repository. One that is there already stays as it is.

    Examples:

      mlreg init

      mlreg init --shared /srv/registry
    """
    path, changed = make_repository(directory, shared=shared)
    result = Initialised(str(path), changed)
    out.show("init", result, views.initialised(result))


def status(out: Printer, exit_code: ExitCode = False) -> None:
    """Show where the repository stands, and what is not pushed, as of the last contact with each remote.

    With --exit-code, exit code 3 says that something is not pushed, or not pulled.
    """
    result = read_status(open_registry())
    out.show("status", result, views.status(result))
    answer(result.is_level or not exit_code)


def repair(
    out: Printer,
    place: Place = "",
    others: Annotated[
        list[str] | None,
        typer.Option("--from", metavar="REMOTE|URL", help="Ask this one, not all; repeatable."),
    ] = None,
    files: Annotated[
        list[Path] | None, typer.Option("--files", metavar="PATH", help="Look into these files, too; repeatable.")
    ] = None,
    dry_run: DryRun = False,
) -> None:
    """Mend what is damaged with good copies from remotes, or from files; packs that were hurt are set aside.

    Everything is verified by its id before it is taken. Nothing is deleted: `mlreg gc` does that later. Exit code 6 if
    something stays lost; it is listed with the versions that it hurts.

    Examples:

      mlreg repair

      mlreg repair origin

      mlreg repair --files ./checkpoints -n
    """
    with out.progress("repair") as report:
        result = mending.repair(
            open_registry(), place, others=others or (), files=files or (), dry_run=dry_run, report=report
        )
    out.show("repair", result, cleaning_views.repaired(result))
    result.refuse_loss()


def repack(
    out: Printer,
    place: Place = "",
    delta: Annotated[
        bool, typer.Option("--delta", help="Store what differs from earlier versions as differences.")
    ] = False,
    grace: Annotated[
        str, typer.Option("--grace", metavar="TIME", help="Keep replaced packs so long, for who reads them.")
    ] = "24h",
    dry_run: DryRun = False,
) -> None:
    """Merge small packs, store versions in fewer bytes, and delete packs that were replaced. No id changes.

    Differences pay for models that were tuned, and for series of checkpoints. They are proven before anything is
    replaced, and others may read and write meanwhile. What `gc` dropped so long ago is deleted, too.

    Examples:

      mlreg repack

      mlreg repack origin

      mlreg repack --delta -n

      mlreg repack --delta --grace 0
    """
    registry, seconds = _registry_at(place), seconds_of(grace)
    act = repacking.preview if dry_run else repacking.repack
    with out.progress("repack") as report:
        result = act(registry, delta=delta, grace=seconds, report=report)
    out.show("repack", result, views.repacked(result))


def gc(
    out: Printer,
    place: Place = "",
    grace: Annotated[
        str, typer.Option("--grace", metavar="TIME", help="Keep files so long after they were dropped.")
    ] = "24h",
    undo: Annotated[
        str, typer.Option("--undo", metavar="TRANSACTION|last", help="Bring back what this one dropped.")
    ] = "",
    yes: Yes = False,
    dry_run: DryRun = False,
    exit_code: ExitCode = False,
) -> None:
    """Take away what no version needs: the files of removed versions, and what was left half written.

    Others may read and write meanwhile. What goes is listed; elsewhere it is only listed, without --yes. Until the
    grace is over, --undo brings it back, and `mlreg restore` the versions.

    Examples:

      mlreg gc -n

      mlreg gc --grace 0

      mlreg gc --undo last

      mlreg gc origin --yes
    """
    registry = _registry_at(place)
    if undo:
        return _undo(out, registry, undo, dry_run)
    act = collecting.preview if dry_run or (place and not yes) else collecting.collect
    with out.progress("gc") as report:
        result = act(registry, grace=seconds_of(grace), report=report)
    out.show("gc", result, cleaning_views.collected(result, needs_yes=not dry_run))
    return answer(result.is_clean or not exit_code)


def _registry_at(place: str) -> Registry:
    return open_registry().elsewhere(place) if place else open_registry()


def _undo(out: Printer, registry: Registry, transaction: str, dry_run: bool) -> None:
    done = (collecting.preview_undo if dry_run else collecting.undo)(registry, transaction)
    out.show("gc-undo", done, cleaning_views.undone(done))


def du(
    out: Printer,
    what: Annotated[str, typer.Argument(metavar="[ENTRY|PATTERN]", help="Of one entry, its versions.")] = "",
    at: Annotated[str, typer.Option("--remote", metavar="REMOTE|URL", help="By default the repository here.")] = "",
) -> None:
    """Say where the bytes are: what each entry, or version, has for itself, what they share, what is not needed.

    To remove what is listed, and `mlreg gc`, gives back its OWN bytes.

    Examples:

      mlreg du

      mlreg du model/suture_detector
    """
    registry = _registry_at(at)
    with out.progress("du") as report:
        result = weigh(registry, what, report)
    out.show("du", result, cleaning_views.disk_use(result))


def why(
    out: Printer,
    what: Annotated[str, typer.Argument(metavar="REF|ID")],
) -> None:
    """Say what keeps a version, a file, or a stored object by the first digits of its id: tags, holds, inputs.

    Which retention policies keep a version, `mlreg policy explain` says.

    Examples:

      mlreg why model/suture_detector@1.0.0

      mlreg why data/frames@latest:train/0001.jpg
    """
    result = reasons.why(open_registry(), what)
    out.show("why", result, cleaning_views.kept(result))


@register(settings, "get")
def get_setting(
    out: Printer,
    key: Annotated[str, typer.Argument(metavar="KEY")],
    origin: Origin = False,
) -> None:
    """Print the value of a setting."""
    result = Config().get(key)
    out.show("config", result, views.setting(result, origin=origin))


@register(settings, "set")
def set_setting(
    out: Printer,
    key: Annotated[str, typer.Argument(metavar="KEY")],
    value: Annotated[str, typer.Argument(metavar="VALUE", help="Empty to take it away, as unset does.")],
) -> None:
    """Set a value for this repository."""
    result = Config().set(key, value)
    out.show("config", result, views.settings([result], origin=True))


@register(settings, "unset")
def unset_setting(out: Printer, key: Annotated[str, typer.Argument(metavar="KEY")]) -> None:
    """Take the value away that is set for this repository; those of other files and the environment stay."""
    result = Config().set(key, "")
    out.show("config", result, views.unset(result))


@register(settings, "list")
def list_settings(out: Printer, origin: Origin = False) -> None:
    """List all settings; with --origin where each is set, too: `environment`, a file, or `default`."""
    result = Config().listed()
    out.show("config-list", result, views.settings(result, origin=origin))


@register(settings, "check")
def check_settings(out: Printer) -> None:
    """Read all settings, and the schemas, rules and policies in them, and say what is wrong with the first that is."""
    result = Config().check()
    out.show("config-list", result, views.checked(result))


def add_commands(app: typer.Typer) -> None:
    """Put the commands of this file into the tree."""
    for command in (init, status, repair, repack, gc, du, why):
        register(app)(command)
    app.add_typer(settings, name="config")
