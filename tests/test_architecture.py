"""The floors, and what each may do: read from the source, so that no rule waits for a reviewer.

CONTRIBUTING.md says the rules in words. To change one, change its table here, with the reason.
"""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import pytest
import typer

from mlreg import errors

ROOT = Path(__file__).parents[1]
SRC = ROOT / "src" / "mlreg"

# Top floor first. Packages on one line are neighbours: they may not import each other.
FLOORS = (
    {"__main__"},
    {"cli", "web"},
    {"integrations"},
    {"__init__"},
    {"config"},
    {"registry"},
    {"adapters", "importers", "quality", "retention"},
    {"operations"},
    {"repository"},
    {"stores"},
    {"formats", "codecs", "tensors"},
    {"ids"},
    {"errors"},
)
FLOOR_OF = {package: number for number, floor in enumerate(FLOORS) for package in floor}
ALLOWED_NEIGHBOURS = {
    ("formats", "codecs"),  # a pack and a log snapshot name the codec of their bytes
    ("cli", "web"),  # a command writes a page
}

PURE = {"formats", "codecs", "tensors", "retention", "ids", "errors"}
WORLD = {
    *("asyncio", "ctypes", "fcntl", "getpass", "glob", "http", "importlib", "io", "logging", "mmap", "multiprocessing"),
    *("os", "pathlib", "platform", "random", "secrets", "select", "shutil", "signal", "socket", "sqlite3", "ssl"),
    *("subprocess", "tempfile", "time", "urllib.request", "uuid", "__import__", "input", "open"),
}
CLOCKS = {"now", "today", "utcnow"}

FACES = {"cli", "web"}
WORDS = {
    "input",
    "print",
    "rich",
    "sys.argv",
    "sys.exit",
    "sys.stderr",
    "sys.stdin",
    "sys.stdout",
    "typer",
    "SystemExit",
}
SURROUNDINGS = {
    *(
        "getpass",
        "os.environ",
        "os.environb",
        "os.getenv",
        "os.getlogin",
        "os.path.expanduser",
        "pathlib.Path.home",
        "pwd",
    ),
}
SEEN_BY_FACES = (
    *("registry", "config", "errors", "ids"),
    "formats.amounts",
    *("formats.card", "formats.names", "formats.ref", "formats.template", "formats.yaml_document"),  # what users write
    # frozen results, parts of those of the registry
    *("quality.drift", "quality.profile", "quality.checking", "quality.table_changes"),
)

MAY_DELETE_FROM_A_STORE = {
    "operations/backing_up.py": "lets go of the backups that are not to be kept, and of what only they need",
    "operations/collect.py": "the only deleter: what a dry run listed",
    "operations/mending.py": "takes away a snapshot that is damaged, which is never needed",
    "operations/usage_files.py": "takes away sums of reads that a later sum of the same holds whole",
    "repository/packing.py": "takes back packs of its own that no transaction names",
}
MAY_CHANGE_DIRECTORIES = {
    "integrations/filesystem.py": "removes what waits, when its user says so, through fsspec's own local files",
    "registry/staging.py": "takes away what waited and is registered now",
    "registry/plans.py": "forgets plans, the oldest first",
    "registry/pins.py": "forgets what was noted of a remote",
    "operations/beside.py": "writes files that lay beside a repository where it is restored, durably",
    "operations/restoring.py": "puts a restored repository into its place, or takes away what is half restored",
    "stores/archive.py": "a repository in one file: complete or absent, and durable",
    "stores/directory.py": "the store on a disk: complete or absent, and durable",
    "stores/probing.py": "tries out what a file system can do, with a file of its own",
    "stores/small_file.py": "settings, notes beside the registry, stamps: the new one takes the old one's place whole",
    "operations/journaling.py": "flushes the journal of a run, and writes one anew that was taken away",
    "operations/logged_files.py": "flushes what a run was given, and takes back what is half written",
    "operations/clearing.py": "takes the directory of a run away once it is a version, durably",
    "operations/remembering.py": "throws away its own notes, the oldest first",
    "operations/migrating.py": "puts a repository in the place of the one it was made from, once it is proven",
    "operations/checkout.py": "removes strays, through descriptors that cannot leave the target",
    "operations/placing.py": "writes files out, through such descriptors: the old one or the new one, and durable",
    "repository/heads.py": "forgets what was noted of a log",
    "repository/database.py": "throws its own file away when it is damaged",
}
MAY_LACK_A_FIX = {
    "bad_key": "a fault of mlreg that no user comes upon",
    "key_exists": "an answer to whoever writes to a store, who knows what it means",
    "key_missing": "an answer to whoever reads from a store, who knows what it means",
}
"""Codes of errors that need not say what to do, and why."""
CHANGES = {
    *("os.fdatasync", "os.fsync", "os.ftruncate", "os.link", "os.remove", "os.removedirs", "os.rename", "os.renames"),
    *("os.replace", "os.rmdir", "os.symlink", "os.sync", "os.truncate", "os.unlink", "shutil.move", "shutil.rmtree"),
}
CHANGES_OF_A_PATH = {"hardlink_to", "rmdir", "symlink_to", "unlink"}

