"""``corridor study``: which studies there are, propose and sign a protocol, pause, resume, leave and close."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import click

from corridor.accounts.approvals import Outcome
from corridor.accounts.commands import acting_person, reauthenticated_person
from corridor.base.clock import utcnow
from corridor.base.textfiles import read_text
from corridor.pillars.research import queries, services
from corridor.pillars.research.queries import StudyView
from corridor.pillars.research.rules.protocol import draft_protocol

__all__ = ["study", "told"]


@click.group("study")
def study() -> None:
    """Joint research between nodes: no patient's row leaves its site."""


@study.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def list_studies(as_json: bool) -> None:
    """List the studies in which this node takes part.

    Example: corridor study list
    """
    found = queries.studies(acting_person(utcnow()))
    if as_json:
        click.echo(json.dumps([_summary(each) for each in found], ensure_ascii=False, indent=2))
        return
    for each in found:
        state = "locked" if each.locked_at else "waits for signatures"
        sites = ", ".join(site.id for site in each.sites)
        title = each.protocol.title_in("en")
        click.echo(
            f"{each.name}  version {each.protocol.version} ({each.protocol.hash[:12]}), {state}  {sites}  {title}"
        )
    if not found:
        click.echo("No study yet. `corridor study propose PROTOCOL.toml --agreement HASH` begins one.")


@study.command("show")
@click.argument("name", metavar="STUDY")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def show(name: str, as_json: bool) -> None:
    """Show how STUDY stands: signatures, frozen rows, each analysis of the plan, and who is late.

    Example: corridor study show breast-hormone
    """
    actor = acting_person(utcnow())
    view = queries.find_study(name, actor=actor)
    rows = queries.snapshots(name, actor=actor)
    if as_json:
        details = _summary(view) | {"snapshots": [asdict(each) for each in rows]}
        click.echo(json.dumps(details, ensure_ascii=False, indent=2, default=str))
        return
    locked = f"locked {_at(view.locked_at)}" if view.locked_at else "waits for signatures"
    click.echo(f"{view.protocol.title_in('en')}\nversion {view.protocol.version} ({view.protocol.hash}), {locked}")
    click.echo("Sites:")
    for site in view.sites:
        signed = f"signed {_at(site.signed_at)}" if site.signed_at else "has not signed"
        frozen = f"rows {site.snapshot[:12]}" if site.snapshot else "no frozen rows"
        standing = f"{site.standing} ({site.reason})" if site.reason else site.standing
        own = "  (this site)" if site.is_own else ""
        click.echo(f"  {site.id}  {site.node}  {signed}  {frozen}  {standing}{own}")
    for each in rows:
        state = f"signed by {each.signed_by}" if each.signed_at else "waits for a steward's signature"
        click.echo(f"Frozen rows here: {each.hash[:12]}, {each.rows} rows of {each.persons} patients, {state}")
    click.echo("Plan:")
    for item in view.protocol.analyses:
        runs = [run for run in view.runs if run.analysis == item.id]
        if not runs:
            click.echo(f"  {item.id}: not asked for")
        for run in runs:
            click.echo(f"  {item.id}: {run.state}{_why(run)}  run {run.id}, {run.rounds} rounds")


@study.command("propose")
@click.argument("protocol", type=click.Path(path_type=Path), metavar="PROTOCOL.toml")
@click.option("--agreement", required=True, help="Hash, or its beginning, of the agreement that opens research.study.")
def propose(protocol: Path, agreement: str) -> None:
    """Propose PROTOCOL.toml, or an amendment of it, to every site that it names.

    Example: corridor study propose breast-hormone.toml --agreement 3f9a
    """
    now = utcnow()
    version = services.propose_study(
        draft_protocol(read_text(protocol)), agreement=agreement, actor=acting_person(now), now=now
    )
    click.echo(f"Proposed {version.study.name}, version {version.version}: {version.hash}")
    click.echo(f"Each site signs it: `corridor study sign {version.hash[:12]}`.")


@study.command("sign")
@click.argument("protocol", metavar="HASH")
def sign(protocol: str) -> None:
    """Ask for this site's signature over the protocol with HASH; a second person gives it.

    Example: corridor study sign 9be1c0
    """
    now = utcnow()
    outcome = services.ask_to_sign(protocol, actor=reauthenticated_person(now), now=now)
    told(outcome, "Signed.")


def _standing_command(
    name: str, standing: Literal["active", "paused", "left", "closed"], doing: str, done: str, *, is_final: bool
) -> None:
    @study.command(name, help=f'{doing}\n\nExample: corridor study {name} breast-hormone --reason "Data check"')
    @click.argument("study_name", metavar="STUDY")
    @click.option("--reason", required=True, help="Why, for the people of the other sites; nothing of a patient.")
    def command(study_name: str, reason: str) -> None:
        now = utcnow()
        actor = reauthenticated_person(now) if is_final else acting_person(now)
        services.set_standing(study=study_name, standing=standing, reason=reason, actor=actor, now=now)
        click.echo(f"{study_name}: {done}")


_standing_command(
    "pause", "paused", "Answer nothing in STUDY until it is resumed; runs wait.", "this site is paused.", is_final=False
)
_standing_command("resume", "active", "Answer again in STUDY.", "this site takes part again.", is_final=False)
_standing_command(
    "leave",
    "left",
    "Leave STUDY for good: runs that need this site end without a result, what was released stays released.",
    "this site left the study.",
    is_final=True,
)
_standing_command(
    "close", "closed", "Close this site's part of STUDY for good; results stay.", "this site closed it.", is_final=True
)


def told(outcome: Outcome, done: str) -> None:
    """Print whether a step was done, or waits for a second person."""
    if outcome.done:
        click.echo(f"{done} This node works in one-person mode.")
    else:
        click.echo(f"Request {outcome.request_id} waits for a second person: `corridor approve {outcome.request_id}`.")


def _summary(view: StudyView) -> dict[str, Any]:
    return {
        "study": view.name,
        "title": view.protocol.title_in("en"),
        "protocol": view.protocol.hash,
        "version": view.protocol.version,
        "locked_at": view.locked_at.isoformat() if view.locked_at else None,
        "by_hand": view.by_hand,
        "sites": [asdict(site) | {"signed_at": _at(site.signed_at) or None} for site in view.sites],
        "runs": [asdict(run) | {"asked_at": _at(run.asked_at)} for run in view.runs],
    }


def _why(run: queries.RunView) -> str:
    if run.waits_for:
        return f", waits for {', '.join(run.waits_for)}"
    if run.reasons:
        return f" at {run.at_site or 'every site'}: {'; '.join(run.reasons)}"
    return ""


def _at(moment: datetime | None) -> str:
    return moment.isoformat(timespec="seconds") if moment else ""
