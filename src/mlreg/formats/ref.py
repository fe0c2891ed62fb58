"""The ref grammar: how a user names a version, a file in it, or what a tag pointed to.

    [remote::][kind/]name[@selector][:path]
    [remote::]run/id[:path]

    selector   base followed by steps
    base       a version, a tag, `latest`, or 8 to 64 hexadecimal digits of an id
    steps      ~N       N versions back, of an experiment N runs; ~ alone is ~1
               ^ROLE    the input in that role; ^ alone is the only input
               @{N}     what the tag pointed to N moves ago
               @{TIME}  what it pointed to then: 2026-03-01, 2026-03-01T12:00:00Z

A remote is a name, or a path or URL with a `/` in it. `b3:ID` and `@ID` name an object by its id
alone, and `models:/name@tag` and `models:/name/1.0.0`, which MLflow writes, are read as ours. The id of a
run may be cut to its beginning.
Reading a ref touches no repository; whether it exists, the registry says.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from mlreg.errors import RefusedError, UsageError
from mlreg.formats.names import (
    KIND_WORDS,
    check_name,
    check_remote,
    check_role,
    check_tag,
    is_id_prefix,
    is_version_text,
    quoted,
    with_kind,
)
from mlreg.formats.paths import check_path
from mlreg.formats.run import is_run_version

MAX_REF_CHARS = 8192
"""Tensors in graphs within graphs have names of more than a thousand."""
WILDCARDS = "*?["
"""Marks of patterns, as in a shell, none of which stands in a name."""
ELSEWHERE = "::"
"""Stands behind a remote, a path or a URL, before what is meant there."""
TENSOR = "#"
"""Stands between a file and a tensor in it."""
MAX_STEPS = 32
MAX_COUNT_DIGITS = 9
EXAMPLE = "model/suture_detector@production:model.safetensors"

BEST = "best"
"""The selector that stands for the best run of an experiment."""
RUN = "run"
"""The kind of a ref that names a run by its id."""

_RUN_WORDS = ("run", "runs")
_ID_PREFIX = "b3:"
_MLFLOW_PREFIX = "models:/"
_DIGITS = frozenset("0123456789")
_FRACTIONS = ("", *("." + "0" * digits for digits in range(1, 10)))
_CLOCKS = ("T00:00", *(f"T00:00:00{fraction}" for fraction in _FRACTIONS))
_TIME_SHAPES = {"0000-00-00"} | {
    f"0000-00-00{clock}{zone}" for clock in _CLOCKS for zone in ("", "Z", "+00:00", "-00:00")
}
"""RFC 3339 times, every digit written as 0."""


class Step(NamedTuple):
    """One move from a version to another."""

    sort: Literal["back", "input", "at"]
    value: str
    """back: a number of versions; input: a role, empty for the only input; at: a number of moves, or a time."""

    def __str__(self) -> str:
        """Return the step as it is written: `~1`, `^data`, `@{2026-03-01}`."""
        match self.sort:
            case "back":
                return f"~{self.value}"
            case "input":
                return f"^{self.value}"
            case "at":
                return f"@{{{self.value}}}"


class Ref(NamedTuple):
    """What a user wrote, taken apart; `parse_ref(str(ref)) == ref`."""

    remote: str | None
    """The name, the path or the URL of a remote; None for the repository here."""
    kind: str | None
    """`model`, `data` or `exp`; None when not given, or when the ref is an id; `run` for a run by its id."""
    name: str
    """Empty when the ref is an id."""
    selector: str | None = None
    """A version, a tag, `latest` or the beginning of an id, also of a run's; None when not given."""
    steps: tuple[Step, ...] = ()
    """In the order they are taken; empty without a selector."""
    path: str | None = None
    """A file or directory in the tree."""

    def __str__(self) -> str:
        """Return the ref in our spelling."""
        remote = "" if self.remote is None else f"{self.remote}::"
        kind = "" if self.kind is None else f"{self.kind}/"
        by_id = "" if kind else _ID_PREFIX
        selector = "" if self.selector is None else f"@{self.selector}"
        base = f"{self.name}{selector}" if self.name else f"{by_id}{self.selector}"
        path = "" if self.path is None else f":{self.path}"
        return f"{remote}{kind}{base}{''.join(map(str, self.steps))}{path}"


