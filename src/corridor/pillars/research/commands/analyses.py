"""``corridor study request``, ``result`` and ``release``: analyses of the plan."""

from __future__ import annotations

import json

import click

from corridor.accounts.commands import acting_person, reauthenticated_person
from corridor.base.clock import utcnow
from corridor.pillars.research import queries, services
from corridor.pillars.research.commands.studies import told

__all__ = ["by_hand", "release", "request", "result"]


@click.command("request")
@click.argument("study_name", metavar="STUDY")
@click.argument("analysis")
def request(study_name: str, analysis: str) -> None:
    """Ask every site of STUDY for ANALYSIS, an entry of the protocol's plan.

    Example: corridor study request breast-hormone primary
    """
    now = utcnow()
    run = services.request_run(study=study_name, analysis=analysis, actor=acting_person(now), now=now)
    click.echo(f"Run {run.pk} of {analysis}: asked for. `corridor study result {study_name} {analysis}` shows it.")


@click.command("result")
@click.argument("study_name", metavar="STUDY")
@click.argument("analysis")
@click.option("--json", "as_json", is_flag=True, help="Print the result, and what crossed, as JSON.")
def result(study_name: str, analysis: str, as_json: bool) -> None:
    """Show what the newest run of ANALYSIS found, or where and why it ended, and which numbers crossed.

    Example: corridor study result breast-hormone primary --json
    """
    actor = acting_person(utcnow())
    view = queries.find_study(study_name, actor=actor)
    run_id = queries.latest_run(study_name, analysis, actor=actor)
    run = next(each for each in view.runs if each.id == str(run_id))
    blocks = [each for each in queries.crossed(run_id, actor=actor) if each.released]
    numbers = sum(each.numbers for each in blocks)
    if as_json:
        click.echo(json.dumps(queries.run_document(view, run, blocks), ensure_ascii=False, indent=2))
        return
    click.echo(f"{analysis}: {run.state}, run {run.id}")
    if run.waits_for:
        click.echo(f"waits for {', '.join(run.waits_for)}")
    for reason in run.reasons:
        click.echo(f"at {run.at_site or 'every site'}: {reason}")
    if run.result is not None:
        click.echo(f"precision: {run.result['precision']}")
        click.echo(json.dumps(run.result["values"], ensure_ascii=False, indent=2))
    click.echo(f"0 rows and {numbers} numbers crossed:")
    for each in blocks:
        click.echo(f"  round {each.round}  {each.site}: {each.numbers} numbers ({', '.join(each.names)})")


@click.command("release")
@click.argument("run")
@click.argument("round_number", type=click.IntRange(min=1), metavar="ROUND")
def release(run: str, round_number: int) -> None:
    """Ask that this site's answer of ROUND leaves in RUN; a second person allows it.

    Example: corridor study release 5f0c2a11 1
    """
    now = utcnow()
    actor = reauthenticated_person(now)
    outcome = services.ask_to_release(queries.find_run(run, actor=actor), number=round_number, actor=actor, now=now)
    told(outcome, "Released.")


@click.command("by-hand")
@click.argument("study_name", metavar="STUDY")
@click.argument("state", type=click.Choice(["on", "off"]))
def by_hand(study_name: str, state: str) -> None:
    """Let each answer of this site in STUDY wait for two persons (on), or leave once it is judged (off).

    To turn it off takes two persons as well.

    Example: corridor study by-hand breast-hormone on
    """
    now = utcnow()
    actor = reauthenticated_person(now)
    if state == "on":
        services.hold_answers(study=study_name, actor=actor, now=now)
        click.echo(f"{study_name}: each answer of this site waits for two persons.")
        return
    told(services.ask_to_release_unseen(study_name, actor=actor, now=now), "Answers leave once they are judged.")
