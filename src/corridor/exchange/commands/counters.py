"""Commands about the export counters: list them, and open one again that a restore closed."""

from __future__ import annotations

import json

import click

from corridor.accounts.commands import acting_person, reauthenticated_person
from corridor.base.clock import utcnow
from corridor.exchange.commands.peers import said, say
from corridor.exchange.queries.agreements import counters as found
from corridor.exchange.services import counters as services


@click.group("counters", invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def counters(context: click.Context, as_json: bool) -> None:
    """List how many persons' data crossed this year and the last, by country, with the limits of the law.

    Example: corridor counters
    """
    if context.invoked_subcommand is not None:
        return
    now = utcnow()
    views = found(acting_person(now), now=now)
    if as_json:
        rows = [
            {
                "number": view.number,
                "country": view.country,
                "sensitivity": view.sensitivity,
                "year": view.year,
                "direction": view.direction,
                "persons": view.persons,
                "limit": view.limit,
                "closed": view.is_closed,
            }
            for view in views
        ]
        click.echo(json.dumps(rows, indent=2))
        return
    for view in views:
        state = "closed after a restore" if view.is_closed else view.standing.value
        limit = f"limit {view.limit}" if view.limit else "no limit known"
        click.echo(
            f"{view.number:>4} {view.country} {view.sensitivity:12} {view.year} {view.direction:3} "
            f"{view.persons:>8} persons, {limit}: {state}"
        )
    if not views:
        click.echo("No data about a single person has crossed.")


@counters.command("reopen")
@click.argument("number", type=int)
@click.option("--persons", type=click.IntRange(0), required=True, help="From how many persons it goes on.")
@click.option("--reason", required=True, callback=said, help="What the number rests on; it stays in the audit trail.")
def reopen(number: int, persons: int, reason: str) -> None:
    """Open counter NUMBER again, which a restore closed, at a stated number of persons; two persons agree to it.

    Example: corridor counters reopen 3 --persons 4200 --reason "Register of referrals, 2026-11-27"
    """
    now = utcnow()
    outcome = services.ask_to_reopen(number, persons=persons, reason=reason, actor=reauthenticated_person(now), now=now)
    say(outcome, "the counter is open")
