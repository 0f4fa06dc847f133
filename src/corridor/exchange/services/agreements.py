"""What parties stated about agreements: stored, replayed into a state, applied on arrival. Sends nothing."""

from __future__ import annotations

from datetime import datetime

from corridor.base.errors import InputFault
from corridor.exchange.messages import AgreementProposal
from corridor.exchange.models import Agreement as AgreementRow
from corridor.exchange.models import AgreementSignature, AgreementStatement, LogTree
from corridor.exchange.queries.lives import (
    NoSuchAgreement,
    channel_view,
    document_of,
    find,
    replay_of,
    state_at,
    statements_of,
)
from corridor.exchange.rules.agreement import (
    AMENDABLE,
    Kind,
    Place,
    State,
    Statement,
    UnsignedStatement,
    parse_statement,
    place_of,
    read_agreement,
    verify_statement,
)
from corridor.exchange.rules.canonical import unb64
from corridor.exchange.rules.reasons import Reason, Refused
from corridor.exchange.rules.versions import UnknownVersion
from corridor.exchange.services import log
from corridor.exchange.services.partners import valid_cards

__all__ = [
    "AmendmentUnfit",
    "NoSuchAgreement",
    "accept_proposal",
    "apply_statement",
    "channel_view",
    "document_of",
    "find",
    "lock",
    "record_statement",
    "refresh",
    "replay_of",
    "state_at",
    "statements_of",
    "store",
    "tick",
]


class AmendmentUnfit(InputFault):
    """An amendment does not fit the agreement that it names."""

    code = "amendment-unfit"


def lock(hash_: str) -> AgreementRow:
    """Return the agreement's row, locked until the transaction ends.

    Raises
    ------
    NoSuchAgreement
    """
    row = AgreementRow.objects.select_for_update().filter(hash=hash_).first()
    if row is None:
        raise NoSuchAgreement(f"no agreement {hash_[:12]}… lies here")
    return row


def store(document: bytes, *, state: State, now: datetime, is_one_person: bool = False) -> AgreementRow:
    """Store an agreement that was drafted here or proposed by a partner, and return its row.

    Raises
    ------
    MalformedAgreement
        If the document is none.
    AmendmentUnfit
        If it names a version to supersede that is not here, or joins other parties.
    """
    agreement = read_agreement(document)
    first_version = agreement.hash
    if agreement.supersedes is not None:
        old = AgreementRow.objects.filter(hash=agreement.supersedes).first()
        if old is None or document_of(old).nodes != agreement.nodes:
            raise AmendmentUnfit(
                f"the amendment supersedes {agreement.supersedes[:12]}…, no agreement of the same parties here. "
                "Draft it from the version in force, or propose a new agreement."
            )
        first_version = old.first_version
    row, _ = AgreementRow.objects.get_or_create(
        hash=agreement.hash,
        defaults={
            "document": document,
            "first_version": first_version,
            "supersedes": agreement.supersedes or "",
            "title": agreement.title_in("en")[:500],
            "state": state,
            "start_at": agreement.start_at,
            "end_at": agreement.end_at,
            "is_one_person": is_one_person,
            "recorded_at": now,
            "state_since_at": now,
        },
    )
    return row


def accept_proposal(message: AgreementProposal, *, from_node: str, now: datetime) -> AgreementRow:
    """Store an agreement that a partner proposes; a repeat changes nothing.

    Raises
    ------
    Refused
        If the document is malformed, does not join the partner and this node, or amends what cannot be amended.
    UnknownVersion
        If the document is of a version that this node does not know.
    """
    try:
        document = unb64(message.document)
        agreement = read_agreement(document)
    except UnknownVersion:
        raise
    except InputFault:
        raise Refused(Reason.MALFORMED) from None
    own = log.own_node().node_id
    if not {own, from_node} <= agreement.nodes:
        raise Refused(Reason.NOT_A_PARTY)
    if agreement.supersedes is not None:
        old = AgreementRow.objects.filter(hash=agreement.supersedes).first()
        if old is None:
            raise Refused(Reason.UNKNOWN_SUBJECT)
        if state_at(old, now) not in AMENDABLE:
            raise Refused(Reason.FORBIDDEN_TRANSITION)
    try:
        row = store(document, state=State.PROPOSED, now=now)
    except AmendmentUnfit:
        raise Refused(Reason.UNKNOWN_SUBJECT) from None
    if row.state == State.DRAFT:
        AgreementRow.objects.filter(hash=row.hash).update(state=State.PROPOSED, state_since_at=now)
    log.append(
        log.lock_tree(LogTree.Kind.AGREEMENT, subject=row.first_version, now=now),
        [log.record("proposal", now=now, agreement=row.hash, by=from_node)],
    )
    return row


