"""``corridor care``, the part that needs a node: publish documents of care, list them, and take one out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from corridor.accounts.commands import acting_person, reauthenticated_person
from corridor.base.clock import utcnow
from corridor.base.textfiles import read_text
from corridor.pillars.research import queries, services
from corridor.pillars.research.rules.care import draft_care_document

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