LEFTOVER = re.compile(r"\b(T[O]DO|F[I]XME)\b")  # in brackets: this file is read too
EXCEPTION = re.compile(r"# (noqa|type: ignore)\b")
REASONED = re.compile(r"# (noqa: [A-Z0-9, ]+ - |type: ignore\[[a-z-, ]+\] +# )\w")

DRAWERS = {"base", "common", "core", "helper", "helpers", "manager", "managers", "misc", "shared", "util", "utils"}
MOST_STATEMENTS = 8


class Module(NamedTuple):
    """One source file of mlreg."""

    path: Path

    @property
    def key(self) -> str:
        """Its path below `src/mlreg`, which is also how the tables name it."""
        return self.path.relative_to(SRC).as_posix()

    @property
    def package(self) -> str:
        """What stands on a floor: the first folder, or the module itself if it lies in none."""
        return self.key.partition("/")[0].removesuffix(".py")

    @property
    def dotted(self) -> str:
        """Its name in an import."""
        return ".".join(["mlreg", *self.path.relative_to(SRC).with_suffix("").parts]).removesuffix(".__init__")

    @property
    def tree(self) -> ast.Module:
        """Its syntax."""
        return parsed(self.path)


MODULES = [Module(path) for path in sorted(SRC.rglob("*.py"))]
NAMES = {module.dotted for module in MODULES}
ERRORS = {
    f"mlreg.errors.{name}"
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, errors.MlregError)
}
SOURCES = [
    *SRC.rglob("*.py"),
    *(path for top in ("tests", "demo", "benchmarks") for path in (ROOT / top).rglob("*.py")),
]
TEXTS = sorted([*SOURCES, *(ROOT / "docs").rglob("*.md"), *ROOT.glob("*.md")])
every_module = pytest.mark.parametrize("module", MODULES, ids=lambda module: module.key)
every_text = pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.relative_to(ROOT).as_posix())


def modules_of(packages: set[str]) -> pytest.MarkDecorator:
    """Parametrise a test over the modules of some packages."""
    chosen = [module for module in MODULES if module.package in packages]
    return pytest.mark.parametrize("module", chosen, ids=lambda module: module.key)


@cache
def parsed(path: Path) -> ast.Module:
    """Parse a file once, however many rules read it."""
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def imports(module: Module) -> Iterator[tuple[int, str]]:
    """Yield line and full name of everything imported, at the top or inside a function."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def imported_modules(module: Module) -> Iterator[tuple[int, str]]:
    """Yield line and name of each module of mlreg that is imported; names inside a module are cut off."""
    for line, name in imports(module):
        if name.partition(".")[0] == "mlreg":
            yield line, name if name in NAMES else name.rpartition(".")[0] or name


def aliases(module: Module) -> dict[str, str]:
    """Map each imported local name to its full name: `from os import path as p` gives `p: os.path`."""
    names: dict[str, str] = {}
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            tops = [(alias, alias.name.partition(".")[0]) for alias in node.names]
            names |= {alias.asname or top: alias.name if alias.asname else top for alias, top in tops}
        elif isinstance(node, ast.ImportFrom):
            names |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    return names


def full_name(node: ast.expr, names: dict[str, str]) -> str:
    """Return `os.path.join` for an expression that means it; empty unless it starts at an import or a builtin."""
    if isinstance(node, ast.Name):
        return names.get(node.id, node.id if hasattr(builtins, node.id) else "")
    if isinstance(node, ast.Attribute) and (owner := full_name(node.value, names)):
        return f"{owner}.{node.attr}"
    return ""


def uses(module: Module) -> Iterator[tuple[int, str]]:
    """Yield line and full name of all that is imported, called or looked up."""
    yield from imports(module)
    names = aliases(module)
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Name | ast.Attribute) and (name := full_name(node, names)):
            yield node.lineno, name


def is_within(name: str, places: set[str]) -> bool:
    """Tell whether a full name is one of some names, or something inside one of them."""
    return any(name == place or name.startswith(f"{place}.") for place in places)


def method_calls(module: Module) -> Iterator[tuple[str, ast.Call]]:
    """Yield each call of the form `something.name(…)`, with the name."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            yield node.func.attr, node


