"""``corridor care``: treatment protocols and follow-up care on files; with a node, shared with partners."""

import json
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from corridor.cli.mixed import FilesAndNode

if TYPE_CHECKING:
    from corridor.base.differences import SidePair
    from corridor.pillars.research.rules.care import Expectation, Schedule, Treatment

__all__ = ["care"]


@click.group("care", cls=FilesAndNode)
def care() -> None:
    """Treatment protocols side by side, and who is due for follow-up. Guidance as data, no medical advice."""


@care.command("reference")
@click.argument("name", required=False)
def reference(name: str | None) -> None:
    """Print the reference document NAME in TOML, to compare with or to start from; without NAME, list them.

    Each figure has its source and date. Guidance as data, no medical advice.
    """
    from corridor.pillars.research.reference import reference_names, reference_text

    click.echo("\n".join(reference_names()) if name is None else reference_text(name).rstrip())


_LEFT_WIDTH = 48

_COMPARE = """\b
Example:
  corridor care compare ours.toml theirs.toml --differing
"""


@care.command("compare", epilog=_COMPARE)
@click.argument("left", type=click.Path(path_type=Path))
@click.argument("right", type=click.Path(path_type=Path))
@click.option("--differing", is_flag=True, help="Only what differs.")
@click.option("--json", "as_json", is_flag=True, help="Print the comparison as JSON.")
def compare(left: Path, right: Path, *, differing: bool, as_json: bool) -> None:
    """Lay two treatment protocols, LEFT and RIGHT, side by side; what differs is marked with *.

    Each is TOML, or JSON as ``corridor care show`` prints it.

    Entries of the same id, and drugs of the same name, stand in one line wherever they stand in the files.
    """
    from corridor.base.textfiles import read_text
    from corridor.pillars.research.rules.care import compare_treatments, draft_care_document, read_treatment

    first, second = (read_treatment(draft_care_document(read_text(each))[1]) for each in (left, right))
    pairs = [pair for pair in compare_treatments(first, second) if pair.differs or not differing]
    if as_json:
        click.echo(json.dumps(_as_json(first, second, pairs), ensure_ascii=False, indent=2))
        return
    click.echo("\n".join(_lines(first, second, pairs)))
    click.echo("Guidance as data, to compare and to plan by; no medical advice.", err=True)


_PLAN = """\b
Example:
  corridor care plan schedule.toml --out plan.json
"""


@care.command("plan", epilog=_PLAN)
@click.argument("schedule", type=click.Path(path_type=Path))
@click.option("--out", default="-", metavar="PLAN.json", help="Where to write the plan; - is standard output.")
def plan(schedule: Path, *, out: str) -> None:
    """Write SCHEDULE, a follow-up schedule in TOML, as a FHIR R4 PlanDefinition, to share with others."""
    from corridor.base.textfiles import read_text
    from corridor.pillars.research.rules.care import schedule_from_toml, write_plan_definition

    text = json.dumps(write_plan_definition(schedule_from_toml(read_text(schedule))), ensure_ascii=False, indent=2)
    if out == "-":
        click.echo(text)
    else:
        Path(out).write_text(text + "\n", encoding="utf-8")


_STUDY = """\b
Example:
  corridor care study plan.json --name follow-up-2026 --ends-on 2027-12-31 --authorship "Both centres" \\
    --site nl nl.rotterdam NL "Centre A" --site de de.gbsg DE "Centre B" > follow-up.toml
"""


@care.command("study", epilog=_STUDY)
@click.argument("plan", type=click.Path(path_type=Path))
@click.option("--name", required=True, help="Short name of the study: small letters, digits, dots and dashes.")
@click.option(
    "--site", "sites", nargs=4, multiple=True, required=True, metavar="ID NODE COUNTRY INSTITUTION", help="Once each."
)
@click.option("--ends-on", required=True, type=click.DateTime(["%Y-%m-%d"]), help="After it nothing is computed.")
@click.option("--authorship", required=True, help="Who is an author of what comes of it.")
@click.option("--smallest-cell", type=click.IntRange(min=3, max=100), default=5, show_default=True)
def study(
    plan: Path,
    *,
    name: str,
    sites: tuple[tuple[str, str, str, str], ...],
    ends_on: datetime,
    authorship: str,
    smallest_cell: int,
) -> None:
    """Write the protocol of a joint study in TOML that asks how well PLAN is kept at each site.

    Each site adds its ethics approval where the file says so. Then it is a study like any other (``corridor study``).
    """
    from corridor.base.textfiles import read_text
    from corridor.pillars.research.rules.care import (
        MalformedSchedule,
        StudySite,
        adherence_study,
        draft_care_document,
        read_care_document,
        study_toml,
    )
    from corridor.pillars.research.rules.protocol import draft_protocol

    schedule = read_care_document(*draft_care_document(read_text(plan))).schedule
    if schedule is None:
        raise MalformedSchedule.of_text("the file is a treatment protocol; expected a follow-up schedule")
    members = adherence_study(
        schedule,
        study=name,
        sites=[StudySite(*each) for each in sites],
        ends_on=ends_on.date(),
        authorship=authorship,
        smallest_cell=smallest_cell,
    )
    draft_protocol(members)
    click.echo(study_toml(members).rstrip())