def parse_ref(text: str) -> Ref:
    """Read a ref.

    Raises:
        UsageError: `bad_ref`, with the rule it breaks and a ref that keeps it.
    """
    try:
        if len(text) > MAX_REF_CHARS:
            raise _wrong(f"it is longer than {MAX_REF_CHARS} characters")
        remote, rest = _split_remote(text)
        kind, name, rest = _split_entry(_from_mlflow(rest))
        selector, rest = _split_selector(kind, name, rest)
        steps, rest = _split_steps(rest)
        return Ref(remote, kind, name, selector, steps, _read_path(rest))
    except (UsageError, RefusedError) as error:
        named = text.rpartition(ELSEWHERE)[2].partition(":")[0]
        if is_pattern(named):
            raise _no_pattern_here(text, named.partition("@")[0]) from error
        why = f"{error.message}: {error.why}" if error.why else error.message
        fix = f"write it like {EXAMPLE}"
        raise UsageError("bad_ref", f"{quoted(text)} is not a ref", why=why, fix=fix) from error


def _no_pattern_here(text: str, entry: str) -> UsageError:
    return UsageError(
        "bad_ref",
        f"{quoted(text)} is a pattern, and what is meant here has one name",
        why="patterns stand for entries, in ls, du and policy plan, and in the settings",
        fix=f"name each that you mean; this lists them: mlreg ls {quoted(entry)} -q",
    )


def ref_of_version(kind: str, name: str, version: str) -> str:
    """Return a ref of what is named in Python by its name, with its kind or without, and its version.

    >>> ref_of_version("data", "frames", "golden"), ref_of_version("data", "data/frames", "golden")
    ('data/frames@golden', 'data/frames@golden')

    Raises:
        UsageError: `bad_name`, the name has a version in it.
    """
    entry, at, given = name.partition("@")
    if at:
        fix = f"write {quoted(entry)}, {quoted(given)}"
        raise UsageError(
            "bad_name", f"{quoted(name)} is more than a name", why="the version is said by itself", fix=fix
        )
    return f"{with_kind(kind, name)}@{version}"


def is_pattern(text: str) -> bool:
    """Tell whether a text is a pattern, and no name.

    >>> is_pattern("model/*"), is_pattern("model/net")
    (True, False)
    """
    return any(mark in text for mark in WILDCARDS)


def is_on_disk(text: str) -> bool:
    """Tell whether a text means files on the disk, and no version: `../shared::data/wine` is one elsewhere.

    >>> is_on_disk("./out"), is_on_disk("/srv/out"), is_on_disk("model/net"), is_on_disk("../shared::model/net")
    (True, True, False, False)
    """
    return text.startswith((".", "/")) and ELSEWHERE not in text


def split_place(text: str) -> tuple[str, str]:
    """Return the remote that a text speaks of, empty for the repository here, and what of it.

    `origin::model`, `file:///srv/registry::model/net`, and a URL or a path alone, which is all of it.
    """
    place, mark, rest = text.rpartition(ELSEWHERE)
    if mark:
        return place, rest
    return (text, "") if "://" in text or text.startswith(("/", "./", "../")) else ("", text)


def _wrong(reason: str) -> UsageError:
    return UsageError("bad_ref", reason, fix="mlreg help refs")


def _split_remote(text: str) -> tuple[str | None, str]:
    remote, mark, rest = text.rpartition(ELSEWHERE)
    if not mark:
        return None, text
    if "/" not in remote:
        check_remote(remote)
    elif not remote.isprintable():
        raise _wrong("the remote has a control or invisible character")
    return remote, rest


