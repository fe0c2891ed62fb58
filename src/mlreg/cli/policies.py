"""Which versions stay when others are removed: policy show, plan, apply, explain; hold, release."""

from __future__ import annotations

from typing import Annotated

import typer

from mlreg.cli import policy_views, views
from mlreg.cli.options import DryRun, ExitCode, Message, Yes, answer, confirm, open_registry, open_to_change, register
from mlreg.cli.output import Printer
from mlreg.cli.stating import Ref, VersionRef
from mlreg.config import Config
from mlreg.formats.amounts import count_of
from mlreg.registry import annotating, policies

Now = Annotated[str, typer.Option("--now", metavar="TIME", help="Taken for the present: a day, or 2026-11-23T12:00Z.")]

app = typer.Typer(no_args_is_help=True, help="Retention policies: show, plan, apply, explain.")


@register(app)
def show(out: Printer) -> None:
    """Show the retention policies of the settings, and how many versions each is about.

    Example:

      mlreg config set policies '[{match: "model/*", keep-last: 5, keep-within: 90d}]'
    """
    result = policies.show(open_registry(), Config().retention)
    out.show("policy", result, policy_views.policies(result))


@register(app)
def plan(
    out: Printer,
    pattern: Annotated[
        str, typer.Argument(metavar="[PATTERN]", help="Of KIND/NAME, or one entry; all if left out.")
    ] = policies.ALL,
    free: Annotated[
        str, typer.Option("--free", metavar="SIZE", help="Let go only so much, like 50G, at the least loss.")
    ] = "",
    now: Now = "",
    exit_code: ExitCode = False,
) -> None:
    """Print for every version whether it stays, and the rule that decided; and store that, to be applied.

    Nothing is removed. What has a tag, is held or frozen, or was used to make what stays, always stays. With
    --exit-code, exit code 3 says that something would be removed.

    Examples:

      mlreg policy plan

      mlreg policy plan 'model/*' --free 50G
    """
    config, pattern = Config(), views.pattern_of(pattern)
    size = policies.bytes_of(free) if free else 0
    result = policies.plan(open_registry(), config.retention, pattern, free=size, now=now, runs=config.runs)
    out.show("policy-plan", result, policy_views.plan(result))
    policy_views.tell(out, result)
    answer(not (result.removes and exit_code))


@register(app)
def apply(
    out: Printer,
    plan: Annotated[str, typer.Argument(metavar="PLAN", help="Its id, or the beginning of it; or last.")],
    message: Message = "",
    dry_run: DryRun = False,
    yes: Yes = False,
) -> None:
    """Remove what a plan lets go, in one step; `mlreg restore` brings it back until its bytes are collected.

    If anything that the plan rests on has changed since, nothing is removed, and the exit code is 5.

    Example:

      mlreg policy apply 5c0f3d21 -m 'room for the next training'
    """
    config, registry = Config(), open_to_change(dry_run)
    stored = policies.stored_plan(registry, plan)
    if not dry_run:
        confirm(f"remove {count_of(len(stored.removes), 'version')}?", yes=yes)
    done = policies.apply(registry, config.retention, stored, message, runs=config.runs)
    result = done._replace(dry_run=dry_run)
    out.show("policy-apply", result, policy_views.applied(result))
    policy_views.warn(out, result)


@register(app)
def explain(out: Printer, ref: VersionRef, now: Now = "") -> None:
    """Say why a version stays, or which rules let it go; of one that was removed, who did it, when and why.

    Example:

      mlreg policy explain model/detector@1.0.0
    """
    config = Config()
    result = policies.explain(open_registry(), config.retention, ref, now=now, runs=config.runs)
    out.show("policy-explain", result, policy_views.explained(result))


def hold(
    out: Printer,
    ref: Ref,
    reason: Annotated[str, typer.Option("-m", "--reason", metavar="TEXT", help="Why it has to stay.")] = "",
) -> None:
    """Keep a version, or all of an entry, from being removed until it is released, by hand or by a policy.

    Example:

      mlreg hold model/detector@1.0.0 --reason 'audit of 2026'
    """
    result = annotating.hold(open_registry(), ref, reason)
    out.show("meta", result, views.annotated(result, "held"))


def release(out: Printer, ref: Ref, message: Message = "") -> None:
    """Let a version, or an entry, that was held be removed again."""
    result = annotating.release(open_registry(), ref, message)
    out.show("meta", result, views.annotated(result, "released"))


def add_commands(tree: typer.Typer) -> None:
    """Put the commands of this file into the tree."""
    tree.add_typer(app, name="policy")
    for command in (hold, release):
        register(tree)(command)
