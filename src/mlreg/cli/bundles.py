"""Versions in a file, for those who share no network: bundle create, ls, verify, apply."""

from __future__ import annotations

from typing import Annotated

import typer

from mlreg.cli import backup_views, verifying, views
from mlreg.cli.options import DryRun, ForceTags, Sample, open_registry, register
from mlreg.cli.output import Printer
from mlreg.registry import bundles

File = Annotated[str, typer.Argument(metavar="FILE")]

app = typer.Typer(no_args_is_help=True, help="Carry versions in a file: create, ls, verify, apply.")


@register(app)
def create(
    out: Printer,
    file: Annotated[str, typer.Argument(metavar="FILE", help="A new one.")],
    refs: Annotated[
        list[str] | None, typer.Argument(metavar="[REF...]", help="Entries or versions; all if left out.")
    ] = None,
    since: Annotated[
        list[str] | None,
        typer.Option(
            "--since", metavar="FILE|REF", help="What the other side has: earlier bundles, versions; repeatable."
        ),
    ] = None,
) -> None:
    """Write versions with their tags, lineage and notes into a file.

    With --since, files that the other side has are left out.

    Examples:

      mlreg bundle create march.bundle model/detector

      mlreg bundle create april.bundle model/detector --since march.bundle
    """
    with out.progress("bundle") as report:
        result = bundles.create(open_registry(), file, refs or (), since=since or (), report=report)
    out.show("bundle", result, backup_views.bundled(result))


@register(app, "ls")
def list_bundle(out: Printer, file: File) -> None:
    """Show what is in a bundle: versions, and those that must be there before it is applied."""
    result = bundles.info(file)
    out.show("bundle", result, backup_views.bundle(result))


@register(app)
def verify(
    out: Printer,
    file: File,
    sample: Sample = "100%",
) -> None:
    """Prove that a bundle is whole, and that nothing is missing but what was left out. Exit code 6 if it is not."""
    with out.progress("verify") as report:
        result = bundles.verify(file, views.share_of(sample), report)
    out.show("verify", result, verifying.view(result))
    result.refuse_problems()


@register(app)
def apply(
    out: Printer,
    file: File,
    force_tags: ForceTags = False,
    keep_tags: Annotated[bool, typer.Option("--keep-tags", help="Bring versions only; tags here stay.")] = False,
    dry_run: DryRun = False,
) -> None:
    """Bring the versions of a bundle, and move tags as a pull would; all of it, or nothing.

    Example:

      mlreg bundle apply /mnt/stick/april.bundle
    """
    registry = open_registry()
    if dry_run:
        result = bundles.preview(registry, file, force_tags=force_tags, keep_tags=keep_tags)
    else:
        with out.progress("apply") as report:
            result = bundles.apply(registry, file, force_tags=force_tags, keep_tags=keep_tags, report=report)
    out.show("bundle-apply", result, views.synced(result, "applied"))


def add_commands(tree: typer.Typer) -> None:
    """Put the commands of this file into the tree."""
    tree.add_typer(app, name="bundle")
