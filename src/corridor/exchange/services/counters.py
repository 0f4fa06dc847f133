"""The database side of the export counters: whom a body concerns, how many that makes this year, and writing it down.

A counter's row is its lock: it is taken before anything is counted and held until the transaction ends, so that two
envelopes racing at one below a limit are counted one after the other. The key of the tags lies in the home's key
store, apart from the database; without it nobody can tell from the tags who was counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256

from corridor.accounts.actors import System
from corridor.accounts.transactions import note, write
from corridor.exchange import keystore
from corridor.exchange.messages import Message
from corridor.exchange.models import Agreement as AgreementRow
from corridor.exchange.models import Crossing, ExportCounter, ExportedPerson, Node
from corridor.exchange.rules import counters as rules
from corridor.exchange.rules.agreement import Agreement
from corridor.exchange.rules.counters import CounterKey
from corridor.exchange.rules.envelope import Header
from corridor.exchange.rules.gate import GateState
from corridor.exchange.rules.jurisdictions import Jurisdiction, jurisdictions
from corridor.exchange.services import release

_CHANNEL = "channel"


@dataclass(frozen=True, slots=True)
class _Touched:
    """One counter that a body touches, its row locked, with the tags of the body's persons under its key."""

    row: ExportCounter
    tags: frozenset[bytes]
    is_closed: bool

    def persons_after(self) -> int:
        """Return the distinct persons of the year, those of the body included."""
        known = ExportedPerson.objects.filter(counter=self.row, tag__in=self.tags).count()
        return self.row.persons + len(self.tags) - known


def complete(state: GateState, *, header: Header, message: Message, document: Agreement, now: datetime) -> GateState:
    """Return `state` with what the counters and the release ledger say about `message`; writes empty counters at most.

    The numbers include the persons of the body. Judging one envelope again counts nobody twice.
    """
    if header.from_ == state.own_node:
        whole = release.is_whole(message, header=header)
        told = release.unreleasable(message, header=header) if whole else 0
        state = replace(state, unreleasable=told, is_ledger_whole=whole)
    if not _concerns_persons(message):
        return state
    touched = _touch(header, message, document=document, own=state.own_node, now=now)
    channel = _touch_channel(header, message, own=state.own_node, now=now)
    return replace(
        state,
        channel_persons=channel.persons_after(),
        counted={key: each.persons_after() for key, each in touched.items()},
        closed_counters=frozenset(key for key, each in touched.items() if each.is_closed),
    )


def record(header: Header, message: Message, *, document: Agreement, crossing: Crossing | None, now: datetime) -> None:
    """Enter a body that crosses into counters and release ledger, in the transaction of its outbox or inbox row.

    Parameters
    ----------
    crossing : Crossing or None
        The outbound row, whose figures enter the release ledger; None for what is received: its persons are counted
        again here, with keys of this node's own, and its figures are the sender's to keep account of.
    """
    if crossing is not None:
        release.record(message, header=header, crossing=crossing)
    if not _concerns_persons(message):
        return
    own = header.from_ if crossing is not None else header.to
    touched = [*_touch(header, message, document=document, own=own, now=now).values()]
    for each in (*touched, _touch_channel(header, message, own=own, now=now)):
        _insert(each)


def retire(*, actor: System, now: datetime) -> int:
    """Destroy keys and tags of years that are over everywhere; totals stay. Return how many counters that were."""
    # A day later the year is over west of Greenwich too.
    year = (now - timedelta(days=1)).year
    if not ExportedPerson.objects.filter(counter__year__lt=year).exists():
        return 0
    return _retire(year, actor=actor, now=now)


@write("exchange.retire_counters", subject="year")
def _retire(year: int, *, actor: System, now: datetime) -> int:
    del actor, now
    retired = ExportCounter.objects.filter(year__lt=year, exported_persons__isnull=False).distinct()
    names = [_key_name(row) for row in retired]
    ExportedPerson.objects.filter(counter__year__lt=year).delete()
    for name in names:
        keystore.destroy_body_key(keystore.home(), name)
    note(counters=len(names))
    return len(names)


def _concerns_persons(message: Message) -> bool:
    return message.persons() > 0


