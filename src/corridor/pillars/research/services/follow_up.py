"""Register this site's own patients for a schedule, and freeze how they kept it as rows of a study."""

from __future__ import annotations

import uuid
from datetime import date, datetime

import polars as pl
from django.db import transaction

from corridor.accounts.actors import Actor, actor_name
from corridor.accounts.roles import require
from corridor.accounts.transactions import note, write
from corridor.pillars.research.models import CareDocument as CareRow
from corridor.pillars.research.models import FollowedPatients, Snapshot
from corridor.pillars.research.queries.care import UnknownCareDocument, find_care_document
from corridor.pillars.research.queries.follow_up import expected_visits
from corridor.pillars.research.queries.studies import find_study
from corridor.pillars.research.queries.workspace import HOLD
from corridor.pillars.research.rules.care import CareKind
from corridor.pillars.research.services.data import freeze_rows
from corridor.pillars.research.services.row_files import destroy_rows, write_rows
from corridor.pillars.research.tables import SiteMapping, adherence_rows, harmonise, pack_patients, read_patients

__all__ = ["freeze_adherence", "register_patients"]


@write("research.register_patients", subject="schedule")
def register_patients(
    *, schedule: str, source: str, frame: pl.DataFrame, actor: Actor, now: datetime
) -> FollowedPatients:
    """Keep a table of this site's patients, encrypted in the home, to be followed up by a schedule.

    A later table takes the place of the earlier one, whose key is destroyed. Nothing of it leaves the site.

    Parameters
    ----------
    schedule : str
        Hash of the schedule, or its beginning; this node's own or a partner's.
    source : str
        Name of the file.
    frame : polars.DataFrame
        As `tables.read_patients` asks for.

    Raises
    ------
    UnknownCareDocument, PatientColumnMissing, FaultyPatients, NotPermitted
    """
    require(actor, HOLD)
    view = find_care_document(schedule, actor=actor, kind=CareKind.SCHEDULE)
    read = view.document.schedule
    if read is None:
        raise UnknownCareDocument(f"{schedule!r} is no follow-up schedule; `corridor care list` shows them.")
    patients = read_patients(frame, schedule=read)
    document = CareRow.objects.select_for_update().get(node=view.node, hash=view.document.hash)
    known = FollowedPatients.objects.filter(schedule__hash=view.document.hash).first()
    name = uuid.uuid4().hex
    write_rows(name, pack_patients(frame, schedule=read))
    note(document=view.document.hash, rows=len(patients))
    if known is not None:
        former = known.name
        known.delete()
        transaction.on_commit(lambda: destroy_rows(former))
    return FollowedPatients.objects.create(
        schedule=document,
        source=source,
        name=name,
        patients=len(patients),
        registered_by=actor_name(actor),
        registered_at=now,
    )


@write("research.freeze_adherence", subject="study")
def freeze_adherence(*, study: str, schedule: str, on: date, actor: Actor, now: datetime) -> Snapshot:
    """Freeze how the registered patients kept a schedule by a day, as this site's rows of a study.

    From there on it is a study like any other: a steward signs the report, and every count passes disclosure control
    and the ledger of all studies before it leaves.

    Raises
    ------
    UnknownStudy, UnknownCareDocument, NoPatients, ColumnMissing, NotPermitted
    """
    require(actor, HOLD)
    protocol = find_study(study, actor=actor).protocol
    read, expectations = expected_visits(schedule, on=on, actor=actor)
    rows = adherence_rows(read, expectations)
    harmonised = harmonise(rows, protocol=protocol, mapping=SiteMapping())
    source = f"{read.url} {read.version}, {on.isoformat()}"
    return freeze_rows(study=study, harmonised=harmonised, source=source, actor=actor, now=now)