def faults(module: Module, found: Iterator[tuple[int, str]]) -> list[str]:
    """Return what a failing rule shows: where, and what stands there."""
    return [f"{module.key}:{line} {what}" for line, what in sorted(set(found))]


# Who may import whom.


@every_module
def test_a_module_stands_on_a_floor(module: Module) -> None:
    assert module.package in FLOOR_OF, f"{module.key} is on no line of FLOORS"


@every_module
def test_imports_point_down(module: Module) -> None:
    def is_wrong(name: str) -> bool:
        there = [*name.split("."), "__init__"][1]
        if there == module.package or (module.package, there) in ALLOWED_NEIGHBOURS:
            return False
        return FLOOR_OF.get(there, -1) <= FLOOR_OF[module.package]

    assert faults(module, ((line, name) for line, name in imported_modules(module) if is_wrong(name))) == []


def test_no_import_goes_in_a_circle() -> None:
    graph = {module.dotted: {name for _, name in imported_modules(module)} for module in MODULES}

    try:
        TopologicalSorter(graph).prepare()
    except CycleError as circle:
        pytest.fail(" <- ".join(circle.args[1]))


@every_module
def test_an_error_says_what_to_do(module: Module) -> None:
    def is_silent(call: ast.Call) -> bool:
        code = call.args[0] if call.args else None
        is_known = isinstance(code, ast.Constant) and code.value in MAY_LACK_A_FIX
        return not is_known and not any(word.arg in ("fix", None) for word in call.keywords)

    names = aliases(module)
    calls = (node for node in ast.walk(module.tree) if isinstance(node, ast.Call))
    raised = [(call, full_name(call.func, names)) for call in calls]
    # What is wrong with bytes is said there; what to do, by those who know where the bytes lie.
    told_above = {"mlreg.errors.IntegrityError"} if module.package in PURE else set()
    silent = ((call.lineno, name) for call, name in raised if name in ERRORS - told_above and is_silent(call))
    assert faults(module, silent) == []


@every_module
def test_imports_are_absolute(module: Module) -> None:
    relative = (node for node in ast.walk(module.tree) if isinstance(node, ast.ImportFrom) and node.level)
    assert faults(module, ((node.lineno, "relative import") for node in relative)) == []


@modules_of(FACES)
def test_the_faces_see_the_registry_only(module: Module) -> None:
    beside = (there for here, there in ALLOWED_NEIGHBOURS if here == module.package)
    visible = {f"mlreg.{name}" for name in (*SEEN_BY_FACES, module.package, *beside)}
    hidden = ((line, name) for line, name in imported_modules(module) if not is_within(name, visible))
    assert faults(module, ((line, name) for line, name in hidden if name != "mlreg")) == []


# Who may touch the world.


@modules_of(PURE)
def test_the_pure_floors_do_not_reach_the_world(module: Module) -> None:
    reached = ((line, name) for line, name in uses(module) if is_within(name, WORLD))
    clocks = ((call.lineno, f"{name}()") for name, call in method_calls(module) if name in CLOCKS)
    assert faults(module, reached) + faults(module, clocks) == []


@every_module
def test_only_the_faces_talk_to_the_user(module: Module) -> None:
    if module.package not in FACES:
        assert faults(module, ((line, name) for line, name in uses(module) if is_within(name, WORDS))) == []


@every_module
def test_only_the_faces_and_config_look_at_their_surroundings(module: Module) -> None:
    if module.package in FACES | {"config"}:
        return
    looked = ((line, name) for line, name in uses(module) if is_within(name, SURROUNDINGS))
    homes = ((call.lineno, f"{name}()") for name, call in method_calls(module) if name == "expanduser")
    assert faults(module, looked) + faults(module, homes) == []


@every_module
def test_one_module_deletes_from_stores(module: Module) -> None:
    # A face cannot see a store; a store may wrap another.
    if module.package not in FACES | {"stores"} and module.key not in MAY_DELETE_FROM_A_STORE:
        deletes = (call.lineno for name, call in method_calls(module) if name == "delete")
        assert faults(module, ((line, "delete()") for line in deletes)) == []


