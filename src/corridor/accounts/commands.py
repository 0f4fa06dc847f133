"""Commands about people: appointing, tokens, the second person's yes, the audit trail."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from corridor.accounts import approvals, exports, queries, services, tokens
from corridor.accounts.access import REAUTHENTICATION_LASTS
from corridor.accounts.login import sign_in
from corridor.accounts.models import Person
from corridor.base.clock import utcnow
from corridor.base.errors import Refused, WrongUsage


class NoToken(WrongUsage):
    """A command that acts in a person's name was called without a token."""

    code = "no-token"


class BadDate(WrongUsage):
    """A date of an option cannot be read."""

    code = "bad-date"


class NotReauthenticated(Refused):
    """A step that takes two re-authenticated persons was called with a token alone, and nobody is there to ask."""

    code = "not-reauthenticated"


def acting_person(now: datetime) -> Person:
    """Return the person in whose name this command acts, from ``CORRIDOR_TOKEN``.

    Raises
    ------
    NoToken
        If the variable is not set.
    TokenRefused
        If the token is unknown, expired or revoked.
    """
    return tokens.person_of_token(_secret(), now=now)


def reauthenticated_person(now: datetime) -> Person:
    """Return the acting person, who gave the password within the last ten minutes or gives it now.

    A token made within that time counts: making it took the password. With an older one the command asks.

    Raises
    ------
    NoToken, TokenRefused
        As `acting_person`.
    NotReauthenticated
        If the token is older and no terminal is there on which to ask.
    WrongPassword, LockedOut
        As at a login.
    """
    person = acting_person(now)
    if tokens.is_fresh(_secret(), now=now):
        return person
    if not sys.stdin.isatty():
        raise NotReauthenticated(
            "this step takes a person who gave the password just now, and this token is more than "
            f"{REAUTHENTICATION_LASTS.seconds // 60} minutes old. Make a new one and call the command again: "
            f"export CORRIDOR_TOKEN=$(corridor token {person.username})"
        )
    given = _ask(f"Password of {person.username}", hidden_from=False)
    return sign_in(person.username, password=given, address="command line", now=now)


def _secret() -> str:
    secret = os.environ.get("CORRIDOR_TOKEN", "").strip()
    if not secret:
        raise NoToken(
            "this command acts in a person's name: set CORRIDOR_TOKEN to the token that `corridor token NAME` gave"
        )
    return secret


@click.group("user")
def user() -> None:
    """Appoint people and give them roles."""


@user.command("add")
@click.argument("name")
@click.option("--role", "roles", multiple=True, required=True, help="Role; may be given again.")
@click.option("--display-name", default="", help="Full name, in any script.")
@click.option("--language", default="en", show_default=True, help="Language of the pages: en, zh-hans, ru, ur.")
def add(name: str, roles: tuple[str, ...], display_name: str, language: str) -> None:
    """Appoint NAME and print a one-time password."""
    now = utcnow()
    password = services.one_time_password()
    services.add_person(
        name,
        roles=roles,
        display_name=display_name,
        language=language,
        password=password,
        actor=acting_person(now),
        now=now,
    )
    click.echo(f"{name}: {', '.join(roles)}   one-time password: {password}   (shown this once)")


@user.command("list")
def list_people() -> None:
    """List the people of this node and their roles."""
    for person in queries.people(actor=acting_person(utcnow())):
        state = "" if person.is_active else "   closed"
        click.echo(
            f"{person.username:24} {', '.join(sorted(person.role_names)) or '-':40} {person.display_name}{state}"
        )


@user.command("roles")
@click.argument("name")
@click.argument("roles", nargs=-1, required=True)
def set_roles(name: str, roles: tuple[str, ...]) -> None:
    """Give NAME exactly these ROLES."""
    now = utcnow()
    services.set_roles(services.person_named(name), roles=roles, actor=acting_person(now), now=now)
    click.echo(f"{name}: {', '.join(sorted(set(roles)))}")


@user.command("password")
@click.argument("name")
def password(name: str) -> None:
    """Give NAME a new one-time password; sessions and tokens end."""
    now = utcnow()
    given = services.give_password(services.person_named(name), actor=acting_person(now), now=now)
    click.echo(f"{name}   one-time password: {given}   (shown this once)")


@user.command("close")
@click.argument("name")
def close(name: str) -> None:
    """Close the access of NAME."""
    now = utcnow()
    services.close_person(services.person_named(name), actor=acting_person(now), now=now)
    click.echo(f"The access of {name} is closed.")


