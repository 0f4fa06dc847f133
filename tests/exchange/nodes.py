"""Several nodes in one process, each its own home, database and people, joined by a wire that a test may disturb.

``with node:`` switches Django's default connection and the settings of the home to that node, so everything below
sees one node as if it were alone. `Corridor` makes them, pins their cards, signs an agreement, and delivers until
nothing moves any more.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, ClassVar
from urllib.parse import urlsplit

from django.conf import settings
from django.core.management import call_command
from django.db import connection, connections, transaction
from django.db.utils import load_backend

from corridor.accounts.actors import System
from corridor.accounts.approvals import approve
from corridor.accounts.models import Person
from corridor.accounts.services import add_person
from corridor.base.disclosure import Cell
from corridor.exchange import api, delivery, keystore, queries, registry
from corridor.exchange.messages import Message, field_class
from corridor.exchange.models import Crossing, OutboxEntry
from corridor.exchange.registry import Received, register_message
from corridor.exchange.rules.agreement import draft
from corridor.exchange.rules.card import fingerprint
from corridor.exchange.rules.classes import DataClass
from corridor.exchange.rules.keys import SigningKey
from corridor.exchange.services import agreement_acts, founding, partners
from corridor.server import env

START = datetime(2026, 6, 1, 8, tzinfo=UTC)
COUNTRIES = {"pk": "PK", "cn": "CN", "ru": "RU"}
EFFECTS = "test_effect"


class Figure(Message):
    """One weekly figure of a place, for tests; its handler writes one row into a table of the test's own."""

    schema_name: ClassVar[str] = "test.figure"
    data_class: ClassVar[DataClass] = DataClass.AGGREGATE
    disease: Annotated[str, field_class(DataClass.AGGREGATE)] = "cholera"
    place: Annotated[str, field_class(DataClass.AGGREGATE)]
    week: Annotated[int, field_class(DataClass.AGGREGATE)] = 1
    value: Annotated[int, field_class(DataClass.AGGREGATE)]


class CellFigure(Figure):
    """A figure that disclosure control judges."""

    schema_name: ClassVar[str] = "test.cell-figure"

    def cells(self) -> list[Cell]:
        """Return the one cell."""
        start = datetime(2026, 1, 5, tzinfo=UTC).date() + timedelta(weeks=self.week)
        return [Cell(self.disease, self.place, start, start + timedelta(days=7), "", self.value)]


class Poison(Exception):
    """What the handler of `Figure` raises for a poisoned value."""


POISON = 666
"""A figure of this value makes its handler fail."""


def store_effects(batch: Sequence[Received], *, actor: Any, now: datetime) -> None:
    """Write one row for each figure; the effect that must happen exactly once."""
    del actor, now
    for received in batch:
        if getattr(received.message, "value", 0) == POISON:
            raise Poison
    with connection.cursor() as cursor:
        cursor.executemany(
            f"INSERT INTO {EFFECTS} (envelope_id, value) VALUES (%s, %s)",
            [(received.envelope_id, getattr(received.message, "value", 0)) for received in batch],
        )


def register_test_messages() -> None:
    """Announce the messages of this module; again is fine."""
    register_message(Figure, handler=store_effects)
    register_message(CellFigure, handler=store_effects)


def make_template(path: Path) -> Path:
    """Write a migrated, empty SQLite database to `path`, to be copied for each node."""
    wrapper = sqlite_wrapper(path)
    with using(wrapper):
        migrate()
    wrapper.close()
    with sqlite3.connect(path) as plain:
        plain.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path


def migrate() -> None:
    """Migrate the default database and add the table of the tests' effects."""
    call_command("migrate", verbosity=0, interactive=False)
    with connection.cursor() as cursor:
        cursor.execute(
            f"CREATE TABLE IF NOT EXISTS {EFFECTS} (envelope_id VARCHAR(36) NOT NULL, value INTEGER NOT NULL)"
        )


def sqlite_wrapper(path: Path) -> Any:
    """Return a connection of Django to one SQLite file, with the settings of a node."""
    return wrapper_of(env.database(None, path.parent) | {"NAME": path})


def wrapper_of(description: Mapping[str, Any]) -> Any:
    """Return a connection of Django to the described database."""
    whole = {**connections.settings["default"], **description}
    return load_backend(whole["ENGINE"]).DatabaseWrapper(whole, alias="default")


@contextmanager
def using(wrapper: Any) -> Iterator[None]:
    """Make `wrapper` Django's default connection."""
    before = getattr(connections._connections, "default", None)  # type: ignore[attr-defined]
    connections["default"] = wrapper
    try:
        yield
    finally:
        if before is None:
            del connections["default"]
        else:
            connections["default"] = before


