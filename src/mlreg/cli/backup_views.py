"""How backups and bundles look."""

from __future__ import annotations

from collections.abc import Sequence

from mlreg.cli.output import Column, Style, View
from mlreg.formats.amounts import count_of, size_of
from mlreg.registry.backups import BackedUp, BackupInfo, Restored
from mlreg.registry.bundles import BundleInfo

_MARK = {True: "dry run: ", False: ""}


def backed_up(result: BackedUp) -> View:
    """After `backup create`."""
    what = (
        f"{count_of(result.packs, 'pack')} and {count_of(result.transactions, 'transaction')}, {size_of(result.size)}"
    )
    gone = sum(file.size for file in result.deleted)
    deleted = f"; {size_of(gone)} of backups that were let go deleted" if result.deleted else ""
    number = result.backup.number if result.backup else 0
    if not result.changed:
        since = f" since backup {number}" if number else ""
        said = f"{_MARK[result.dry_run]}nothing new{since} in {result.place}{deleted}"
    else:
        name = f"backup {number} in {result.place}" if number else f"would copy to {result.place}"
        said = f"{_MARK[result.dry_run]}{name}: {what}{deleted}"
    return View((), (), [str(number)] if number else [], said)


def left_out(result: BackedUp) -> str:
    """Return what a backup does not have, in a sentence; empty if it has all."""
    if not result.left_out:
        return ""
    more = f" and {len(result.left_out) - 1} more" if len(result.left_out) > 1 else ""
    why = "it is a link, changed all the time, or has a name that no version may have"
    return f"not kept is {result.left_out[0]}{more}: {why}"


def listed(items: Sequence[BackupInfo]) -> View:
    """The backups in a place."""
    columns = (
        Column("NUMBER", Style.COUNT),
        Column("TIME", Style.TIME),
        Column("TRANSACTION", Style.COUNT),
        Column("SINCE", Style.COUNT, may_go=True),
        Column("VERSIONS", Style.COUNT),
        Column("SIZE", Style.SIZE),
        Column("COPIED", Style.SIZE),
        Column("AUTHOR"),
        Column("HOST"),
    )
    rows = [
        (
            one.number,
            one.time,
            one.transaction,
            "" if one.since is None else one.since,
            one.versions,
            one.size,
            one.copied,
            one.author,
            one.host,
        )
        for one in items
    ]
    return View(columns, rows, [one.ref for one in items])


def restored(result: Restored) -> View:
    """After `backup restore`."""
    backup = result.backup
    what = f"{count_of(result.versions, 'version')}, {count_of(result.tags, 'tag')}, {size_of(result.size)}"
    proven = "" if result.dry_run else "; all of it was read and compared"
    said = f"{_MARK[result.dry_run]}restored backup {backup.number} of {backup.time} to {result.path}: {what}{proven}"
    return View((), (), [result.path], said)


def bundled(result: BundleInfo) -> View:
    """After `bundle create`."""
    what = f"{count_of(len(result.versions), 'version')}, {size_of(result.size)}"
    needs = f"; it needs {', '.join(result.needs)}" if result.needs else ""
    return View((), (), result.refs, f"wrote {result.path}: {what}{needs}")


def bundle(result: BundleInfo) -> View:
    """What is in a bundle; the versions that it needs stand behind the others."""
    columns = (Column("REF", Style.NAME), Column("FILES", Style.COUNT), Column("SIZE", Style.SIZE), Column("TAGS"))
    rows: list[tuple[object, ...]] = [(one.ref, one.files, one.size, ",".join(one.tags)) for one in result.versions]
    rows.extend((f"needs {ref}", "", "", "") for ref in result.needs)
    return View(columns, rows, result.refs)
