"""The error codes that the source raises, read from the source itself."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

from mlreg import errors

SRC = Path(__file__).parents[2] / "src" / "mlreg"
EXIT_STATUS = {
    name: kind.exit_status
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, errors.MlregError)
}
RAISED_BY = {"_check": "UsageError", "_refusal": "IntegrityError"}
"""Functions that raise an error of a class under a code that they are given."""


@cache
def codes_in_source() -> dict[str, frozenset[int]]:
    """Return the exit statuses under which each code is raised."""
    found: dict[str, set[int]] = {}
    for path in SRC.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                for code, status in _raised(node):
                    found.setdefault(code, set()).add(status)
    return {code: frozenset(statuses) for code, statuses in found.items()}


def _raised(call: ast.Call) -> list[tuple[str, int]]:
    name = call.func.id if isinstance(call.func, ast.Name) else ""
    status = EXIT_STATUS.get(RAISED_BY.get(name, name))
    if status is None or not call.args:
        return []
    return [(node.value, status) for node in _choices(call.args[0]) if isinstance(node.value, str)]


def _choices(argument: ast.expr) -> list[ast.Constant]:
    """Return the constants that an argument may be."""
    if isinstance(argument, ast.IfExp):
        return [*_choices(argument.body), *_choices(argument.orelse)]
    return [argument] if isinstance(argument, ast.Constant) else []


@cache
def unnamed_codes() -> tuple[str, ...]:
    """Return where an error is raised whose code is neither a constant nor passed on: it could not be listed."""
    return tuple(
        f"{path.relative_to(SRC)}:{node.lineno}"
        for path in SRC.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in EXIT_STATUS
        and node.args
        and not _choices(node.args[0])
        and ast.unparse(node.args[0]) not in ("code", "error.code")
    )