class Node:
    """One node of a corridor; ``with node:`` makes it the one that Django sees."""

    def __init__(self, corridor: Corridor, node_id: str, *, home: Path, wrapper: Any) -> None:
        self.corridor = corridor
        self.id = node_id
        self.home = home
        self.wrapper = wrapper
        self.clock_offset = timedelta(0)
        self.recovery: SigningKey | None = None
        self.lacks: frozenset[str] = frozenset()
        """Messages that this node does not know: it runs an older version."""
        self._before: list[tuple[Any, dict[str, Any]]] = []

    @property
    def country(self) -> str:
        """The country code of the node."""
        return COUNTRIES.get(self.id[:2], self.id[:2].upper())

    @property
    def url(self) -> str:
        """The address on its card."""
        return f"http://127.0.0.1:{self.corridor.first_port + sorted(self.corridor.ids).index(self.id)}"

    @property
    def database_url(self) -> str:
        """What another process must be told of its database; empty for the SQLite file of the home."""
        described = self.wrapper.settings_dict
        if self.wrapper.vendor == "sqlite":
            return ""
        return f"postgresql://{described['USER']}@/{described['NAME']}?host={described['HOST']}"

    @property
    def now(self) -> datetime:
        """What its clock shows."""
        return self.corridor.now + self.clock_offset

    def __enter__(self) -> Node:
        names = ("CORRIDOR_HOME", "CORRIDOR_SECRET_FILE", "CORRIDOR")
        self._before.append((using(self.wrapper), {name: getattr(settings, name) for name in names}))
        self._before[-1][0].__enter__()
        settings.CORRIDOR_HOME, settings.CORRIDOR_SECRET_FILE = self.home, None
        settings.CORRIDOR = {
            **settings.CORRIDOR,
            "id": self.id,
            "name": f"Institute {self.id}",
            "country": self.country,
            "url": self.url,
            "simulated": self.corridor.simulated,
            "one_person": self.corridor.one_person,
        }
        self.corridor.hide(self.lacks)
        self.corridor.active.append(self.id)
        return self

    def __exit__(self, *exc: object) -> None:
        self.corridor.active.pop()
        self.corridor.hide(self.corridor[self.corridor.active[-1]].lacks if self.corridor.active else frozenset())
        switch, before = self._before.pop()
        for name, value in before.items():
            setattr(settings, name, value)
        switch.__exit__(None, None, None)

    def found(self) -> None:
        """Make keys, card and two officers."""
        with self:
            for name, roles in (("first", ("officer",)), ("second", ("officer",)), ("eye", ("auditor",))):
                add_person(name, roles=roles, actor=System("test"), now=self.now - timedelta(days=30))
            _, self.recovery = founding.found_node(
                node_id=self.id,
                legal_entity=f"Institute {self.id}",
                names={"en": f"Institute {self.id}"},
                country=self.country,
                url=self.url,
                home=self.home,
                is_simulated=self.corridor.simulated,
                actor=System("test"),
                now=self.now,
            )

    def person(self, name: str = "first") -> Person:
        """Return one of the node's people; the node must be active."""
        return Person.objects.get(username=name)

    def both(self, ask: Callable[[Person], Any]) -> Any:
        """Let the first officer ask and the second allow; return what was done."""
        with self:
            outcome = ask(self.person("first"))
            if not outcome.done:
                outcome = approve(outcome.request_id, actor=self.person("second"), now=self.now)
            return outcome.result

    def pin(self, other: Node) -> None:
        """Pin another node's card by two persons."""
        with other:
            document, shown = partners.own_card_file(), fingerprint(partners.own_chain()[-1])
        self.both(lambda person: partners.ask_to_pin(document, fingerprint=shown, actor=person, now=self.now))

    def send(self, value: int, *, to: str, agreement: str, channel: str = "figures", **members: Any) -> Crossing:
        """Queue one figure for a partner."""
        from corridor.exchange.services import send

        message = Figure(place=members.pop("place", f"{self.country}-XX"), value=value, **members)
        with self, transaction.atomic():
            return send(message, to=to, agreement=agreement, channel=channel, actor=System("test"), now=self.now)

    def deliver(self) -> delivery.DeliveryReport:
        """Make one pass of delivery over the wire in memory."""
        with self:
            return delivery.deliver_once(now=self.now, wire=self.corridor.wire)

    def waiting(self) -> int:
        """Return how many envelopes wait in the outbox."""
        with self:
            return OutboxEntry.objects.filter(is_undeliverable=False).count()

    def effects(self) -> list[tuple[str, int]]:
        """Return envelope id and value of everything that took effect here."""
        with self, connection.cursor() as cursor:
            cursor.execute(f"SELECT envelope_id, value FROM {EFFECTS} ORDER BY value, envelope_id")
            return [(str(row[0]), int(row[1])) for row in cursor.fetchall()]

    def crossings(self, **conditions: Any) -> list[queries.CrossingView]:
        """Return crossings as the auditor sees them, newest first."""
        with self:
            return queries.crossings(self.person("eye"), queries.CrossingFilters(**conditions))


