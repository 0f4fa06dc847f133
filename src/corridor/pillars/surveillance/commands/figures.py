"""``counts`` and ``signals``: what was reported, and what rose."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime

import click
import polars as pl

from corridor.accounts.commands import acting_person
from corridor.base.clock import utcnow
from corridor.base.epiweek import Week, parse_weeks
from corridor.base.textfiles import write_table
from corridor.pillars.surveillance import queries, services, tasks
from corridor.pillars.surveillance.commands.options import disease_code, moment_of, place_code

__all__ = ["counts", "signals"]


@click.command("counts")
@click.option("--disease", required=True, help="Code or name, in any of the four languages.")
@click.option("--weeks", required=True, metavar="A..B", help="ISO weeks, both included: 2024-W01..2024-W20.")
@click.option("--place", default="", help="Only this place.")
@click.option("--level", type=click.Choice(["country", "admin1", "admin2"]), default="admin1", show_default=True)
@click.option("--period", type=click.Choice(["day", "week", "month"]), default="week", show_default=True)
@click.option("--basis", type=click.Choice(["onset", "report"]), default="report", show_default=True)
@click.option("--known-at", help="The figures as they were known then.")
@click.option("--out", type=click.Path(), default="-", help="CSV or Parquet file; standard output by default.")
def counts(
    disease: str, weeks: str, place: str, level: str, period: str, basis: str, known_at: str | None, out: str
) -> None:
    """Write counts by place and period, with their completeness.

    An empty count was not reported; 0 was reported as 0.

    Example: corridor counts --disease measles --weeks 2024-W01..2024-W20
    """
    now = utcnow()
    chosen = parse_weeks(weeks)
    figures = queries.period_counts(
        actor=acting_person(now),
        diseases=[disease_code(disease)],
        period=period,
        basis=basis,
        level=level,
        first_on=chosen[0].start,
        end_on=chosen[-1].end,
        known_at=None if known_at is None else moment_of(known_at, now, option="--known-at"),
    )
    frame = figures.frame
    if place:
        frame = frame.filter(frame["place"] == place_code(place))
    if period == "week":
        weeks_of = pl.Series("week", [str(Week.of(start)) for start in frame["start_on"]], dtype=pl.String)
        frame = frame.insert_column(2, weeks_of)
    write_table(frame.rename({"start_on": "date", "place": "region"}), out)


@click.group("signals", invoke_without_command=True)
@click.option("--disease", default="", help="Code or name.")
@click.option("--place", default="", help="Code or name.")
@click.option("--status", "statuses", multiple=True, type=click.Choice(["new", "verifying", "verified", "discarded"]))
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
@click.pass_context
def signals(context: click.Context, disease: str, place: str, statuses: tuple[str, ...], as_json: bool) -> None:
    """List signals, newest first, or work on one.

    Example: corridor signals --disease measles --status new
    """
    if context.invoked_subcommand is not None:
        return
    found, number = queries.signals(
        actor=acting_person(utcnow()),
        disease=disease_code(disease) if disease else "",
        place=place_code(place) if place else "",
        statuses=statuses,
        limit=10_000,
    )
    if as_json:
        click.echo(json.dumps([asdict(each) for each in found], default=str, ensure_ascii=False, indent=2))
        return
    for each in found:
        expected = "-" if each.expected is None else f"{each.expected:.1f}"
        mark = "   SIMULATED" if each.simulated else ""
        click.echo(
            f"{each.id:>6}  {each.status:10} {each.severity:7} {each.disease:34} {each.place:10} {each.start_on}"
            f"  observed {each.observed}, expected {expected}, limit {each.upperbound:.1f}  ({each.method}){mark}"
        )
    click.echo(f"{number} signals")


@signals.command("move")
@click.argument("signal", type=int)
@click.argument("to", type=click.Choice(["verifying", "verified", "discarded"]))
@click.option("--note", "text", default="", help="Why; needed for a decision.")
def move(signal: int, to: str, text: str) -> None:
    """Move SIGNAL on to verifying, verified or discarded.

    Example: corridor signals move 12 verified --note "laboratory confirmed six of eight"
    """
    now = utcnow()
    services.move_signal(signal_id=signal, to=to, text=text, actor=acting_person(now), now=now)
    click.echo(f"signal {signal} is {to}")


@signals.command("detect")
@click.option("--disease", "names", multiple=True, help="Code or name; every disease with data by default.")
@click.option(
    "--period", type=click.Choice(["day", "week"]), help="Judge by day or by week; told by the data if left out."
)
@click.option(
    "--method", help="In place of the reference data's: farrington-flexible, farrington, ears-c1, ears-c2, ears-c3."
)
@click.option("--until", type=click.DateTime(["%Y-%m-%d"]), help="Only periods that end by that day.")
def detect(names: tuple[str, ...], period: str | None, method: str | None, until: datetime | None) -> None:
    """Judge the series now, without waiting for the job.

    Example: corridor signals detect --disease measles
    """
    now = utcnow()
    actor = acting_person(now)
    codes = [disease_code(name) for name in names] or queries.diseases_with_data(actor=actor)
    for code in codes:
        run = tasks.detect_disease(
            code, period=period, method=method, until=until.date() if until else None, actor=actor, now=now
        )
        click.echo(f"{code}: " + ("nothing to judge yet" if run is None else f"run {run}"))
