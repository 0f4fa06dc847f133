"""The life of each agreement, read from the database: its document, its replayed statements, its state at a moment."""

from __future__ import annotations

import base64
import json
from datetime import datetime
from functools import lru_cache

from django.utils.translation import get_language

from corridor.base.errors import InputFault
from corridor.exchange.models import Agreement as AgreementRow
from corridor.exchange.models import AgreementSignature, AgreementStatement, CardVersion, Crossing
from corridor.exchange.registry import ChannelView, registration
from corridor.exchange.rules.agreement import (
    Agreement,
    Channel,
    Recorded,
    Replay,
    State,
    Statement,
    UnsignedStatement,
    channel_members,
    parse_statement,
    read_agreement,
    replay,
    verify_statement,
)
from corridor.exchange.rules.canonical import unb64
from corridor.exchange.rules.card import chain_of
from corridor.exchange.rules.reasons import Reason


class NoSuchAgreement(InputFault):
    """No agreement of that hash lies here."""

    code = "no-such-agreement"


@lru_cache(maxsize=256)
def _document(hash_: str, document: bytes) -> Agreement:
    del hash_  # the key under which the parsed document is found again
    return read_agreement(document)


def document_of(row: AgreementRow) -> Agreement:
    """Return the parsed document of `row`."""
    return _document(row.hash, bytes(row.document))


def find(hash_: str) -> AgreementRow:
    """Return the agreement whose hash begins with `hash_` (at least 6 digits).

    Raises
    ------
    NoSuchAgreement
        If none or more than one does.
    """
    rows = list(AgreementRow.objects.filter(hash__startswith=hash_)[:2]) if len(hash_) >= 6 else []
    if len(rows) != 1:
        found = "more than one" if rows else "none"
        raise NoSuchAgreement(
            f"expected the hash of one agreement (6 digits or more), found {found} for {hash_!r}. "
            "`corridor agreement list` shows the hashes."
        )
    return rows[0]


def signed_with_former_keys(row: AgreementRow) -> frozenset[str]:
    """Return the parties that lost all their keys since they signed: nothing crosses to or from them under it.

    They were pinned anew, and the signature is by a chain of cards that no longer counts.
    """
    nodes = document_of(row).nodes
    # Hardly any node is ever pinned anew, and then no signature need be verified.
    renewed = CardVersion.objects.filter(node_id__in=nodes, chain__gt=1).values_list("node_id", flat=True)
    return frozenset(node for node in set(renewed) if not _is_signed_by_present_chain(row, node))


def _is_signed_by_present_chain(row: AgreementRow, node: str) -> bool:
    signed = AgreementSignature.objects.filter(agreement=row, node_id=node).values_list("signed", flat=True).first()
    if signed is None:
        return True
    newest = CardVersion.objects.filter(node_id=node).order_by("-chain").values("chain")[:1]
    rows = CardVersion.objects.filter(node_id=node, chain=newest).order_by("serial").values_list("signed", flat=True)
    statement = parse_statement(bytes(signed))
    for card in chain_of([bytes(each) for each in rows]):
        try:
            verify_statement(statement, public=card.keys.agreement, document=bytes(row.document))
        except UnsignedStatement:
            continue
        return True
    return False


def replay_of(row: AgreementRow) -> Replay:
    """Return the life of an agreement, replayed from every statement that this node recorded."""
    records = [
        Recorded(parse_statement(bytes(signed)), recorded_at)
        for signed, recorded_at in AgreementStatement.objects.filter(agreement=row)
        .order_by("pk")
        .values_list("signed", "recorded_at")
    ]
    found = _replay(row, records)
    if not found.waiting:
        return found
    # Only a gap makes it worth looking for numbers that refused statements used up.
    refused = _refused_statements(row, known={record.statement.hash for record in records})
    return _replay(row, sorted([*records, *refused], key=lambda record: record.recorded_at)) if refused else found


def _replay(row: AgreementRow, records: list[Recorded]) -> Replay:
    return replay(
        document_of(row),
        records,
        is_proposed=row.state != State.DRAFT,
        superseded_at=_superseded_at(row),
    )


def state_at(row: AgreementRow, now: datetime) -> State:
    """Return the state of an agreement at `now`."""
    return replay_of(row).life.state(now)


def unknown_messages(document: Agreement, *, own: str) -> tuple[str, ...]:
    """Return the messages of the channels that name this node, in a version that it does not know; sorted."""
    named = {channel.message for channel in document.channels if own in channel.senders | channel.receivers}
    return tuple(sorted(schema for schema in named if registration(schema) is None))


def ended_at(row: AgreementRow, now: datetime) -> datetime | None:
    """Return when an agreement ended with all its amendments; None while a version that all parties signed lives."""
    ends = []
    for version in AgreementRow.objects.filter(first_version=row.first_version).exclude(state=State.DRAFT):
        life = replay_of(version).life
        if life.complete_at is None:
            continue
        match life.state(now):
            case State.TERMINATED:
                ends.append(life.ends_at or now)
            case State.EXPIRED:
                ends.append(document_of(version).end_at)
            case State.SUPERSEDED:
                pass
            case _:
                return None
    return max(ends, default=None)


def channel_view(document: Agreement, channel: Channel, *, own: str) -> ChannelView:
    """Return a channel as pillars see it, with the partners to which this node may send on it."""
    return ChannelView(
        agreement=document.hash,
        title=document.title_in(get_language() or "en"),
        channel=channel_members(channel),
        partners=tuple(sorted(channel.receivers - {own})) if own in channel.senders else (),
    )


def statements_of(row: AgreementRow, party: str) -> list[Statement]:
    """Return a party's statements about an agreement in their sequence."""
    rows = AgreementStatement.objects.filter(agreement=row, node_id=party).order_by("sequence")
    known = [parse_statement(bytes(signed)) for signed in rows.values_list("signed", flat=True)]
    hashes = {statement.hash for statement in known}
    refused = [record.statement for record in _refused_statements(row, known=hashes) if record.statement.party == party]
    return sorted([*known, *refused], key=lambda statement: statement.sequence)


def _superseded_at(row: AgreementRow) -> datetime | None:
    """Return when an amendment that all parties signed took the place of `row`."""
    moments = []
    for amendment in AgreementRow.objects.filter(supersedes=row.hash).exclude(state=State.DRAFT):
        life = replay_of(amendment).life
        if life.complete_at is not None:
            moments.append(max(life.complete_at, amendment.start_at))
    return min(moments, default=None)


def _refused_statements(row: AgreementRow, *, known: set[str]) -> list[Recorded]:
    """Return statements that the state forbade when they came.

    Their effect was refused, but their number in the party's sequence is used up: without them every later statement of
    that party would wait for ever. They are read from the refused envelopes, which are never pruned.
    """
    rows = Crossing.objects.filter(
        direction=Crossing.Direction.IN, agreement_hash=row.hash, reason=Reason.FORBIDDEN_TRANSITION
    )
    records = []
    for token, recorded_at in rows.order_by("pk").values_list("token", "recorded_at"):
        statement = _statement_in(bytes(token))
        if statement is not None and statement.hash not in known:
            known.add(statement.hash)
            records.append(Recorded(statement, recorded_at))
    return records


def _statement_in(token: bytes) -> Statement | None:
    """Return the statement in a stored envelope, whose signature was verified when it came."""
    payload = token.split(b".")[1]
    body = json.loads(json.loads(base64.urlsafe_b64decode(payload + b"=" * (-len(payload) % 4)))["body"])
    spelled = body.get("statement") or body.get("signature")
    return parse_statement(unb64(spelled)) if spelled else None