@dataclass
class MemoryWire:
    """Carries rounds between nodes of one process; a test cuts it, drops or doubles what passes, and reads along."""

    corridor: Corridor
    cut: set[tuple[str, str]] = field(default_factory=set)
    lose_requests: int = 0
    lose_replies: int = 0
    double: int = 0
    tamper: Callable[[bytes], bytes] | None = None
    tamper_reply: Callable[[bytes], bytes] | None = None
    log: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)

    def post(self, partner: str, *, url: str, path: str, headers: Mapping[str, str], body: bytes) -> delivery.WireReply:
        """Return the partner's reply, or raise as a broken line would."""
        sender = self.corridor.active[-1]
        receiver = self.corridor[partner]
        if urlsplit(url).netloc != urlsplit(receiver.url).netloc or (sender, partner) in self.cut:
            raise delivery.PartnerUnreachable(f"{partner} cannot be reached: cut")
        body = self.tamper(body) if self.tamper else body
        # What is lost may still arrive late, so it is kept too.
        self.log.append((sender, partner, dict(headers), body))
        if self.lose_requests > 0:
            self.lose_requests -= 1
            raise delivery.PartnerUnreachable(f"{partner} cannot be reached: request lost")
        reply = self.take(receiver, headers, body, path=path)
        if self.double > 0:
            self.double -= 1
            reply = self.take(receiver, headers, body, path=path)
        if self.lose_replies > 0:
            self.lose_replies -= 1
            raise delivery.PartnerUnreachable(f"{partner} cannot be reached: reply lost")
        if (partner, sender) in self.cut:
            raise delivery.PartnerUnreachable(f"{partner} cannot be reached: reply cut")
        return reply

    def take(
        self, receiver: Node, headers: Mapping[str, str], body: bytes, *, path: str = delivery.ROUND_PATH
    ) -> delivery.WireReply:
        """Hand a request to a node as its API would get it."""
        with receiver:
            reply = api.take_round(headers=headers, body=body, now=receiver.now, path=path)
        body = self.tamper_reply(reply.body) if self.tamper_reply else reply.body
        return delivery.WireReply(reply.status, reply.headers, body)