def _touch(
    header: Header, message: Message, *, document: Agreement, own: str, now: datetime
) -> Mapping[CounterKey, _Touched]:
    party = document.party(header.from_)
    jurisdiction = jurisdictions().get(party.country) if party else None
    if jurisdiction is None:
        return {}
    keys = rules.counters_for(message.computed_class(), jurisdiction=jurisdiction, year=jurisdiction.year(now))
    return {
        key: _lock(
            rule=key.name,
            year=key.year,
            sensitivity=key.sensitivity,
            direction=_direction(header, own),
            limit=_lowest_limit(key, jurisdiction),
            header=header,
            message=message,
        )
        for key in keys
    }


def _touch_channel(header: Header, message: Message, *, own: str, now: datetime) -> _Touched:
    return _lock(
        rule=channel_rule(header.agreement, header.channel, sender=header.from_),
        year=now.year,
        sensitivity=_CHANNEL,
        direction=_direction(header, own),
        limit=None,
        header=header,
        message=message,
    )


def channel_rule(agreement: str, channel: str, *, sender: str) -> str:
    """Return the name of the counter of one sender's persons on one channel; amendments go on in the same counter."""
    first = AgreementRow.objects.filter(hash=agreement).values_list("first_version", flat=True).first() or agreement
    return f"{_CHANNEL}:{sha256(f'{first}|{channel}|{sender}'.encode()).hexdigest()[:32]}"


def _lock(
    *,
    rule: str,
    year: int,
    sensitivity: str,
    direction: str,
    limit: int | None,
    header: Header,
    message: Message,
) -> _Touched:
    fresh, is_fresh = ExportCounter.objects.get_or_create(
        rule=rule, year=year, sensitivity=sensitivity, direction=direction, defaults={"limit": limit}
    )
    if is_fresh and _was_lost(fresh):
        ExportCounter.objects.filter(pk=fresh.pk).update(is_closed=True)
    row = ExportCounter.objects.select_for_update().get(
        rule=rule, year=year, sensitivity=sensitivity, direction=direction
    )
    key = _year_key(row)
    if key is None:
        return _Touched(row, frozenset(), is_closed=True)
    return _Touched(row, frozenset(_tags(header, message, key=key)), is_closed=row.is_closed)


def _was_lost(row: ExportCounter) -> bool:
    """Return whether a counter that the database does not know was in use before a backup was put back.

    Its key lies outside the database, and outlived it.
    """
    node = Node.objects.get()
    made_at = keystore.body_key_made_at(keystore.home(), _key_name(row)) if node.epoch > 1 else None
    return made_at is not None and made_at < node.state_since_at


def _tags(header: Header, message: Message, *, key: bytes) -> Iterable[bytes]:
    """Return one tag per person; who has no stable identifier is a new person of this very envelope."""
    identified = {rules.tag(identifier, key=key) for identifier in message.person_identifiers()}
    yield from identified
    for number in range(message.persons() - len(identified)):
        yield rules.tag(f"{header.from_} {header.id} {number}", key=key)


def _year_key(row: ExportCounter) -> bytes | None:
    """Return the counter's key, made at its first use; None if it was lost: a new one would count everybody again."""
    home, name = keystore.home(), _key_name(row)
    try:
        return keystore.body_key(home, name)
    except keystore.KeysUnreadable:
        if row.persons:
            ExportCounter.objects.filter(pk=row.pk).update(is_closed=True)
            return None
        return keystore.make_body_key(home, name)


def _key_name(row: ExportCounter) -> str:
    place = row.rule.replace(":", "-").replace(" ", "_")
    return f"counter-{row.direction}-{place}-{row.year}"


def _insert(touched: _Touched) -> None:
    known = {
        bytes(tag)
        for tag in ExportedPerson.objects.filter(counter=touched.row, tag__in=touched.tags).values_list(
            "tag", flat=True
        )
    }
    fresh = sorted(touched.tags - known)
    ExportedPerson.objects.bulk_create([ExportedPerson(counter=touched.row, tag=tag) for tag in fresh])
    ExportCounter.objects.filter(pk=touched.row.pk).update(persons=touched.row.persons + len(fresh))


def _direction(header: Header, own: str) -> str:
    return "out" if header.from_ == own else "in"


def _lowest_limit(key: CounterKey, jurisdiction: Jurisdiction) -> int | None:
    limits = rules.limits_for(key, jurisdiction=jurisdiction)
    return limits[0].limit if limits else None
