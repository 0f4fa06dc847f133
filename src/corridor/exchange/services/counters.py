"""The database side of the export counters: whom a body concerns, how many that makes this year, and writing it down.

After a restore the counters of what was sent are closed until partners have returned it; then they hold at least as
many persons as before. What was received is counted again as partners send it again.

A counter's row is its lock: it is taken before anything is counted and held until the transaction ends, so that two
envelopes racing at one below a limit are counted one after the other. The key of the tags lies in the home's key
store, apart from the database; without it nobody can tell from the tags who was counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from django.utils.translation import gettext as _

from corridor.accounts.actors import Actor, System, actor_name
from corridor.accounts.approvals import Outcome, ask, isolated, register_approval
from corridor.accounts.transactions import note, write
from corridor.base.errors import InputFault, Refused
from corridor.exchange import keystore
from corridor.exchange.messages import Message
from corridor.exchange.models import Agreement as AgreementRow
from corridor.exchange.models import Crossing, ExportCounter, ExportedPerson, Node, Partner
from corridor.exchange.rules import counters as rules
from corridor.exchange.rules.agreement import Agreement
from corridor.exchange.rules.classes import DataClass
from corridor.exchange.rules.counters import CounterKey
from corridor.exchange.rules.envelope import Header
from corridor.exchange.rules.gate import GateState
from corridor.exchange.rules.jurisdictions import Jurisdiction, jurisdictions
from corridor.exchange.services import release
from corridor.exchange.services.release import PLAIN, Terms

REOPEN = "exchange.reopen-counter"
_CHANNEL = "channel"
_OUT = "out"


class NotClosed(Refused):
    """The counter is not closed, or partners still have to return what they hold."""

    code = "counter-not-closed"


class TooFew(InputFault):
    """Fewer persons are stated than the counter has counted."""

    code = "too-few-persons"


@dataclass(frozen=True, slots=True)
class _Persons:
    """Whom a body concerns: how many, of which class of data, and the identifiers of those who have a stable one."""

    number: int
    data_class: DataClass
    identifiers: Sequence[str]


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


def complete(
    state: GateState, *, header: Header, message: Message, document: Agreement, now: datetime, terms: Terms = PLAIN
) -> GateState:
    """Return `state` with what the counters and the release ledger say about `message`; writes empty counters at most.

    The numbers include the persons of the body. Judging one envelope again counts nobody twice.
    """
    if header.from_ == state.own_node:
        whole = release.is_whole(message, header=header, terms=terms)
        told = release.unreleasable(message, header=header, terms=terms) if whole else 0
        state = replace(state, unreleasable=told, is_ledger_whole=whole)
    persons = _persons(message)
    if not persons.number:
        return state
    touched = _touch(header, persons, country=_country(document, header), own=state.own_node, now=now)
    channel = _touch_channel(header, persons, own=state.own_node, now=now)
    return replace(
        state,
        channel_persons=channel.persons_after(),
        counted={key: each.persons_after() for key, each in touched.items()},
        closed_counters=frozenset(key for key, each in touched.items() if each.is_closed),
    )


def record(
    header: Header,
    message: Message,
    *,
    document: Agreement,
    crossing: Crossing | None,
    now: datetime,
    terms: Terms = PLAIN,
) -> None:
    """Enter a body that crosses into counters and release ledger, in the transaction of its outbox or inbox row.

    Parameters
    ----------
    crossing : Crossing or None
        The outbound row, whose figures enter the release ledger; None for what is received: its persons are counted
        again here, with keys of this node's own, and its figures are the sender's to keep account of.
    terms : Terms
        What the release ledger must know beside the body.
    """
    if crossing is not None:
        release.record(message, header=header, crossing=crossing, terms=terms)
    own = header.from_ if crossing is not None else header.to
    _count(header, _persons(message), country=_country(document, header), own=own, now=now)


def take_back(header: Header, message: Message | None) -> None:
    """Count again the persons of an envelope of this node's own that a partner returned after a restore.

    Parameters
    ----------
    message : Message or None
        None for a sealed body, which only the partner can open: each of its persons then counts as a new one, so that
        the counter can come out too high and never too low.
    """
    found = _Persons(header.persons, header.data_class, ()) if message is None else _persons(message)
    country = Node.objects.values_list("country", flat=True).get()
    _count(header, found, country=country, own=header.from_, now=header.created_at)


def _count(header: Header, persons: _Persons, *, country: str, own: str, now: datetime) -> None:
    if not persons.number:
        return
    touched = [*_touch(header, persons, country=country, own=own, now=now).values()]
    for each in (*touched, _touch_channel(header, persons, own=own, now=now)):
        _insert(each)


def close_sent() -> None:
    """Close the counters of what was sent: a backup was put back that does not know all of it.

    Those of channels stay open: the cap of a channel is kept by the partner as well, who lost nothing.
    """
    ExportCounter.objects.filter(direction=_OUT).exclude(sensitivity=_CHANNEL).update(is_closed=True)


def open_rebuilt() -> int:
    """Open the counters that a restore closed, once all that was lost is counted again; return how many.

    One whose key is lost stays closed, and all do while two persons went on without a partner's return.
    """
    if Partner.objects.exclude(owed=Partner.Owed.NOTHING).exists():
        return 0
    rows = ExportCounter.objects.select_for_update().filter(direction=_OUT, is_closed=True)
    whole = [row.pk for row in rows if not row.persons or keystore.has_body_key(keystore.home(), _key_name(row))]
    return ExportCounter.objects.filter(pk__in=whole).update(is_closed=False)


def ask_to_reopen(number: int, *, persons: int, reason: str, actor: Actor, now: datetime) -> Outcome:
    """Ask that a closed counter go on from a stated number of persons; a second person allows it.

    Raises
    ------
    NotClosed, TooFew
    """
    _check_reopening(ExportCounter.objects.filter(pk=number).first(), persons=persons)
    return ask(REOPEN, {"number": number, "persons": persons, "reason": reason}, actor=actor, now=now)


@write("exchange.reopen_counter", subject="number")
def reopen(*, number: int, persons: int, reason: str, actor: Actor, first: Actor, now: datetime) -> None:
    """Let a closed counter go on from the number of persons that two persons state, with their reason in the trail.

    Where the key of the tags is lost a new one is made: everybody who comes then counts as a new person.

    Raises
    ------
    NotClosed, TooFew
    """
    del now
    row = _check_reopening(ExportCounter.objects.select_for_update().filter(pk=number).first(), persons=persons)
    home = keystore.home()
    if not keystore.has_body_key(home, _key_name(row)):
        keystore.make_body_key(home, _key_name(row))
    row.persons, row.is_closed = persons, False
    row.save(update_fields=["persons", "is_closed"])
    note(counter=f"{row.rule} {row.year}", persons=persons, reason=reason, first=actor_name(first))


def _check_reopening(row: ExportCounter | None, *, persons: int) -> ExportCounter:
    if row is None or not row.is_closed or release.owing():
        raise NotClosed(
            "only a closed counter is opened by a stated number, and only when no partner's return is waited for any "
            "more. `corridor counters` lists them; `corridor peer list` shows who owes a return."
        )
    if persons < row.persons:
        raise TooFew(f"the counter has counted {row.persons} persons already; expected at least that, came {persons}")
    return row


def register_approvals() -> None:
    """Announce what two persons decide about counters."""
    register_approval(REOPEN, permission="exchange.restore", execute=reopen, describe=_describe)


def _describe(arguments: dict[str, Any]) -> str:
    return _("Open counter %(number)d of persons again at %(persons)d: %(reason)s") % {
        **arguments,
        "reason": isolated(arguments["reason"]),
    }


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


def _persons(message: Message) -> _Persons:
    return _Persons(message.persons(), message.computed_class(), message.person_identifiers())


def _country(document: Agreement, header: Header) -> str:
    party = document.party(header.from_)
    return party.country if party else ""


def _touch(
    header: Header, persons: _Persons, *, country: str, own: str, now: datetime
) -> Mapping[CounterKey, _Touched]:
    jurisdiction = jurisdictions().get(country)
    if jurisdiction is None:
        return {}
    keys = rules.counters_for(persons.data_class, jurisdiction=jurisdiction, year=jurisdiction.year(now))
    return {
        key: _lock(
            rule=key.name,
            year=key.year,
            sensitivity=key.sensitivity,
            direction=_direction(header, own),
            limit=_lowest_limit(key, jurisdiction),
            header=header,
            persons=persons,
        )
        for key in keys
    }


def _touch_channel(header: Header, persons: _Persons, *, own: str, now: datetime) -> _Touched:
    return _lock(
        rule=channel_rule(header.agreement, header.channel, sender=header.from_),
        year=now.year,
        sensitivity=_CHANNEL,
        direction=_direction(header, own),
        limit=None,
        header=header,
        persons=persons,
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
    persons: _Persons,
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
    is_closed = row.is_closed or (direction == _OUT and bool(release.owing()))
    return _Touched(row, frozenset(_tags(header, persons, key=key)), is_closed=is_closed)


def _was_lost(row: ExportCounter) -> bool:
    """Return whether a counter that the database does not know was in use before a backup was put back.

    Its key lies outside the database, and outlived it.
    """
    if row.direction != _OUT or not Partner.objects.exclude(owed=Partner.Owed.NOTHING).exists():
        return False
    made_at = keystore.body_key_made_at(keystore.home(), _key_name(row))
    return made_at is not None and made_at < Node.objects.get().state_since_at


def _tags(header: Header, persons: _Persons, *, key: bytes) -> Iterable[bytes]:
    """Return one tag per person; who has no stable identifier is a new person of this very envelope."""
    identified = {rules.tag(identifier, key=key) for identifier in persons.identifiers}
    yield from identified
    for number in range(persons.number - len(identified)):
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
    return _OUT if header.from_ == own else "in"


def _lowest_limit(key: CounterKey, jurisdiction: Jurisdiction) -> int | None:
    limits = rules.limits_for(key, jurisdiction=jurisdiction)
    return limits[0].limit if limits else None