class Corridor:
    """Nodes in one process with pinned cards; `sign` joins them by an agreement.

    Parameters
    ----------
    folder : Path
        Where homes and databases go.
    ids : sequence of node ids
    template : Path, optional
        A migrated SQLite database (`make_template`); made in `folder` if not given.
    database : callable from node id and home to a Django connection, optional
        By default a copy of `template` in the home.
    """

    def __init__(
        self,
        folder: Path,
        ids: Iterable[str] = ("cn.cdc", "pk.nih"),
        *,
        template: Path | None = None,
        database: Callable[[str, Path], Any] | None = None,
        now: datetime = START,
        simulated: bool = True,
        one_person: bool = False,
        is_pinned: bool = True,
        first_port: int = 8000,
    ) -> None:
        register_test_messages()
        self.first_port = first_port
        self.ids = tuple(ids)
        self.now = now
        self.simulated = simulated
        self.one_person = one_person
        self.active: list[str] = []
        self._hidden: dict[str, registry.Registration] = {}
        self.wire = MemoryWire(self)
        self.nodes: dict[str, Node] = {}
        if database is None:
            folder.mkdir(parents=True, exist_ok=True)
            source = template or make_template(folder / "template.db")
            database = _copier(source)
        for node_id in self.ids:
            home = folder / node_id.replace(".", "-")
            home.mkdir(parents=True)
            self.nodes[node_id] = Node(self, node_id, home=home, wrapper=database(node_id, home))
            self.nodes[node_id].found()
        if is_pinned:
            for one in self.nodes.values():
                for other in self.nodes.values():
                    if one is not other:
                        one.pin(other)

    @classmethod
    def reopened(
        cls,
        folder: Path,
        ids: Iterable[str] = ("cn.cdc", "pk.nih"),
        *,
        database: Callable[[str, Path], Any] | None = None,
        now: datetime = START,
    ) -> Corridor:
        """Return the corridor that another process made in `folder` and left there."""
        register_test_messages()
        corridor = cls.__new__(cls)
        corridor.ids, corridor.now, corridor.simulated, corridor.one_person = tuple(ids), now, True, False
        corridor.active, corridor.wire = [], MemoryWire(corridor)
        corridor._hidden = {}
        corridor.first_port = 8000
        corridor.nodes = {}
        for node_id in corridor.ids:
            home = folder / node_id.replace(".", "-")
            wrapper = database(node_id, home) if database else sqlite_wrapper(home / env.DATABASE_FILE)
            corridor.nodes[node_id] = Node(corridor, node_id, home=home, wrapper=wrapper)
        return corridor

    def __getitem__(self, node_id: str) -> Node:
        return self.nodes[node_id]

    def __iter__(self) -> Iterator[Node]:
        return iter(self.nodes.values())

    def hide(self, schemas: Iterable[str]) -> None:
        """Let the process know every message but those of `schemas`, as the active node does."""
        registry._registrations.update(self._hidden)
        self._hidden = {each: registry._registrations.pop(each) for each in schemas if each in registry._registrations}

    def close(self) -> None:
        """Close every database."""
        for node in self:
            node.wrapper.close()
        keystore.close_keys()

    def advance(self, **by: float) -> None:
        """Let time pass, as in ``advance(hours=2)``."""
        self.now += timedelta(**by)

    def settle(self, *, passes: int = 30) -> None:
        """Deliver from every node until nothing waits any more; circuits are given time to close again."""
        for _ in range(passes):
            if not any(node.waiting() for node in self):
                return
            for node in self:
                node.deliver()
            self.advance(minutes=2)

    def source(self, ids: Sequence[str] | None = None, **members: Any) -> dict[str, Any]:
        """Return the source of an agreement between `ids` that opens the channel ``figures`` for test figures."""
        parties = tuple(ids or self.ids)
        value: dict[str, Any] = {
            "instrument": {"title": {"en": "Test memorandum"}, "date": "2026-05-01", "reference": "T-1"},
            "parties": [
                {
                    "node": node,
                    "country": self[node].country,
                    "legal_entity": f"Institute {node}",
                    "authority": "Ministry of Health",
                    "mandate": "Order 1",
                }
                for node in parties
            ],
            "purpose": "Joint surveillance",
            "legal_basis": [{"country": self[node].country, "basis": "Public health act"} for node in parties],
            "channels": [
                {
                    "id": "figures",
                    "clause": "4.1",
                    "from": list(parties),
                    "to": list(parties),
                    "message": "test.figure/1",
                    "data_class": "aggregate",
                    "purpose": "disease-surveillance",
                    "place_level": "admin1",
                    "period": "week",
                    "disclosure": [{"disease": "*", "stratum": "total", "min_cell": 5}],
                    "caps": {"envelopes_per_day": 100_000, "persons_per_year": 0},
                    "acceptance": "automatic",
                }
            ],
            "places": [{"base_map": "ISO 3166-2", "codes": [f"{self[node].country}-*" for node in parties]}],
            "benefit_sharing": "Findings are published together.",
            "start_at": self.now - timedelta(days=30),
            "end_at": self.now + timedelta(days=700),
            "disputes": "By consultation.",
        }
        return value | members

    def sign(self, ids: Sequence[str] | None = None, **members: Any) -> str:
        """Draft, propose and sign an agreement at every party by two persons; return its hash."""
        parties = tuple(ids or self.ids)
        source = self.source(parties, **members)
        draft(source, texts={"en": b"text"})
        author = self[parties[0]]
        with author:
            row = agreement_acts.draft_agreement(source, texts={"en": b"text"}, actor=author.person(), now=author.now)
            agreement_acts.propose(row.hash, actor=author.person(), now=author.now)
        self.settle()
        for party in parties:
            node = self[party]
            node.both(lambda person, node=node: agreement_acts.ask_to_sign(row.hash, actor=person, now=node.now))
        self.settle()
        return str(row.hash)


def _copier(source: Path) -> Callable[[str, Path], Any]:
    def copy(node_id: str, home: Path) -> Any:
        del node_id
        target = home / env.DATABASE_FILE
        shutil.copyfile(source, target)
        return sqlite_wrapper(target)

    return copy
