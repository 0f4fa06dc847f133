"""``corridor care``, the part that needs a node: publish documents of care, list them, and follow patients up."""

from __future__ import annotations

import json
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from corridor.accounts.commands import acting_person, reauthenticated_person
from corridor.base.clock import utcnow
from corridor.base.textfiles import read_table, read_text, write_table
from corridor.pillars.research import queries, services
from corridor.pillars.research.rules.care import Standing, draft_care_document
from corridor.pillars.research.tables import due_table

__all__ = ["care"]


@click.group("care")
def care() -> None:
    """Treatment protocols side by side, and follow-up care."""


@care.command("publish")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--agreement", default="", help="Hash, or its beginning, of the agreement that opens research.care.")
def publish(file: Path, agreement: str) -> None:
    """Publish FILE, a treatment protocol or a follow-up schedule, to the partners of an agreement.

    FILE is TOML, or JSON of a treatment protocol or of a FHIR PlanDefinition. It is kept as a version.

    Example: corridor care publish ours.toml --agreement 3f9a
    """
    now = utcnow()
    actor = reauthenticated_person(now)
    kind, document = draft_care_document(read_text(file))
    row = services.publish_document(kind, document, agreement=agreement, actor=actor, now=now)
    click.echo(f"Published {row.name}, version {row.version}: {row.hash}")


@care.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def list_documents(as_json: bool) -> None:
    """List treatment protocols and follow-up schedules of this node and its partners, every version.

    Example: corridor care list
    """
    found = [_summary(each) for each in queries.care_documents(acting_person(utcnow()))]
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False, indent=2))
        return
    for each in found:
        latest = "" if each["latest"] else "  (a later version is here)"
        click.echo(f"{each['hash'][:12]}  {each['kind']}  {each['node']}  {each['name']} {each['version']}{latest}")
    if not found:
        click.echo("No document of care yet. `corridor care publish FILE` shares one.")


@care.command("show")
@click.argument("document", metavar="HASH")
def show(document: str) -> None:
    """Print the document whose hash begins with HASH as it was shared: JSON, of a schedule a FHIR PlanDefinition.

    Example: corridor care show 21f5ae > theirs.json
    """
    click.echo(queries.find_care_document(document, actor=acting_person(utcnow())).content.decode())


_SCHEDULE = click.option("--schedule", required=True, metavar="HASH", help="Hash of the schedule, or its beginning.")
_ON = click.option("--on", type=click.DateTime(["%Y-%m-%d"]), help="The day that is asked about; today without it.")


@care.command("patients")
@click.argument("file", type=click.Path(path_type=Path))
@_SCHEDULE
def patients(file: Path, schedule: str) -> None:
    """Register FILE, this site's patients who are followed up by a schedule; it stays here, encrypted.

    A later file takes the place of the earlier one.

    Example: corridor care patients patients.csv --schedule 69fa
    """
    now = utcnow()
    row = services.register_patients(
        schedule=schedule, source=file.name, frame=read_table(file), actor=acting_person(now), now=now
    )
    click.echo(f"Registered {row.patients} patients. `corridor care worklist {schedule}` lists who is due.")


@care.command("worklist")
@click.argument("schedule", metavar="HASH")
@_ON
@click.option("--ahead", type=click.IntRange(min=0), default=0, metavar="DAYS", help="Also what comes within DAYS.")
@click.option("--group", help="Only this risk group.")
@click.option("--overdue", is_flag=True, help="Only who is overdue.")
@click.option("--out", default="-", metavar="DUE", help="Where to write the list: .csv, .parquet, or - (default).")
def worklist(schedule: str, *, on: datetime | None, ahead: int, group: str | None, overdue: bool, out: str) -> None:
    """List who of the registered patients is overdue and who is due by the schedule with HASH.

    The list names patients by their pseudonyms and stays at the site.

    Example: corridor care worklist 69fa --group standard --overdue --out due.csv
    """
    now = utcnow()
    day = on.date() if on else now.date()
    found = queries.worklist(schedule, on=day, ahead_days=ahead, actor=acting_person(now))
    wanted = [
        each for each in found.due if group in (None, each.group) and (each.standing is Standing.OVERDUE or not overdue)
    ]
    write_table(due_table(wanted, on=day), out if out == "-" else Path(out))
    counts = Counter(each.standing for each in wanted)
    told = ", ".join(f"{each} {counts[each]}" for each in (Standing.OVERDUE, Standing.DUE, Standing.COMING))
    click.echo(told, err=True)


@care.command("freeze")
@click.argument("study_name", metavar="STUDY")
@_SCHEDULE
@_ON
def freeze(study_name: str, schedule: str, on: datetime | None) -> None:
    """Freeze how the registered patients kept a schedule as this site's rows of STUDY.

    STUDY has a protocol as ``corridor care study`` writes it. A steward signs the rows like those of any study.

    Example: corridor care freeze follow-up-2026 --schedule 69fa --on 2026-06-30
    """
    now = utcnow()
    day = on.date() if on else now.date()
    row = services.freeze_adherence(study=study_name, schedule=schedule, on=day, actor=acting_person(now), now=now)
    click.echo(f"Frozen as {row.hash}, {row.rows} patients.")
    click.echo(f"A steward who agrees with the report signs it: `corridor study sign-data {row.hash[:12]}`.")


def _summary(view: queries.CareView) -> dict[str, Any]:
    return {
        "kind": view.document.kind.value,
        "node": view.node,
        "name": view.document.name,
        "version": view.document.version,
        "hash": view.document.hash,
        "title": view.document.title.get("en", next(iter(view.document.title.values()), "")),
        "dated_on": view.document.dated_on.isoformat(),
        "latest": view.is_latest,
        "simulated": view.is_simulated,
    }
