"""``corridor study symposium``, ``bring`` and ``mark``: what the sites of a study bring to it."""

from __future__ import annotations

import json
from datetime import datetime

import click

from corridor.accounts.commands import acting_person
from corridor.base.clock import utcnow
from corridor.pillars.research import queries, services

__all__ = ["bring", "mark", "symposium"]


@click.command("symposium")
@click.argument("study_name", metavar="STUDY")
@click.option("--year", type=int, help="Only the symposium of this year.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON, each figure with its whole result.")
def symposium(study_name: str, *, year: int | None, as_json: bool) -> None:
    """Show what the sites of STUDY bring to its symposium.

    Example: corridor study symposium breast-hormone --year 2026
    """
    actor = acting_person(utcnow())
    view = queries.find_study(study_name, actor=actor)
    found = [each for each in queries.symposium_entries(study_name, actor=actor) if year in (None, each.year)]
    if as_json:
        click.echo(json.dumps(queries.entries_document(view, found), ensure_ascii=False, indent=2))
        return
    analyses = {run.id: run.analysis for run in view.runs}
    for each in found:
        day = f"  {each.day.isoformat()}" if each.day else ""
        owner = f"  ({each.owner})" if each.owner else ""
        figure = f"  result of {analyses.get(each.run, each.run)}" if each.run else ""
        differs = "  NOT THE SAME BLOCKS as at the author's site" if each.is_same is False else ""
        line = f"{each.year}  {each.kind}  {each.standing}{day}  {each.node}: {each.text}{owner}{figure}{differs}"
        click.echo(f"{each.id[:8]}  {line}")
    if not found:
        click.echo(f"Nothing yet. `corridor study bring {study_name} --kind agenda --text …` adds something.")


@click.command("bring")
@click.argument("study_name", metavar="STUDY")
@click.option("--kind", required=True, type=click.Choice(["agenda", "figure", "decision", "publication"]))
@click.option("--text", required=True, help="What the other sites read; nothing of a patient.")
@click.option("--owner", default="", help="Who sees to it.")
@click.option("--day", type=click.DateTime(["%Y-%m-%d"]), help="When, or until when.")
@click.option("--year", type=click.IntRange(2000, 2200), help="Symposium of the year; this year without it.")
@click.option("--result", "analysis", help="Of a figure: the analysis whose newest result it is taken from.")
def bring(
    study_name: str,
    *,
    kind: str,
    text: str,
    owner: str,
    day: datetime | None,
    year: int | None,
    analysis: str | None,
) -> None:
    """Bring something to the symposium of STUDY, and tell the other sites.

    Example: corridor study bring breast-hormone --kind figure --result primary --text "Main result"
    """
    now = utcnow()
    actor = acting_person(now)
    run = queries.latest_run(study_name, analysis, actor=actor) if analysis else None
    entry = services.add_entry(
        study=study_name,
        year=year or now.year,
        kind=kind,
        text=text,
        owner=owner,
        day=day.date() if day else None,
        run=run,
        actor=actor,
        now=now,
    )
    click.echo(f"Added {entry.kind} {str(entry.pk)[:8]} to the symposium of {entry.year}.")


@click.command("mark")
@click.argument("study_name", metavar="STUDY")
@click.argument("entry")
@click.argument("standing", type=click.Choice(["open", "done", "withdrawn"]))
def mark(study_name: str, entry: str, standing: str) -> None:
    """State that ENTRY of this site, by the beginning of its identifier, is open, done or withdrawn.

    Example: corridor study mark breast-hormone 5f0c2a11 done
    """
    now = utcnow()
    actor = acting_person(now)
    found = queries.find_entry(study_name, entry, actor=actor)
    services.change_entry(entry=found, standing=standing, actor=actor, now=now)
    click.echo(f"{str(found)[:8]}: {standing}.")