def apply_statement(signed: bytes, *, from_node: str, now: datetime) -> State:
    """Apply a statement that a partner signed, and return the state after it.

    A statement that came before its predecessor is kept and takes effect in its turn; a suspension or termination
    takes effect at once.

    Raises
    ------
    Refused
        If the statement is malformed, not signed by a party's agreement key, forks the party's history, is about an
        agreement unknown here, or is forbidden by the state, which then stays as it is.
    UnknownVersion
        If the statement is of a version that this node does not know.
    """
    try:
        statement = parse_statement(signed)
    except UnknownVersion:
        raise
    except InputFault:
        raise Refused(Reason.MALFORMED) from None
    row = AgreementRow.objects.select_for_update().filter(hash=statement.agreement).first()
    if row is None or row.state == State.DRAFT:
        raise Refused(Reason.UNKNOWN_SUBJECT)
    if statement.party != from_node or statement.party not in document_of(row).nodes:
        raise Refused(Reason.NOT_A_PARTY)
    _check_signed(row, statement)
    place = place_of(statement, known=statements_of(row, statement.party))
    if place is Place.FORK:
        raise Refused(Reason.STATEMENT_FORKED)
    if place is not Place.REPEAT:
        record_statement(row, statement, now=now)
        if statement.hash in replay_of(row).forbidden:
            raise Refused(Reason.FORBIDDEN_TRANSITION)
    return refresh(row, now=now)


def record_statement(row: AgreementRow, statement: Statement, *, now: datetime) -> None:
    """Store a statement with its log leaf; a signature of the document is kept as such too."""
    AgreementStatement.objects.create(
        agreement=row,
        node_id=statement.party,
        sequence=statement.sequence,
        previous=statement.previous,
        kind=statement.kind,
        signed=statement.signed,
        stated_at=statement.stated_at,
        recorded_at=now,
    )
    if statement.kind is Kind.SIGNATURE:
        AgreementSignature.objects.get_or_create(
            agreement=row,
            node_id=statement.party,
            defaults={"signed": statement.signed, "signed_at": statement.stated_at},
        )
    log.append(
        log.lock_tree(LogTree.Kind.AGREEMENT, subject=row.first_version, now=now),
        [
            log.record(
                "statement",
                now=now,
                agreement=row.hash,
                party=statement.party,
                sequence=statement.sequence,
                statement=statement.hash,
                stated=statement.kind.value,
            )
        ],
    )


def refresh(row: AgreementRow, *, now: datetime) -> State:
    """Write the state at `now` into the row, for lists and the strip, and return it."""
    life = replay_of(row).life
    state = life.state(now)
    changed = {
        "state": state.value,
        "suspended_by": sorted(life.suspended_by),
        "opened_until_at": life.opened_until_at,
    }
    if state.value != row.state:
        changed["state_since_at"] = now
    for name, value in changed.items():
        setattr(row, name, value)
    row.save(update_fields=list(changed))
    if row.supersedes and state in (State.IN_FORCE, State.DORMANT):
        old = AgreementRow.objects.filter(hash=row.supersedes).exclude(state=State.SUPERSEDED).first()
        if old is not None:
            refresh(old, now=now)
    return state


def tick(*, now: datetime) -> int:
    """Bring every row's state up to the clock (start, end, the closing of an annex); return how many changed.

    The gate never relies on this: it replays. Lists and the strip do.
    """
    open_states = [state.value for state in State if state not in (State.DRAFT, State.EXPIRED, State.TERMINATED)]
    changed = 0
    for row in AgreementRow.objects.filter(state__in=open_states).exclude(state=State.SUPERSEDED):
        if state_at(row, now) != row.state:
            refresh(row, now=now)
            changed += 1
    return changed


def _check_signed(row: AgreementRow, statement: Statement) -> None:
    """Raise unless one of the party's cards that count now signed the statement."""
    for card in reversed(valid_cards(statement.party)):
        try:
            verify_statement(statement, public=card.keys.agreement, document=bytes(row.document))
        except UnsignedStatement:
            continue
        return
    raise Refused(Reason.BAD_SIGNATURE)
