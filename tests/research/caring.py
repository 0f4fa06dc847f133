"""Two nodes that share what they do for a disease, with the people whom it takes, for tests."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from django.test import Client

from corridor.accounts.access import REAUTHENTICATED_AT
from corridor.accounts.actors import System
from corridor.accounts.services import add_person
from corridor.base.clock import utcnow
from corridor.pillars.research import services
from corridor.pillars.research.reference import reference_text
from corridor.pillars.research.rules.care import draft_care_document
from tests.exchange.nodes import Corridor, Node
from tests.research.studies import study_channel

NL, DE = "nl.rotterdam", "de.gbsg"
PEOPLE = (
    ("clin", "clinician"),
    ("stew", "steward"),
    ("ard", "steward"),
    ("ren", "researcher"),
    ("epi", "epidemiologist"),
)


def treatment_text(change: Callable[[str], str] = str, *, name: str = "breast-cancer") -> str:
    """Return the TOML of a reference document, after `change`."""
    return change(reference_text(name))


class CareCorridor:
    """Two nodes whose agreement opens studies, the sharing of documents of care, and symposia."""

    def __init__(self, make: Callable[..., Corridor], *, now: datetime | None = None) -> None:
        self.corridor = make(NL, DE) if now is None else make(NL, DE, now=now)
        for node in self.corridor:
            with node:
                for name, role in PEOPLE:
                    add_person(name, roles=(role,), actor=System("test"), now=node.now - timedelta(days=30))
        ids = list(self.corridor.ids)
        self.agreement = self.corridor.sign(
            channels=[
                study_channel(ids),
                study_channel(ids, message="research.care/1", data_class="public"),
                study_channel(ids, message="research.symposium/1", data_class="public"),
            ]
        )

    def __getitem__(self, node: str) -> Node:
        return self.corridor[node]

    def publish(self, node: str, text: str, *, by: str = "clin") -> str:
        """Publish a document at one node, deliver it, and return its hash."""
        kind, document = draft_care_document(text)
        with self.corridor[node] as active:
            row = services.publish_document(
                kind, document, agreement=self.agreement, actor=active.person(by), now=active.now
            )
        self.corridor.settle()
        return str(row.hash)


def client_of(node: Node, name: str, *, language: str = "en", is_fresh: bool = True) -> Client:
    """Return a client in which a person of the active node has signed in, with the password given just now if fresh."""
    person = node.person(name)
    person.must_change_password = False
    person.save()
    client = Client(headers={"accept-language": language})
    client.force_login(person)
    session = client.session
    session[REAUTHENTICATED_AT] = utcnow().timestamp() if is_fresh else 0.0
    session.save()
    return client
