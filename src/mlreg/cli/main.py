"""Where the command line starts, and where errors become exit codes.

`rev-parse`, which scripts call in loops, is answered before the command tree is imported.
"""

from __future__ import annotations

import os
import sys
from typing import NoReturn

from mlreg.errors import MlregError, NotStartedError, UsageError, explain

INTERRUPTED, BROKEN_PIPE, TERMINATED = 130, 141, 143
RUNS_ANOTHER = ["run", "exec"]
"""The command whose exit code is that of another one."""
MAX_SENTENCE = 500
"""Characters of what is said of a word that no command takes."""


def main() -> NoReturn:
    """Run the command line; the exit status is the error's own."""
    arguments = sys.argv[1:]
    _replace_closed_streams()
    try:
        status = _run(arguments)
        sys.stdout.flush()
    except MlregError as error:
        status = _show(_told_apart(error, arguments), as_json=wants_json(arguments))
    except KeyboardInterrupt:
        sys.stderr.write("interrupted: nothing was changed, unless it was reported as done\n")
        status = INTERRUPTED
    except BrokenPipeError:
        # Who was reading has gone; Python would complain once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = BROKEN_PIPE
    except _Terminated:
        status = TERMINATED
    except Exception as error:  # noqa: BLE001 - a user gets a sentence, whatever happens
        status = _show_unexpected(error, as_json=wants_json(arguments))
    sys.exit(status)


def _told_apart(error: MlregError, arguments: list[str]) -> MlregError:
    """Return an error so that its exit code is none that a command has which is run."""
    is_ours = arguments[:2] == RUNS_ANOTHER and isinstance(error, UsageError)
    return NotStartedError.of(error) if is_ours else error


def _show(error: MlregError, *, as_json: bool) -> int:
    from mlreg.cli.output import show_error

    show_error(error, as_json=as_json)
    return error.exit_status


def wants_json(arguments: list[str]) -> bool:
    """Tell whether errors are asked for as JSON; what stands behind `--` is for a command that is run."""
    own = arguments[: arguments.index("--")] if "--" in arguments else arguments
    return "--json" in own


def _replace_closed_streams() -> None:
    """Let nothing come of what is printed where no one listens, as `>&-` asks for.

    Before any file is opened, which would be given the number of the closed stream.
    """
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_WRONLY), "w"))


def _show_unexpected(error: Exception, *, as_json: bool) -> int:
    if os.environ.get("MLREG_DEBUG"):
        raise error
    if isinstance(error, OSError):
        found = explain(error, str(error.filename or "something mlreg needs"))
    else:
        found = MlregError(
            "internal",
            f"{type(error).__name__}: {error}",
            why="this is a fault of mlreg; what was reported as done is safe",
            fix="run it again with MLREG_DEBUG=1, and report what it prints",
        )
    return _show(found, as_json=as_json)


ELSEWHERE = {
    "check": "verify",
    "checkout": "get",
    "commit": "add",
    "delete": "rm",
    "download": "get",
    "forget": "policy plan",
    "fsck": "verify",
    "history": "log",
    "list": "ls",
    "prune": "gc",
    "register": "add",
    "remove": "rm",
    "search": "ls --where",
    "snapshots": "ls",
    "upload": "push",
}
"""What commands of other tools are here."""


class _Terminated(BaseException):
    """The process was asked to end: clean up, then do."""


def _terminate(*_: object) -> None:
    raise _Terminated


def _run(arguments: list[str]) -> int:
    from mlreg.cli import fast

    if fast.can_answer(arguments):
        fast.answer(arguments)
        return 0
    return _run_tree(arguments)


def _run_tree(arguments: list[str]) -> int:
    import signal

    import typer

    from mlreg.cli.app import tree
    from mlreg.cli.output import ReaderGoneError

    signal.signal(signal.SIGTERM, _terminate)
    try:
        status = tree(arguments[0] if arguments else "")(args=arguments, prog_name="mlreg", standalone_mode=False)
    except ReaderGoneError as gone:
        raise BrokenPipeError from gone
    except Exception as error:
        # Typer brings its own copy of click since 0.26: known by what it can do, not by where it is from.
        if isinstance(error, typer.Abort):
            raise KeyboardInterrupt from error
        if not hasattr(error, "format_message"):
            raise
        if type(error).__name__ == "NoArgsIsHelpError":
            sys.stderr.write(getattr(error, "format_message", str)() + "\n")
            return UsageError.exit_status
        word = next((one for one in arguments if not one.startswith("-")), "")
        if word in ELSEWHERE and type(error).__name__ == "UsageError" and f"'{word}'" in str(error):
            raise UsageError("usage", f"no such command '{word}'", fix=f"mlreg {ELSEWHERE[word]}") from error
        raise UsageError("usage", _sentence(error), fix=_help_for(error)) from error
    if status == INTERRUPTED:
        raise KeyboardInterrupt
    return int(status or 0)


def _sentence(error: Exception) -> str:
    message: str = getattr(error, "format_message", str)()
    sentence = message[:1].lower() + message[1:].rstrip(".")
    # It repeats what was typed, all of it.
    return sentence if len(sentence) <= MAX_SENTENCE else f"{sentence[:MAX_SENTENCE]}..."


def _help_for(error: Exception) -> str:
    context = getattr(error, "ctx", None)
    path = getattr(context, "command_path", "mlreg")
    return f"{path} --help"
