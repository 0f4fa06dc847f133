"""``corridor study ledger`` and ``reopen-ledger``: what this site has told, and a ledger that a restore closed."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from corridor.accounts.commands import acting_person, reauthenticated_person
from corridor.base.clock import utcnow
from corridor.exchange.commands.peers import said
from corridor.pillars.research import queries, services
from corridor.pillars.research.commands.studies import told

__all__ = ["ledger", "reopen_ledger"]


@click.command("ledger")
@click.argument("study_name", metavar="STUDY")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def ledger(study_name: str, as_json: bool) -> None:
    """Show what this site has told of its patients, in STUDY and in all, and what the budgets leave.

    Example: corridor study ledger breast-hormone
    """
    found = queries.ledger(study_name, actor=acting_person(utcnow()))
    if as_json:
        click.echo(json.dumps(asdict(found) | {"closed": found.is_closed}, ensure_ascii=False, indent=2))
        return
    click.echo(f"{study_name}: {found.answers} answers, limit {found.most_answers}")
    click.echo(f"all studies: no person is part of more than {found.of_person} answers, limit {found.most_of_person}")
    for node, numbers in found.partners:
        click.echo(f"all studies: {numbers} numbers to {node}, limit {found.most_to_partner}")
    if not found.is_closed:
        click.echo("The ledger is open.")
        return
    click.echo(
        f"The ledger is CLOSED: {found.lost} answers that left are not in the database. Nothing leaves this site."
        " `corridor study reopen-ledger --reason TEXT` brings them back, by two persons."
    )
    if found.nameless:
        click.echo(f"Of {found.nameless} of them nothing but the name is left: they cannot be brought back.")


@click.command("reopen-ledger")
@click.option("--reason", required=True, callback=said, help="Why; it stays in the audit trail and in the log.")
def reopen_ledger(reason: str) -> None:
    """Bring back the answers that the ledger lost when a backup was put back, and open it; two persons agree to it.

    What cannot be brought back keeps the ledger closed; `corridor study ledger` says how many that are.

    Example: corridor study reopen-ledger --reason "Backup of 27 November put back after a disk failure"
    """
    now = utcnow()
    outcome = services.ask_to_reopen(reason=reason, actor=reauthenticated_person(now), now=now)
    told(outcome, "What could be brought back counts again.")
