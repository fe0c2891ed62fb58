"""How it looks what was cleaned up."""

from __future__ import annotations

from mlreg.cli.output import Column, Style, View, count_of, size_of
from mlreg.registry import collecting, weighing

COLUMNS = (Column("WHAT GOES"), Column("SIZE", Style.SIZE), Column("WHY"))


def collected(result: collecting.Collection) -> View:
    """After `gc`: all that goes, by name and bytes; a sentence if nothing does."""
    if result.is_clean and not result.versions:
        return View((), (), (), f"nothing to do: all is needed{_waiting(result)}")
    rows: list[tuple[object, ...]] = [(version.ref, version.size, "removed before") for version in result.versions]
    rows.extend((file.name, file.size, file.reason) for file in result.files)
    return View(COLUMNS, rows, [version.ref for version in result.versions])


def total(result: collecting.Collection) -> str:
    """Return what `gc` comes to, and how it is taken back; empty if it did nothing."""
    if result.is_clean:
        return ""
    would = "would be " if result.dry_run else ""
    packs = f"{count_of(result.packs, 'pack')} {would}dropped, {size_of(result.before)}"
    kept = f", {size_of(result.after)} of which is needed and stored anew" if result.after else ""
    deleted = f"; {size_of(result.deleted)} {would}deleted"
    back = "".join(f"\nto take it back: mlreg gc --undo {number}" for number in result.transactions if result.waiting)
    return f"{packs}{kept}{deleted}{_waiting(result)}{back}"


def _waiting(result: collecting.Collection) -> str:
    return f"; {size_of(result.waiting)} wait for the end of their grace: --grace 0 deletes them now" * bool(
        result.waiting
    )


def undone(result: collecting.Undone) -> View:
    """After `gc --undo`."""
    what = f"{count_of(result.packs, 'pack')} of transaction {result.transaction} ({size_of(result.size)})"
    return View((), (), (), f"brought back {what}" if result.packs else f"nothing to bring back: {what}")


def disk_use(result: weighing.DiskUse) -> View:
    """What `du` found: entries or versions, the largest first."""
    columns = (Column("REF"), Column("VERSIONS", Style.COUNT), Column("SIZE", Style.SIZE), Column("OWN", Style.SIZE))
    rows = [(share.ref, share.versions, share.size, share.own) for share in result.shares]
    return View(columns, rows, [share.ref for share in result.shares])


def rest(result: weighing.DiskUse) -> str:
    """Return where the other bytes are."""
    parts = {
        "shared by several of them": result.shared,
        "of others": result.others,
        "commits": result.history,
        "not needed (mlreg gc)": result.unused,
        "waiting to be deleted": result.waiting,
        "log": result.log,
    }
    listed = "; ".join(f"{size_of(size)} {name}" for name, size in parts.items() if size)
    return f"{size_of(result.total)} in all: {size_of(sum(share.own for share in result.shares))} their own; {listed}"
