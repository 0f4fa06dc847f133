"""The rows of this site: harmonised by a mapping, frozen as an encrypted file, signed by a steward."""

import uuid
from dataclasses import asdict
from datetime import datetime
from typing import ClassVar

from corridor.accounts.actors import Actor, actor_name
from corridor.accounts.roles import require
from corridor.accounts.transactions import note, write
from corridor.base.errors import WrongUsage
from corridor.pillars.research.messages import SiteReady, StudyMessage
from corridor.pillars.research.models import SiteData, SiteState, Snapshot, Study
from corridor.pillars.research.queries.studies import UnknownStudy, current_protocol
from corridor.pillars.research.queries.workspace import HOLD
from corridor.pillars.research.services.corrections import former_snapshots, refuse_few_corrections, rows_of
from corridor.pillars.research.services.person_numbers import keep_numbers, lock_ledger, number_persons
from corridor.pillars.research.services.row_files import write_rows
from corridor.pillars.research.services.sending import send_act
from corridor.pillars.research.tables import Harmonised, pack_snapshot, snapshot_hash

__all__ = ["HOLD", "NoSuchSnapshot", "freeze_rows", "sign_snapshot"]

_SOURCE_LETTERS = 300


class NoSuchSnapshot(WrongUsage):
    """No frozen rows of that hash are here."""

    code: ClassVar[str] = "no-such-snapshot"


@write("research.freeze_rows", subject="study")
def freeze_rows(
    *,
    study: str,
    harmonised: Harmonised,
    source: str,
    actor: Actor,
    now: datetime,
    mapping: str = "",
    query: str = "",
) -> Snapshot:
    """Store harmonised rows as an encrypted file of the home; the same rows again are the same snapshot.

    Nothing is computed on them before `sign_snapshot`.

    Parameters
    ----------
    source : str
        Name of the file, or of the connection to a database; never its URL. It is kept with `mapping` and `query`, so
        that the site knows later where its rows came from.
    mapping : str
        How columns became variables, as TOML.
    query : str
        The query that gave the rows, where they came from a database.

    Raises
    ------
    UnknownStudy, NotPermitted
    """
    require(actor, HOLD)
    row = _study(study)
    SiteData.objects.update_or_create(
        study=row,
        defaults={
            "source": source[:_SOURCE_LETTERS],
            "mapping": mapping,
            "query": query,
            "registered_by": actor_name(actor),
            "registered_at": now,
        },
    )
    digest = snapshot_hash(harmonised.table)
    note(snapshot=digest, rows=harmonised.report.kept)
    # Here and not at the first answer, which has a partner waiting for it.
    lock_ledger()
    numbers = number_persons(harmonised.table)
    known = Snapshot.objects.filter(study=row, hash=digest).first()
    # Rows are in no backup: after one was put back elsewhere, or a file was damaged, they are written anew, under the
    # hash that was signed.
    name = uuid.uuid4().hex if known is None else known.name
    write_rows(name, pack_snapshot(harmonised.table))
    keep_numbers(name, numbers)
    return known or Snapshot.objects.create(
        study=row,
        hash=digest,
        protocol=current_protocol(row).hash,
        name=name,
        rows=harmonised.report.kept,
        persons=harmonised.report.persons,
        report=asdict(harmonised.report),
        made_at=now,
        made_by=actor_name(actor),
    )


@write("research.sign_snapshot", subject="snapshot")
def sign_snapshot(*, snapshot: str, actor: Actor, now: datetime) -> Snapshot:
    """Sign the report on frozen rows: from here on analyses run on them; the other sites learn their hash.

    Raises
    ------
    NoSuchSnapshot, StudyNotOpen, NotPermitted
    FewCorrections
        If they correct so few persons of rows of which numbers left that the same numbers would give these away.
    RowsGone
        If the rows that they would follow cannot be read any more, and so not be compared.
    """
    require(actor, HOLD)
    found = list(Snapshot.objects.select_related("study").filter(hash__startswith=snapshot)[:2]) if snapshot else []
    if len(found) != 1:
        raise NoSuchSnapshot(
            f"{'no' if not found else 'more than one'} snapshot has a hash that begins with {snapshot!r};"
            " `corridor study data STUDY` makes one."
        )
    (row,) = found
    lock_ledger()
    for former in former_snapshots(row):
        refuse_few_corrections(rows_of(row), rows_of(former), snapshot=row, after=former)
    row.signed_at, row.signed_by = now, actor_name(actor)
    row.save(update_fields=["signed_at", "signed_by"])
    study = row.study
    SiteState.objects.filter(study=study, site=study.own_site).update(snapshot=row.hash)
    protocol = current_protocol(study)
    act = StudyMessage(
        study=study.name,
        protocol=protocol.hash,
        stated_at=now,
        simulated=protocol.simulated,
        ready=SiteReady(snapshot=row.hash),
    )
    send_act(act, study=study, protocol=protocol, actor=actor, now=now)
    return row


def _study(name: str) -> Study:
    row = Study.objects.filter(name=name).first()
    if row is None:
        raise UnknownStudy(f"there is no study {name!r} here; `corridor study list` shows them.")
    return row
