"""Open a ledger again that a restore closed: two persons let what is kept outside the database be the ledger."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from corridor.accounts.actors import Actor, actor_name
from corridor.accounts.approvals import Outcome, ask
from corridor.accounts.transactions import note, write
from corridor.base.errors import CorridorError, Refused
from corridor.exchange.models import LogTree, Partner
from corridor.exchange.services import log
from corridor.pillars.research.queries.journal import Left, kept
from corridor.pillars.research.queries.ledger import lost_answers
from corridor.pillars.research.queries.row_files import read_rows
from corridor.pillars.research.services.ledger import bring_back, note_what_left
from corridor.pillars.research.services.person_numbers import lock_ledger
from corridor.pillars.research.tables import unpack_snapshot

__all__ = ["REOPEN", "LedgerNotClosed", "NothingComesBack", "ask_to_reopen", "reopen_ledger"]

REOPEN = "research.reopen-ledger"


class LedgerNotClosed(Refused):
    """The ledger knows every answer that left."""

    code: ClassVar[str] = "ledger-not-closed"


class NothingComesBack(Refused):
    """Of none of the answers that the ledger lost can it be found out whom they were about."""

    code: ClassVar[str] = "nothing-comes-back"


def ask_to_reopen(*, reason: str, actor: Actor, now: datetime) -> Outcome:
    """Ask that the answers which the ledger lost are brought back from beside the journal; a second person allows it.

    Raises
    ------
    LedgerNotClosed
    """
    _lost()
    return ask(REOPEN, {"reason": reason}, actor=actor, now=now)


@write("research.reopen_ledger")
def reopen_ledger(*, reason: str, actor: Actor, first: Actor, now: datetime) -> int:
    """Bring back every answer that the journal knows and the database does not; return how many stay lost.

    The journal is the ledger: what left counts for differences, evaluations and budgets again, and the same question
    has the same answer again. While an answer stays lost the ledger stays closed.

    Raises
    ------
    LedgerNotClosed, NothingComesBack
    """
    lock_ledger()
    note_what_left()
    lost = _lost()
    back = [each for each in map(kept, lost) if each is not None and _is_back(each)]
    if not back:
        raise NothingComesBack(
            f"of {len(lost)} answers that left, nothing but the name is here, or the rows that they were about are"
            " not: the ledger stays closed. Freeze the same rows anew (`corridor study data`), or put the folder"
            " research/ of the home back, and ask again."
        )
    note(reason=reason, first=actor_name(first), answers=len(back), lost=len(lost) - len(back))
    partners = {node for each in back for node in each.partners}
    for node in sorted(Partner.objects.filter(node_id__in=partners).values_list("node_id", flat=True)):
        told = log.record(
            "ledger_reopened",
            now=now,
            node=node,
            reason=reason,
            answers=len(back),
            lost=len(lost) - len(back),
            people=[actor_name(first), actor_name(actor)],
        )
        log.append(log.lock_tree(LogTree.Kind.PARTNER, subject=node, now=now), [told])
    return len(lost) - len(back)


def _is_back(left: Left) -> bool:
    """Bring one answer back; tell whether its rows were there to say whom it is about."""
    try:
        table = unpack_snapshot(read_rows(left.rows), expected_hash=left.snapshot)
    except CorridorError:
        return False
    bring_back(left, table=table)
    return True


def _lost() -> list[str]:
    lost = lost_answers()
    if not lost:
        raise LedgerNotClosed("the ledger is open: it knows every answer that left this site.")
    return lost
