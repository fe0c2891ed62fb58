"""How it looks what was cleaned up."""

from __future__ import annotations

from mlreg.cli.output import Column, Style, View
from mlreg.cli.views import mark_of
from mlreg.formats.amounts import count_of, size_of
from mlreg.registry import collecting, mending, reasons, weighing

COLUMNS = (Column("WHAT GOES"), Column("SIZE", Style.SIZE), Column("WHY"))


def collected(result: collecting.Collection) -> View:
    """After `gc`: all that goes, by name and bytes; a sentence if nothing does."""
    if result.is_clean and not result.versions:
        return View((), (), (), f"nothing to do: all is needed{_waiting(result)}")
    rows: list[tuple[object, ...]] = [(version.ref, version.size, "removed before") for version in result.versions]
    rows.extend((file.name, file.size, file.reason) for file in result.files)
    rows.append(("in all", result.deleted, _total(result)))
    return View(COLUMNS, rows, [version.ref for version in result.versions])


def _total(result: collecting.Collection) -> str:
    """Return what `gc` comes to, and how it is taken back."""
    would = "would be " if result.dry_run else ""
    packs = f"{count_of(result.packs, 'pack')} {would}dropped, {size_of(result.before)}"
    kept = f", {size_of(result.after)} of which is needed and stored anew" if result.after else ""
    back = "".join(f"; to take it back: mlreg gc --undo {number}" for number in result.transactions if result.waiting)
    return f"{would}deleted; {packs}{kept}{_waiting(result)}{back}"


def _waiting(result: collecting.Collection) -> str:
    if not result.waiting:
        return ""
    return f"; {size_of(result.waiting)} wait for the end of their grace: --grace 0 deletes them now"


def undone(result: collecting.Undone) -> View:
    """After `gc --undo`."""
    what = f"{count_of(result.packs, 'pack')} of transaction {result.transaction} ({size_of(result.size)})"
    done = f"brought back {what}" if result.packs else f"nothing to bring back: {what}"
    return View((), (), (), f"{mark_of(result.dry_run)}{done}")


def disk_use(result: weighing.DiskUse) -> View:
    """What `du` found: entries or versions, the largest first, and what is none of them; the last row is the sum."""
    columns = (Column("REF"), Column("VERSIONS", Style.COUNT), Column("SIZE", Style.SIZE), Column("OWN", Style.SIZE))
    rows: list[tuple[object, ...]] = [(share.ref, share.versions, share.size, share.own) for share in result.shares]
    others = {
        "(shared by several of them)": result.shared,
        "(of others)": result.others,
        "(commits)": result.history,
        "(not needed: mlreg gc)": result.unused,
        "(waiting to be deleted)": result.waiting,
        "(log)": result.log,
        "(in all)": result.total,
    }
    rows.extend((name, "", "", size) for name, size in others.items() if size)
    return View(columns, rows, [share.ref for share in result.shares])


def kept(result: reasons.Kept) -> View:
    """What `why` found, from the name down; a sentence if nothing keeps it."""
    if not result.links:
        return View((), (), (), f"nothing keeps {result.asked}: mlreg gc takes it ({size_of(result.size)})")
    more = [("and", f"{count_of(result.more, 'more version')}")] if result.more else []
    return View((Column("KEPT BY"), Column("NAME")), [*result.links, *more], [link.name for link in result.links])


def repaired(result: mending.Repair) -> View:
    """After `repair`: what came from where, and every file that stays hurt; a sentence if nothing was damaged."""
    if result.is_whole and not (result.given or result.damaged or result.snapshots):
        return View((), (), (), f"nothing to repair: {result.url} is whole")
    columns = (Column("WHAT"), Column("NAME"), Column("SIZE", Style.SIZE), Column("NOTE"))
    would = "would be " if result.dry_run else ""
    rows: list[tuple[object, ...]] = [
        (f"{would}mended", f"{count_of(given.objects, 'object')} from {given.source}", given.size, "")
        for given in result.given
    ]
    if result.damaged and not result.dry_run:
        packs = count_of(result.damaged, "damaged pack")
        rows.append(("set aside", f"{result.dropped} of {packs}", "", _aside(result)))
    if result.snapshots:
        rows.append(("written anew", count_of(result.snapshots, "snapshot"), "", ""))
    rows.extend(("no answer", name, "", "it was not asked for good copies") for name in result.unreachable)
    rows.extend(("hurt", file.ref, "", file.path or "its list of files, or its past") for file in result.hurts)
    rows.extend(("lost", name, "", "no good copy was found") for name in result.lost)
    return View(columns, rows, list(dict.fromkeys(file.ref for file in result.hurts)))


def _aside(result: mending.Repair) -> str:
    return "not read any more; mlreg gc deletes the files later" if result.dropped else "what only they have is lost"