@click.command("token")
@click.argument("name")
@click.option("--label", default="command line", show_default=True, help="What the token is for.")
@click.option("--days", type=click.IntRange(1, 366), default=90, show_default=True, help="How long it is accepted.")
@click.option(
    "--password-stdin", is_flag=True, help="Read the password, and a new one if it is due, from standard input."
)
def token(name: str, label: str, days: int, *, password_stdin: bool) -> None:
    """Print a token with which commands act in the name of NAME (CORRIDOR_TOKEN). Asks for the password of NAME."""
    now = utcnow()
    given = _ask("Password", hidden_from=password_stdin)
    person = sign_in(name, password=given, address="command line", now=now)
    if person.must_change_password:
        click.echo("This password was for one time; choose your own (at least 12 letters).", err=True)
        chosen = _ask("New password", hidden_from=password_stdin)
        if not password_stdin and _ask("New password again", hidden_from=False) != chosen:
            raise services.WeakPassword("the two new passwords differ; nothing was changed. Try again")
        services.change_password(chosen, current=given, actor=person, now=now)
    secret = tokens.issue_token(person, name=label, actor=person, now=now, lasts=timedelta(days=days))
    click.echo(secret)


def _ask(prompt: str, *, hidden_from: bool) -> str:
    if hidden_from:
        return sys.stdin.readline().rstrip("\n")
    return str(click.prompt(prompt, hide_input=True, err=True))


@click.command("approve")
@click.argument("request", type=int, required=False)
@click.option("--decline", is_flag=True, help="Say no instead.")
def approve(request: int | None, *, decline: bool) -> None:
    """Give the second person's yes to REQUEST; without a number, list what waits.

    A first yes counts for 7 days. With a token older than 10 minutes it asks for your password.
    """
    now = utcnow()
    if request is None:
        _list_waiting(acting_person(now), now=now)
        return
    person = reauthenticated_person(now)
    if decline:
        approvals.decline(request, actor=person, now=now)
        click.echo(f"Request {request} is declined.")
    else:
        outcome = approvals.approve(request, actor=person, now=now)
        click.echo(f"Request {request} is approved and done." + (f" {outcome.result}" if outcome.result else ""))


def _list_waiting(person: Person, *, now: datetime) -> None:
    waiting = queries.waiting_approvals(actor=person, now=now)
    for request in waiting:
        text = approvals.kind_of(request.kind).describe(request.arguments)
        click.echo(
            f"{request.pk:6}  asked by {request.asked_by.username} on {request.asked_at:%Y-%m-%d %H:%M} UTC, "
            f"expires on {approvals.expires_at(request):%Y-%m-%d %H:%M}: {text}"
        )
        for line in approvals.answers_for(request, actor=person):
            click.echo(f"{'':8}{line}")
    if not waiting:
        click.echo("Nothing waits for a second person.")


@click.command("audit")
@click.option("--since", help="First day, such as 2026-01-31.")
@click.option("--until", help="Last day, included.")
@click.option("--actor", "actor_text", default="", help="Who acted.")
@click.option("--action", default="", help="Beginning of the action, such as exchange.")
@click.option("--outcome", type=click.Choice(["done", "refused"]), help="How it ended.")
@click.option("--format", "form", type=click.Choice(["text", "csv", "json"]), default="text", show_default=True)
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), help="Write to this file instead of the screen."
)
def audit(
    since: str | None, until: str | None, actor_text: str, action: str, outcome: str | None, form: str, out: Path | None
) -> None:
    """Show or export the audit trail, newest first."""
    chosen = queries.AuditFilter(
        since=_day(since), before=_day(until, plus=1), actor=actor_text, action=action, outcome=outcome or ""
    )
    now = utcnow()
    entries = queries.audit_entries(chosen, actor=acting_person(now))
    text = exports.AUDIT_FORMATS[form](entries)
    if out is None:
        click.echo(text, nl=False)
    else:
        out.write_text(text, encoding="utf-8")
        click.echo(f"{len(entries)} entries written to {out}")


def _day(text: str | None, *, plus: int = 0) -> datetime | None:
    if text is None:
        return None
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC) + timedelta(days=plus)
    except ValueError:
        raise BadDate(f"{text!r} is not a day; it takes year-month-day, such as 2026-01-31") from None


COMMANDS: tuple[click.Command, ...] = (user, token, approve, audit)
