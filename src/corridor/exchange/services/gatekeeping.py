"""Bring to the gate what the database knows, read under the lock of the agreement's row in the writing transaction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from functools import lru_cache
from typing import Literal

from django.db.models import F

from corridor.exchange import registry
from corridor.exchange.messages import Message
from corridor.exchange.models import Agreement as AgreementRow
from corridor.exchange.models import ChannelDay, Crossing, Dispute, Partner
from corridor.exchange.queries.lives import signed_with_former_keys
from corridor.exchange.rules import gate, jurisdictions
from corridor.exchange.rules.agreement import Agreement, State, Storage, read_agreement
from corridor.exchange.rules.canonical import parse_canonical
from corridor.exchange.rules.envelope import Header, unpack
from corridor.exchange.rules.gate import GateState
from corridor.exchange.rules.reasons import Reason
from corridor.exchange.services import agreements, counters
from corridor.exchange.services.release import PLAIN, Terms


@dataclass(frozen=True, slots=True)
class Ruling:
    """What the gate says of one envelope, in the words of crossings and receipts.

    Attributes
    ----------
    outcome : {"accepted", "refused", "retry"}
    reason : str
        Empty where it is accepted.
    first_version : str
        The agreement in whose tree it is recorded; empty for the partner's tree.
    channel : ChannelView or None
    is_view_only : bool
        Whether what is accepted may be viewed and not kept: no handler gets it.
    counted_on : date or None
        The last day to which it is counted, for what passed at claiming.
    again_at : datetime or None
        When it may pass, for what waits at claiming because a day is full.
    """

    outcome: Literal["accepted", "refused", "retry"]
    reason: str = ""
    first_version: str = ""
    channel: registry.ChannelView | None = None
    is_view_only: bool = False
    counted_on: date | None = None
    again_at: datetime | None = None

    @classmethod
    def refused(cls, reason: Reason, *, first_version: str = "") -> Ruling:
        """Return a refusal."""
        return cls("refused", reason.value, first_version)

    @property
    def is_allowed(self) -> bool:
        """Whether it may cross."""
        return self.outcome == "accepted"

    @property
    def is_retry(self) -> bool:
        """Whether it shall come again later."""
        return self.outcome == "retry"

    @property
    def refused_reason(self) -> str:
        """The reason of a refusal; empty where it may cross now or later."""
        return self.reason if self.outcome == "refused" else ""


@dataclass(slots=True)
class _Facts:
    """One agreement as locked: its document and what the gate must know, counted on as envelopes pass."""

    row: AgreementRow
    document: Agreement
    state: GateState
    views: Mapping[str, registry.ChannelView]
    passed: Counter[tuple[str, str, date]] = field(default_factory=Counter)
    added: Counter[tuple[str, str, date]] = field(default_factory=Counter)


@lru_cache(maxsize=256)
def document_of(hash_: str, document: bytes) -> Agreement:
    """Return the parsed document; its hash is part of the key, so it is parsed once per process."""
    del hash_
    return read_agreement(document)


@lru_cache(maxsize=256)
def _views(hash_: str, document: bytes, own_id: str) -> Mapping[str, registry.ChannelView]:
    """Return the channels of an agreement as handlers see them, by id."""
    parsed = document_of(hash_, document)
    return {
        raw["id"]: registry.ChannelView(
            agreement=hash_,
            title=parsed.title_in("en"),
            channel=raw,
            partners=tuple(sorted(set(raw["to"]) - {own_id})) if own_id in raw["from"] else (),
        )
        for raw in parse_canonical(document)["channels"]
    }


class Gatekeeper:
    """Judges the envelopes of one transaction; it locks each agreement's row when it first meets it.

    Parameters
    ----------
    own_id : str
    now : datetime
    terms : Terms
        What the release ledger must know of the message that this node sends, beside its body.
    """

    def __init__(self, *, own_id: str, now: datetime, terms: Terms = PLAIN) -> None:
        self._own_id = own_id
        self._now = now
        self._terms = terms
        self._facts: dict[str, _Facts | None] = {}

    def refuse(self, header: Header, reason: Reason) -> Ruling:
        """Return a refusal that is recorded in the right tree."""
        return Ruling.refused(reason, first_version=self._first_version(header))

    def judge_header(self, header: Header) -> Ruling | None:
        """Return a refusal or a retry that the header alone calls for, before a sealed body is opened; else None."""
        if is_control(header):
            return None
        ruling = self._ruling(header, None, stage="header")
        return None if ruling.is_allowed else ruling

    def judge(self, header: Header, message: Message) -> Ruling:
        """Return what the gate says of header and body."""
        return self._control(header) if is_control(header) else self._ruling(header, message, stage="body")

    def _control(self, header: Header) -> Ruling:
        registered = registry.registration(header.schema)
        if registered is None or not registered.is_control:
            return self.refuse(header, Reason.NO_AGREEMENT)
        return Ruling("accepted", first_version=self._first_version(header))

    def judge_again(self, crossing: Crossing, *, keys: Mapping[str, bytes], counted_on: date | None = None) -> Ruling:
        """Return what the gate says, at claiming, of an envelope that it let pass when it was queued.

        Counters and the release ledger know the envelope already; state, trust and clock are looked at anew, and the
        cap of the day for the first time: the receiver counts by the day on which an envelope arrives.

        Parameters
        ----------
        crossing : Crossing
        keys : mapping from thumbprint to public key
        counted_on : date, optional
            The last day to which this envelope is counted already; it is counted to a day once, however often it is
            claimed.
        """
        unpacked = unpack(bytes(crossing.token), keys=keys)
        header = unpacked.header
        if is_control(header):
            return Ruling("accepted", first_version=self._first_version(header))
        message = None
        if unpacked.body is not None:
            kind = registry.message_type(header.schema)
            message = kind.from_bytes(unpacked.body) if kind else None
        days = [day for day in gate.counting_days(self._now) if counted_on is None or day > counted_on]
        ruling = self._ruling(header, message, stage="claim", days=days)
        if ruling.is_allowed:
            return replace(ruling, counted_on=days[-1] if days else counted_on)
        if ruling.reason != Reason.ENVELOPE_CAP:
            return ruling
        return replace(ruling, again_at=gate.counted_no_more_at(self._last_full(header, days)))

    def _last_full(self, header: Header, days: Sequence[date]) -> date:
        """Return the last of `days` on which the channel's cap is reached."""
        facts = self._find(header.agreement)
        channel = facts.document.channel(header.channel) if facts else None
        if facts is None or channel is None:
            return days[-1]
        most = channel.caps.envelopes_per_day
        return max((day for day in days if self._passed(facts, header, day) >= most), default=days[-1])

    def _ruling(
        self,
        header: Header,
        message: Message | None,
        *,
        stage: Literal["header", "body", "claim"],
        days: Sequence[date] | None = None,
    ) -> Ruling:
        facts = self._find(header.agreement)
        if facts is None:
            return Ruling.refused(Reason.NO_AGREEMENT)
        first_version = facts.row.first_version
        # What is queued goes out on a day that nobody knows yet, so the cap of the day is not looked at here.
        is_queued = stage == "body" and header.from_ == self._own_id
        counted = [] if is_queued else [self._now.date()] if days is None else days
        today = max((self._passed(facts, header, day) for day in counted), default=0)
        state = replace(facts.state, envelopes_today=today)
        if message is not None and stage == "body":
            state = counters.complete(
                state, header=header, message=message, document=facts.document, now=self._now, terms=self._terms
            )
        decision = gate.decide(header, message, facts.document, state, jurisdictions.jurisdictions(), self._now)
        waits = decision if isinstance(decision, gate.Retry) else None
        if waits is not None and stage == "body" and header.from_ == self._own_id:
            # Only here, at queueing, are ledger and counters asked: what goes out early is judged as from the start on.
            begun = replace(state, state=State.IN_FORCE)
            at = max(self._now, facts.document.start_at)
            decision = gate.decide(header, message, facts.document, begun, jurisdictions.jurisdictions(), at)
        if isinstance(decision, gate.Refused):
            return Ruling.refused(decision.reason, first_version=first_version)
        if stage != "header" and not isinstance(decision, gate.Retry):
            for day in counted:
                facts.passed[header.channel, header.from_, day] += 1
                facts.added[header.channel, header.from_, day] += 1
        if waits is not None:
            return Ruling("retry", waits.reason.value, first_version)
        is_view_only = facts.document.storage is Storage.VIEW_ONLY
        return Ruling("accepted", "", first_version, facts.views.get(header.channel), is_view_only)

    def note_sent(self, header: Header, message: Message, *, crossing: Crossing) -> None:
        """Count persons and remember released cells of an envelope that was queued, in the same transaction."""
        facts = self._find(header.agreement)
        if facts is not None:
            counters.record(
                header, message, document=facts.document, crossing=crossing, now=self._now, terms=self._terms
            )

    def note_received(self, passed: Sequence[tuple[Header, Message]]) -> None:
        """Count the persons of envelopes that were accepted, with tags under a key of this node's own."""
        for header, message in passed:
            facts = None if is_control(header) else self._find(header.agreement)
            if facts is not None and header.persons:
                counters.record(header, message, document=facts.document, crossing=None, now=self._now)

    def purpose_of(self, agreement: str, channel: str) -> str:
        """Return the purpose that the agreement gives a channel; empty where there is none such."""
        facts = self._find(agreement) if agreement and channel else None
        found = facts.document.channel(channel) if facts else None
        return found.purpose if found else ""

    def is_view_only(self, agreement: str, channel: str) -> bool:
        """Return whether what goes on this channel may be viewed and not kept; control messages name no channel."""
        facts = self._find(agreement) if agreement and channel else None
        return facts is not None and facts.document.storage is Storage.VIEW_ONLY

    def _passed(self, facts: _Facts, header: Header, day: date) -> int:
        """Return how many envelopes of this sender are counted to a day (UTC) of this channel."""
        key = (header.channel, header.from_, day)
        if key not in facts.passed:
            row = ChannelDay.objects.filter(
                agreement_hash=header.agreement, channel=header.channel, from_node=header.from_, on=day
            )
            facts.passed[key] = row.values_list("envelopes", flat=True).first() or 0
        return facts.passed[key]

    def count_passed(self) -> None:
        """Add what passed since the last call to the counts of its days, under the agreements' locks."""
        for hash_, facts in self._facts.items():
            for (channel, from_node, on), number in facts.added.items() if facts else ():
                day = {"agreement_hash": hash_, "channel": channel, "from_node": from_node, "on": on}
                if not ChannelDay.objects.filter(**day).update(envelopes=F("envelopes") + number):
                    ChannelDay.objects.create(**day, envelopes=number)
            if facts:
                facts.added.clear()

    def _first_version(self, header: Header) -> str:
        if not header.agreement:
            return ""
        facts = self._find(header.agreement)
        return facts.row.first_version if facts else ""

    def _find(self, hash_: str) -> _Facts | None:
        if hash_ not in self._facts:
            self._facts[hash_] = self._read(hash_)
        return self._facts[hash_]

    def _read(self, hash_: str) -> _Facts | None:
        row = AgreementRow.objects.select_for_update().filter(hash=hash_).first()
        if row is None:
            return None
        document = document_of(row.hash, bytes(row.document))
        nodes = document.nodes
        closed = Partner.objects.filter(node_id__in=nodes).exclude(state=Partner.State.PINNED)
        disputed = Dispute.objects.filter(
            closed_at__isnull=True, partner__node_id__in=nodes, agreement_hash__in=("", row.first_version)
        )
        state = GateState(
            own_node=self._own_id,
            state=agreements.state_at(row, self._now),
            revoked=frozenset(closed.values_list("node_id", flat=True)) | signed_with_former_keys(row),
            is_disputed=disputed.exists(),
        )
        return _Facts(row, document, state, _views(row.hash, bytes(row.document), self._own_id))


def is_control(header: Header) -> bool:
    """Return whether an envelope passes between pinned peers without an agreement: it names no channel."""
    return header.channel == ""
