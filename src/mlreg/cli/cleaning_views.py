"""How it looks what was cleaned up."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mlreg.cli.output import Column, Style, View
from mlreg.cli.views import mark_of
from mlreg.formats.amounts import count_of, size_of
from mlreg.registry import collecting, mending, reasons, weighing
from mlreg.registry.removed import RemovedInfo

COLUMNS = (Column("WHAT GOES"), Column("SIZE", Style.SIZE), Column("WHY"))


def collected(result: collecting.Collection, *, needs_yes: bool) -> View:
    """After `gc`: all that goes, by name and bytes, and then what it comes to; a sentence if nothing does.

    Args:
        result: what was done, or would be.
        needs_yes: whether a dry run is one because --yes was not given.
    """
    stays = [f"{size_of(size)} {are}{why}" for are, size, why in _staying(result)]
    if result.is_clean and not result.versions:
        return View((), (), (), "; ".join(["nothing to do now", *stays]) if stays else "nothing to do: all is needed")
    rows: list[tuple[object, ...]] = [(version.ref, version.size, "removed before") for version in result.versions]
    rows.extend((file.name, file.size, file.reason) for file in result.files)
    rows.extend(_in_all(result, needs_yes=needs_yes and result.dry_run))
    return View(COLUMNS, rows, [version.ref for version in result.versions])


def _in_all(result: collecting.Collection, *, needs_yes: bool) -> Iterator[tuple[object, ...]]:
    """Yield what `gc` comes to, and how it goes on, or back."""
    would = "would be " if result.dry_run else ""
    if result.packs:
        needed = (
            f"{size_of(result.after)} of it {would or 'are '}kept in new ones" if result.after else "none is needed"
        )
        yield f"{would}dropped", result.before, f"{count_of(result.packs, 'pack')}; {needed}"
    if result.files:
        yield f"{would}deleted", result.deleted, count_of(len(result.files), "file")
    yield from ((are.strip(", "), size, why) for are, size, why in _staying(result))
    yield from (("to take it back", "", f"mlreg gc --undo {one}") for one in result.transactions if result.waiting)
    if needs_yes:
        yield "nothing was done", "", "add --yes to do it"


def _staying(result: collecting.Collection) -> Iterator[tuple[str, int, str]]:
    """Yield what is not needed and stays for now: what it does, its bytes, and until when."""
    if result.waiting:
        yield "wait ", result.waiting, "for the end of the grace: --grace 0 deletes them now"
    if result.young:
        files = f"in {count_of(result.young, 'file')} that no transaction names"
        yield "are too young, ", result.young_size, f"{files}: --grace 0 deletes them when they are an hour old"


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
        "(named by no transaction: mlreg gc)": result.unnamed,
        "(log)": result.log,
        "(in all)": result.total,
    }
    rows.extend((name, "", "", size) for name, size in others.items() if size)
    return View(columns, rows, [share.ref for share in result.shares])


def removed(items: Sequence[RemovedInfo]) -> View:
    """What was removed: when, by whom and why, and the nearest way back."""
    words = ("VERSION", "SIZE", "REMOVED", "BY", "BYTES", "BACK", "WHY")
    columns = [Column(word, Style.SIZE if word == "SIZE" else Style.TEXT) for word in words]
    rows = [(i.ref, i.size, i.time, i.author, "here" if i.whole else "gone", i.back[0], i.message) for i in items]
    return View(columns, rows, [item.ref for item in items])


def kept(result: reasons.Kept) -> View:
    """What `why` found, from the name down; a sentence if nothing keeps it."""
    if not result.links:
        return View((), (), (), f"nothing keeps {result.asked}: mlreg gc takes it ({size_of(result.size)})")
    rows: list[tuple[str, str]] = [("held", result.held)] if result.held else []
    rows += [("frozen", "yes")] if result.frozen else []
    more = [("and", count_of(result.more, "more version"))] if result.more else []
    names = [link.name for link in result.links]
    return View((Column("KEPT BY"), Column("NAME")), [*rows, *result.links, *more], names)


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
