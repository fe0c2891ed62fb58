"""Filters, sort keys, patterns, words, times and numbers that would reach SQL or a path, or never end."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from mlreg.formats.expression import MAX_CHARS, MAX_DEPTH, MAX_NODES, MAX_SORT_KEYS
from tests.cli.calling import Call
from tests.hostile.conftest import Refuse, digest_of

PATIENCE = 5.0
"""Seconds of computing that any of this may take."""

REFUSED: dict[str, tuple[list[str], str]] = {
    "a second statement": (["ls", "--where", "name = 'net'; drop table refs"], "bad_expression"),
    "a union": (["ls", "--where", "name = 'x' union select target from refs"], "bad_expression"),
    "a comment": (["ls", "--where", "name = 'net' -- and"], "bad_expression"),
    "a call": (["ls", "--where", "__import__('os').system('touch pwned')"], "bad_expression"),
    "a field of Python": (["ls", "--where", "__class__ = 'dict'"], "bad_expression"),
    "a template": (["ls", "--where", "name = {{7*7}}"], "bad_expression"),
    "an escape": (["ls", "--where", "name = \x1b[2J"], "bad_expression"),
    "no UTF-8": (["ls", "--where", "name = '\udcff'"], "bad_expression"),
    "NUL": (["ls", "--where", "name = 'net\0'\0"], "bad_expression"),
    "a quote that does not end": (["ls", "--where", "name = '" + "''" * 4_000], "bad_expression"),
    "an infinite number": (["ls", "--where", "meta.x = 1e999"], "bad_expression"),
    "a number of 5,000 digits": (["ls", "--where", "meta.x = " + "9" * 5000], "bad_expression"),
    "a number of 65 bits": (["ls", "--where", "size > 36893488147419103232"], "bad_expression"),
    "digits of another script": (["ls", "--where", "size = \u0663"], "bad_expression"),
    "too deep": (["ls", "--where", "(" * (MAX_DEPTH + 1) + "size=1" + ")" * (MAX_DEPTH + 1)], "bad_expression"),
    "too deep, by not": (["ls", "--where", "not " * 2000 + "size=1"], "bad_expression"),
    "too many tests": (["ls", "--where", " or ".join(["size=1"] * MAX_NODES)], "bad_expression"),
    "too long": (["ls", "--where", "meta.x = '" + "a" * 100_000 + "'"], "bad_expression"),
    "a sort with a statement": (["ls", "--sort", "meta.metrics.map; drop table refs"], "bad_sort"),
    "a sort with a call": (["ls", "--sort", "name,(select 1)"], "bad_sort"),
    "a sort by a path": (["ls", "--sort", "../../etc/passwd"], "bad_sort"),
    "commas": (["ls", "--sort", ",,,,"], "bad_sort"),
    "dashes": (["ls", "--sort=" + "-" * 5000], "bad_sort"),
    "too many keys": (["ls", "--sort", ",".join(["name"] * (MAX_SORT_KEYS + 1))], "bad_sort"),
    "too long a key": (["ls", "--sort", "meta.`" + "x" * 100_000 + "`"], "bad_sort"),
    "a way out": (["show", "model/../../etc"], "bad_ref"),
    "a name with SQL": (["ls", "model/net' or '1'='1"], "bad_ref"),
    "a wildcard of SQL": (["ls", "model/n%t"], "bad_ref"),
    "a ref with SQL": (["log", "model/net'--"], "bad_ref"),
    "a ref of 100,000 characters": (["show", "model/" + "x" * 100_000], "bad_ref"),
    "1,000 steps": (["show", "model/net@latest" + "~1" * 100], "bad_ref"),
    "too far back to count": (["show", "model/net@latest~" + "9" * 30], "bad_ref"),
    "a day beyond all days": (["show", "model/net", "--at", "99999-01-01"], "bad_ref"),
    "a day that is none": (["show", "model/net", "--at", "2026-02-30"], "bad_ref"),
    "before all time": (["show", "model/net", "--at", "0001-01-01T00:00:00+14:00"], "bad_ref"),
    "behind all time": (["show", "model/net", "--at", "9999-12-31T23:59:59-14:00"], "bad_ref"),
    "a time with SQL": (["show", "model/net", "--at", "2026-01-01' or 1=1 --"], "bad_ref"),
    "a share that is no number": (["verify", "--sample", "nan"], "bad_share"),
    "a share beyond all": (["verify", "--sample", "1e999"], "bad_share"),
    "a negative limit": (["ls", "--limit", "-1"], "usage"),
    "a limit of 5,000 digits": (["ls", "--limit", "9" * 5000], "usage"),
    "a command of 100,000 characters": (["x" * 100_000], "usage"),
    "a limit in another script": (["log", "-n", "x\x1b[2J"], "usage"),
}


@pytest.mark.parametrize(("words", "code"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_question_is_refused(words: list[str], code: str, refuse: Refuse) -> None:
    began = time.process_time()

    refuse(*words, code=code)

    assert time.process_time() - began < PATIENCE
    assert not Path("pwned").exists()


LONG = "a" * 9_000
ANSWERED: dict[str, tuple[list[str], list[str]]] = {
    "SQL in quotes is text": (["--where", "name = 'net'';drop table refs;--' or name = 'net'"], ["net"]),
    "SQL in backticks is a key": (["--where", "meta.`x'; drop table refs;--` is null and name = 'net'"], ["net"]),
    "a path in backticks is a key": (["--sort", "meta.`../../etc/passwd`,-name"], ["rows", "net", "churn", "churn"]),
    "Python in a field is a key": (["--where", "meta.__class__ is null and kind = 'model'"], ["net"]),
    "marks of other patterns": (["--where", "name like '(a+)+$' or name like '[a-z]*'"], []),
    "thousands of wildcards": (["--where", f"meta.long like '{'%a' * 4_000}b'"], []),
    "thousands of single ones": (["--where", f"meta.long like '{'_' * 9_000}'"], ["net"]),
    "a field of 4,000 parts": (["--where", "meta" + ".x" * 4_000 + " is null and name='net'"], ["net"]),
    "a key of 4,000 parts": (["--sort", "meta" + ".x" * 4_000, "--where", "name='net'"], ["net"]),
    "the deepest that is allowed": (["--where", "(" * MAX_DEPTH + "name='net'" + ")" * MAX_DEPTH], ["net"]),
    "the most that is allowed": (["--where", " or ".join(["name=''"] * (MAX_NODES // 2 - 1) + ["files=1"])[:MAX_CHARS]],
                                 ["rows", "churn", "churn", "net"]),
    "a word with SQL": (["--search", "' or '1'='1"], []),
    "a word with a pattern": (["--search", "(a+)+$"], []),
    "a word of 100,000 characters": (["--search", "x" * 100_000], []),
    "a limit beyond 64 bits": (["--limit", "9" * 30], ["rows", "churn", "churn", "net"]),
    "a pattern of 20,000 stars": (["*a" * 20_000 + "b", "--sort", "name"], []),
    "a pattern that is half a class": (["model/[!", "--sort", "name"], []),
    "a class that is turned round": (["model/[z-a]*", "--sort", "name"], []),
    "thousands of half classes": (["model/" + "[" * 2_000 + "*", "--sort", "name"], []),
}  # fmt: skip


@pytest.mark.parametrize(("words", "found"), ANSWERED.values(), ids=ANSWERED)
def test_what_is_odd_and_a_question_is_answered_and_is_only_a_question(
    words: list[str], found: list[str], mlreg: Call
) -> None:
    assert mlreg("meta", "set", "model/net@1.0.0", f"long={LONG}").status == 0
    before, began = digest_of(Path(".mlreg")), time.process_time()

    run = mlreg("ls", *words, "-q")

    assert (run.status, run.err) == (0, "")
    assert [line.partition("/")[2].partition("@")[0] for line in run.out.splitlines()] == found
    assert time.process_time() - began < PATIENCE
    assert digest_of(Path(".mlreg")) == before


@pytest.mark.parametrize(
    "words",
    [["log", "-n", "9" * 30], ["lineage", "model/net", "--depth", "9" * 30], ["log", "--graph", "-n", "9" * 30]],
    ids=" ".join,
)
def test_a_huge_number_means_all(words: list[str], mlreg: Call) -> None:
    assert mlreg(*words).out == mlreg(*words[:-2]).out != ""


def test_names_that_are_patterns_of_sql_or_begin_alike_are_not_mixed_up(mlreg: Call) -> None:
    names = ["a_b", "axb", "a-b", "a.b", "a_b/c1", "a_b/1.0.0", "a_bb"]
    for number, name in enumerate(names):
        Path("weights").write_text(name)
        words = ("add", f"model/{name}", "weights", "--version", f"1.0.{number}", "--tag", f"tag{number}")
        assert mlreg(*words).status == 0
        mlreg("label", f"model/{name}", f"number={number}")

    for number, name in enumerate(names):
        ref = f"model/{name}@1.0.{number}"
        assert mlreg("ls", f"model/{name}", "-q").out == f"{ref}\n"
        assert mlreg("tag", "ls", f"model/{name}", "-q").out.split() == [f"model/{name}@tag{number}"]
        assert mlreg("cat", f"model/{name}@tag{number}:weights").status == 0
        assert mlreg("show", f"model/{name}", "--json").document["labels"] == {"number": number}
        assert mlreg("ls", "--where", f"labels.number = {number}", "-q").out == f"{ref}\n"
    assert mlreg("rm", "model/a_b@1.0.0").status == 11
    mlreg("tag", "rm", "model/a_b@tag0")
    assert mlreg("rm", "model/a_b@1.0.0").status == 0
    assert len(mlreg("ls", "model/*", "-q").out.split()) == len(names)