_DUE = """\b
Example:
  corridor care due plan.json --patients patients.csv --on 2026-06-30 --ahead 30 --out due.csv
"""
_PATIENTS = click.option(
    "--patients",
    required=True,
    metavar="PATIENTS",
    help="person, start_on, risk_group, died_on, lost_on and a column of dates for each item: CSV or Parquet.",
)
_ON = click.option("--on", required=True, type=click.DateTime(["%Y-%m-%d"]), help="The day that is asked about.")


@care.command("due", epilog=_DUE)
@click.argument("plan", type=click.Path(path_type=Path))
@_PATIENTS
@_ON
@click.option("--ahead", type=click.IntRange(min=0), default=0, metavar="DAYS", help="Also what comes within DAYS.")
@click.option("--out", default="-", metavar="DUE", help="Where to write the list: .csv, .parquet, or - (default).")
def due(plan: Path, *, patients: str, on: datetime, ahead: int, out: str) -> None:
    """List who is overdue and who is due by PLAN, a PlanDefinition, for the clinicians of this site.

    The list names patients by their pseudonyms and stays at the site. Who died or was lost to follow-up is due for
    nothing.
    """
    from corridor.base.textfiles import write_table
    from corridor.pillars.research.rules.care import Standing, due_list
    from corridor.pillars.research.tables import due_table

    _, expectations = _followed(plan, patients, on.date())
    wanted = due_list(expectations, on=on.date(), ahead_days=ahead)
    write_table(due_table(wanted, on=on.date()), out if out == "-" else Path(out))
    counts = {standing: sum(each.standing is standing for each in wanted) for standing in Standing}
    click.echo(
        f"overdue {counts[Standing.OVERDUE]}, due {counts[Standing.DUE]}, coming {counts[Standing.COMING]}", err=True
    )


_ADHERENCE = """\b
Example:
  corridor care adherence plan.json --patients patients.csv --on 2026-06-30 --out adherence.csv
"""


@care.command("adherence", epilog=_ADHERENCE)
@click.argument("plan", type=click.Path(path_type=Path))
@_PATIENTS
@_ON
@click.option(
    "--smallest-cell",
    type=click.IntRange(min=3, max=100),
    default=5,
    show_default=True,
    help="Nothing is told of fewer persons.",
)
@click.option("--out", default="-", metavar="ADHERENCE", help="Where to write: .csv, .parquet, or - (default).")
def adherence(plan: Path, *, patients: str, on: datetime, smallest_cell: int, out: str) -> None:
    """Count who came in time, by risk group and item of PLAN, in figures that may leave the site.

    Persons are counted, small cells and what would give them away are withheld. Give away the figures of one day, not
    those of two: subtracted from each other they can tell of single patients.
    """
    from corridor.base.textfiles import write_table
    from corridor.pillars.research.rules.care import adherence as adherence_of
    from corridor.pillars.research.rules.disclosure import Policy
    from corridor.pillars.research.tables import adherence_table

    schedule, expectations = _followed(plan, patients, on.date())
    figures = adherence_of(schedule, expectations, policy=Policy(smallest_cell=smallest_cell))
    write_table(adherence_table(figures), out if out == "-" else Path(out))


def _followed(plan: Path, patients: str, on: date) -> "tuple[Schedule, list[Expectation]]":
    from corridor.base.textfiles import read_table, read_text
    from corridor.pillars.research.rules.care import follow, read_plan_definition
    from corridor.pillars.research.tables import read_patients

    schedule = read_plan_definition(read_text(plan))
    return schedule, follow(schedule, read_patients(read_table(patients), schedule=schedule), on=on)


def _as_json(first: "Treatment", second: "Treatment", pairs: "list[SidePair]") -> dict[str, Any]:
    return {
        "left": {"id": first.id, "version": first.version, "hash": first.hash},
        "right": {"id": second.id, "version": second.version, "hash": second.hash},
        "rows": [
            {"path": list(pair.path), "left": pair.left, "right": pair.right, "differs": pair.differs} for pair in pairs
        ],
    }


def _lines(first: "Treatment", second: "Treatment", pairs: "list[SidePair]") -> list[str]:
    rows = [("", "hash", first.hash[:16], second.hash[:16])]
    rows += [
        ("*" if pair.differs else "", " / ".join(pair.path), _word(pair.left), _word(pair.right)) for pair in pairs
    ]
    wide = [max(len(row[place]) for row in rows) for place in range(3)]
    return [
        f"{mark:1} {path:{wide[1]}}  {left:{min(wide[2], _LEFT_WIDTH)}} | {right}".rstrip()
        for mark, path, left, right in rows
    ]


def _word(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)
