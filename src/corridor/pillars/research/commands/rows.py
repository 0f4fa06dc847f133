"""``corridor study data`` and ``sign-data``: the rows of this site for a study."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from corridor.accounts.commands import acting_person, reauthenticated_person
from corridor.base.clock import utcnow
from corridor.base.textfiles import read_table, read_text
from corridor.pillars.research import queries, services
from corridor.pillars.research.tables import HarmonisationReport, SiteMapping, harmonise, load_site_mapping

__all__ = ["data", "sign_data"]


@click.command("data")
@click.argument("study_name", metavar="STUDY")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--map", "mapping", type=click.Path(path_type=Path), metavar="MAP.toml", help="How columns become variables."
)
@click.option(
    "--query",
    type=click.Path(path_type=Path),
    metavar="QUERY.sql",
    help="Read a database: FILE is then env:NAME or file:PATH, which holds its URL.",
)
@click.option("--dry-run", is_flag=True, help="Print the report and freeze nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def data(
    study_name: str, file: Path, mapping: Path | None, query: Path | None, *, dry_run: bool, as_json: bool
) -> None:
    """Bring the rows of FILE into the variables of STUDY, print the report, and freeze them for signing.

    FILE is CSV, Parquet or an export of REDCap, or with --query the name of a connection to PostgreSQL or SQLite.

    Example: corridor study data breast-hormone cohort.csv --map columns.toml
    """
    now = utcnow()
    actor = acting_person(now)
    protocol = queries.find_study(study_name, actor=actor).protocol
    mapped = read_text(mapping) if mapping else ""
    rules = load_site_mapping(mapped, variables=[each.name for each in protocol.variables]) if mapped else SiteMapping()
    asked = read_text(query) if query else ""
    rows = services.read_database(str(file), asked) if query else read_table(file)
    harmonised = harmonise(rows, protocol=protocol, mapping=rules)
    frozen = None
    if not dry_run:
        source = str(file) if query else file.name
        frozen = services.freeze_rows(
            study=study_name,
            harmonised=harmonised,
            source=source,
            mapping=mapped,
            query=asked,
            actor=actor,
            now=now,
        )
    if as_json:
        told = {"snapshot": frozen.hash if frozen else None, "report": asdict(harmonised.report)}
        click.echo(json.dumps(told, ensure_ascii=False, indent=2))
        return
    click.echo("\n".join(_lines(harmonised.report)))
    if frozen is not None:
        click.echo(f"Frozen as {frozen.hash}")
        click.echo(f"A steward who agrees with the report signs it: `corridor study sign-data {frozen.hash[:12]}`.")


@click.command("sign-data")
@click.argument("snapshot", metavar="SNAPSHOT")
def sign_data(snapshot: str) -> None:
    """Sign the report on frozen rows: analyses run on them from here on, and the other sites learn their hash.

    Example: corridor study sign-data 51c2e0
    """
    now = utcnow()
    row = services.sign_snapshot(snapshot=snapshot, actor=reauthenticated_person(now), now=now)
    click.echo(f"Signed: analyses of {row.study.name} run on {row.hash[:12]}, {row.rows} rows.")


def _lines(report: HarmonisationReport) -> list[str]:
    lines = [f"{report.rows} rows read, {report.kept} kept, {report.persons} patients"]
    for each in report.variables:
        line = f"  {each.name} from {each.source}: {each.filled} filled, {each.missing} missing"
        line += f", {each.unreadable} unreadable" if each.unreadable else ""
        line += f", {each.out_of_range} out of range" if each.out_of_range else ""
        line += f", {sum(count for _, count in each.unmapped)} without a code" if each.unmapped else ""
        line += f"; first in rows {', '.join(map(str, each.first_rows))}" if each.first_rows else ""
        lines.append(line)
    lines += [
        f"  check {check.code} ({', '.join(check.variables)}): {check.rows} rows"
        for check in report.checks
        if check.rows
    ]
    return lines