def _from_mlflow(text: str) -> str:
    if not text.startswith(_MLFLOW_PREFIX):
        return text
    body = text.removeprefix(_MLFLOW_PREFIX)
    if "@" in body:
        return f"model/{body}"
    name, _, version = body.rpartition("/")
    if not name:
        raise _wrong(f"behind {_MLFLOW_PREFIX} stand a name and @TAG or /VERSION")
    return f"model/{name}@{version}"


def _split_entry(text: str) -> tuple[str | None, str, str]:
    """Return kind, name, and the rest, which begins with `@`, `:` or nothing."""
    if text.startswith(_ID_PREFIX):
        return None, "", "@" + text.removeprefix(_ID_PREFIX)
    if text.startswith("@"):
        return None, "", text
    full_name, rest = _until(text, "@:~^")
    if rest.startswith(("~", "^")):
        raise _wrong("a step follows a selector, as in NAME@latest~1")
    if len(full_name) == 64 and is_id_prefix(full_name):
        return None, "", "@" + text
    word, _, name = full_name.partition("/")
    if name and word in _RUN_WORDS:
        return RUN, "", f"@{name}{rest}"
    kind = KIND_WORDS.get(word) if name else None
    name = full_name if kind is None else name
    check_name(name)
    return kind, name, rest


def _split_selector(kind: str | None, name: str, text: str) -> tuple[str | None, str]:
    if not text.startswith("@"):
        return None, text
    base, rest = _until(text[1:], "~^@:")
    if kind == RUN and not (is_id_prefix(base.replace("-", "")) or is_run_version(base)):
        raise _wrong("behind run/ stands the id of a run, or at least 8 digits of its beginning")
    if kind != RUN and not name and not is_id_prefix(base):
        raise _wrong("without a name, a ref is 8 to 64 hexadecimal digits of an id, in lower case")
    if not base:
        raise _wrong("nothing stands behind '@'")
    if ".." in base:
        raise _wrong("'..' is kept for ranges")
    if not is_version_text(base):
        check_tag(base)
    return base, rest


def _split_steps(text: str) -> tuple[tuple[Step, ...], str]:
    steps: list[Step] = []
    while text and text[0] in "~^@":
        if len(steps) == MAX_STEPS:
            raise _wrong(f"it has more than {MAX_STEPS} steps")
        step, text = _split_step(text)
        steps.append(step)
    return tuple(steps), text


def _split_step(text: str) -> tuple[Step, str]:
    if text.startswith("@{"):
        moment, brace, rest = text[2:].partition("}")
        if not brace or not (_is_count(moment) or _is_time(moment)):
            raise _wrong("'@{' takes a number of moves or a time like 2026-03-01T12:00:00Z, and '}'")
        return Step("at", moment), rest
    word, rest = _until(text[1:], "~^@:")
    if text[0] == "~" and _is_count(word or "1"):
        return Step("back", word or "1"), rest
    if text[0] != "^":
        raise _wrong("behind a selector stands ~NUMBER, ^ROLE, @{NUMBER} or @{TIME}")
    if word:
        check_role(word)
    return Step("input", word), rest


def _read_path(text: str) -> str | None:
    if not text:
        return None
    # Behind the mark any name of a tensor may stand, if there is no file of that name.
    check_path(text[1:].partition(TENSOR)[0])
    return text[1:]


def _until(text: str, marks: str) -> tuple[str, str]:
    """Split before the first of `marks`, or at the end."""
    end = next((at for at, character in enumerate(text) if character in marks), len(text))
    return text[:end], text[end:]


def _is_count(text: str) -> bool:
    """Tell whether `text` is a number as `str` writes it: ASCII digits, no zero in front."""
    return 1 <= len(text) <= MAX_COUNT_DIGITS and _DIGITS.issuperset(text) and (text == "0" or text[0] != "0")


def _is_time(text: str) -> bool:
    """Tell whether `text` has the shape of a date or time; whether the day exists, its reader says."""
    return "".join("0" if character in _DIGITS else character for character in text) in _TIME_SHAPES