@every_module
def test_few_modules_change_directories(module: Module) -> None:
    def of_a_path(name: str, call: ast.Call) -> bool:
        # `str.replace` has two arguments, `Path.replace` one.
        one = len(call.args) == 1 and not call.keywords
        return name in CHANGES_OF_A_PATH or (one and name in {"rename", "replace"})

    if module.key in MAY_CHANGE_DIRECTORIES:
        return
    named = ((line, name) for line, name in uses(module) if is_within(name, CHANGES))
    called = ((call.lineno, f"{name}()") for name, call in method_calls(module) if of_a_path(name, call))
    assert faults(module, named) + faults(module, called) == []


@pytest.mark.parametrize("table", [MAY_CHANGE_DIRECTORIES, MAY_DELETE_FROM_A_STORE, MAY_LACK_A_FIX])
def test_an_exception_has_a_reason(table: dict[str, str]) -> None:
    assert all(table.values())


# How a module reads.


@every_module
def test_no_module_is_a_drawer(module: Module) -> None:
    assert not DRAWERS.intersection(module.key.removesuffix(".py").split("/")), f"{module.key}: name its subject"


@every_module
def test_what_is_public_says_what_it_is(module: Module) -> None:
    kinds = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    public = (node for node in module.tree.body if isinstance(node, kinds) and not node.name.startswith("_"))
    silent = ((node.lineno, node.name) for node in public if not ast.get_docstring(node))

    assert ast.get_docstring(module.tree), f"{module.key} has no docstring"
    assert faults(module, silent) == []


@every_text
def test_nothing_is_left_for_later(path: Path) -> None:
    lines = enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
    assert [f"{path.name}:{number} {line.strip()}" for number, line in lines if LEFTOVER.search(line)] == []


@every_text
def test_an_exception_to_a_check_names_the_rule_and_the_reason(path: Path) -> None:
    if path.suffix == ".py":
        lines = enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        bare = ((number, line) for number, line in lines if EXCEPTION.search(line) and not REASONED.search(line))
        assert [f"{path.name}:{number} {line.strip()}" for number, line in bare] == []


# Commands.


def has_command(node: ast.AST) -> bool:
    """Tell whether something is registered as a command somewhere in a piece of syntax."""
    return any(isinstance(one, ast.Name) and one.id == "register" for one in ast.walk(node))


def commands_of(module: Module) -> Iterator[ast.FunctionDef]:
    """Yield the functions that are decorated as commands, or named where the module adds its commands."""
    functions = [node for node in module.tree.body if isinstance(node, ast.FunctionDef)]
    added = {
        node.id
        for function in functions
        if any(has_command(statement) for statement in function.body)
        for node in ast.walk(function)
        if isinstance(node, ast.Name)
    }
    for function in functions:
        if function.name in added or any(has_command(decorator) for decorator in function.decorator_list):
            yield function


def statements(command: ast.FunctionDef) -> list[ast.stmt]:
    """Return all statements of a function, nested ones too, without its docstring."""
    body = command.body[1:] if ast.get_docstring(command) else command.body
    return [node for top in body for node in ast.walk(top) if isinstance(node, ast.stmt)]


def callbacks(app: typer.Typer) -> Iterator[str]:
    """Yield module and name of each command in the tree that runs."""
    yield from (f"{one.callback.__module__}.{one.callback.__name__}" for one in app.registered_commands if one.callback)
    for group in app.registered_groups:
        if group.typer_instance:
            yield from callbacks(group.typer_instance)


COMMANDS = {
    f"{module.dotted}.{command.name}": command
    for module in MODULES
    if module.package == "cli"
    for command in commands_of(module)
}
every_command = pytest.mark.parametrize("name", COMMANDS)


def test_the_rules_read_every_command_that_runs() -> None:
    from mlreg.cli.app import tree

    assert set(callbacks(tree())) == set(COMMANDS)


@every_command
def test_a_command_is_thin(name: str) -> None:
    assert len(statements(COMMANDS[name])) <= MOST_STATEMENTS


@every_command
def test_a_command_has_no_loop_and_catches_nothing(name: str) -> None:
    steps = ast.For | ast.AsyncFor | ast.While | ast.Try | ast.TryStar
    assert [type(one).__name__ for one in statements(COMMANDS[name]) if isinstance(one, steps)] == []
