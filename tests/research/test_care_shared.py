"""Treatment protocols and follow-up schedules between two nodes: published, kept as versions, compared, returned."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from corridor.accounts.actors import Peer, System
from corridor.accounts.roles import NotPermitted
from corridor.accounts.services import add_person
from corridor.exchange.messages import MalformedMessage
from corridor.exchange.registry import Received
from corridor.exchange.rules.canonical import b64, canonical
from corridor.exchange.rules.classes import DataClass
from corridor.exchange.rules.reasons import Reason, Refused
from corridor.pillars.research import handlers, queries, services
from corridor.pillars.research.messages import CareDocumentMessage
from corridor.pillars.research.models import CareDocument
from corridor.pillars.research.rules.care import (
    CareKind,
    MalformedSchedule,
    MalformedTreatment,
    draft_care_document,
    read_care_document,
    schedule_from_toml,
)
from corridor.pillars.research.services.care import CareNotOpen, VersionTaken
from tests.exchange.nodes import Corridor
from tests.research.caring import DE, NL, CareCorridor, treatment_text

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture
def care(make_corridor: Callable[..., Corridor]) -> CareCorridor:
    return CareCorridor(make_corridor)


def ours(text: str) -> str:
    """Return the reference protocol as a site of its own would have it: another dose, and one regimen less."""
    text = text.replace("dose = 80,", "dose = 90,").replace('institution = "Reference"', 'institution = "Site"')
    begin, end = text.index('[[regimens]]\nid = "dose-dense-ac"'), text.index('[[regimens]]\nid = "dose-dense-pac')
    return text[:begin] + text[end:]


def message(kind: str, text: str) -> CareDocumentMessage:
    return CareDocumentMessage(
        kind=kind, document=b64(text.encode()), stated_at=datetime(2026, 6, 1, 8, tzinfo=UTC), simulated=True
    )


def received(body: CareDocumentMessage, *, crossing: int = 7) -> Received:
    return Received(body, None, "e-1", DE, "a" * 64, None, "b" * 64, crossing)


def test_the_bytes_of_the_message_never_change() -> None:
    golden = (GOLDEN / "research.care.1.json").read_bytes().removesuffix(b"\n")

    assert message("treatment", '{"id":"protocol"}').to_bytes() == golden
    assert CareDocumentMessage.from_bytes(golden).computed_class() is DataClass.PUBLIC
    with pytest.raises(MalformedMessage):
        CareDocumentMessage.from_bytes(golden.replace(b'"simulated"', b'"patient":"P-1","simulated"'))


def test_a_published_protocol_is_compared_at_both_nodes_and_its_hash_is_one(care: CareCorridor) -> None:
    theirs, own = care.publish(DE, treatment_text()), care.publish(NL, treatment_text(ours))

    for node in (NL, DE):
        with care[node] as active:
            left, right, pairs = queries.compare_documents(own, theirs, actor=active.person("clin"))
        differing = {"/".join(pair.path): (pair.left, pair.right) for pair in pairs if pair.differs}
        assert (left.node, right.node) == (NL, DE)
        assert differing["regimens/weekly-paclitaxel/drugs/paclitaxel/dose"] == (90, 80)
        assert differing["regimens/dose-dense-ac/cycles"] == (None, 4)


def test_a_later_version_stands_beside_the_earlier_one(care: CareCorridor) -> None:
    first = care.publish(DE, treatment_text())
    second = care.publish(DE, treatment_text(lambda text: text.replace("version = 1", "version = 2")))

    with care[NL] as active:
        found = queries.care_documents(active.person("clin"))

    assert [(each.document.hash, each.is_latest) for each in found] == [(second, True), (first, False)]


def test_a_version_is_not_given_to_other_content(care: CareCorridor) -> None:
    care.publish(NL, treatment_text())

    with pytest.raises(VersionTaken, match="give what changed a later version"):
        care.publish(NL, treatment_text(ours))
    texts = [draft_care_document(each)[1].decode() for each in (treatment_text(), treatment_text(ours))]
    both = [received(message("treatment", each)) for each in texts]
    with care[NL] as active, pytest.raises(Refused) as caught:
        handlers.documents_arrived(both, actor=Peer(DE), now=active.now)
    assert caught.value.reason is Reason.MALFORMED


def test_a_schedule_crosses_as_a_plan_definition_with_every_time_and_window(care: CareCorridor) -> None:
    hash_ = care.publish(DE, treatment_text(name="breast-cancer-follow-up"))

    with care[NL] as active:
        view = queries.find_care_document(hash_[:10], actor=active.person("ren"), kind=CareKind.SCHEDULE)

    assert json.loads(view.content)["resourceType"] == "PlanDefinition"
    assert view.document.schedule == schedule_from_toml(treatment_text(name="breast-cancer-follow-up"))


@pytest.mark.parametrize("name", ["ren", "epi"])
def test_who_neither_treats_nor_answers_for_data_publishes_nothing(care: CareCorridor, name: str) -> None:
    with pytest.raises(NotPermitted):
        care.publish(NL, treatment_text(), by=name)


def test_without_an_agreement_that_opens_it_nothing_is_kept_and_nothing_leaves(
    make_corridor: Callable[..., Corridor],
) -> None:
    corridor = make_corridor(NL, DE)
    corridor.sign()
    kind, document = draft_care_document(treatment_text())
    with corridor[NL] as node:
        add_person("clin", roles=("clinician",), actor=System("test"), now=node.now)
        with pytest.raises(CareNotOpen):
            services.publish_document(kind, document, agreement="", actor=node.person("clin"), now=node.now)
        assert not CareDocument.objects.exists()


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("treatment", '{"id":"protocol"}'),
        ("treatment", "no JSON"),
        ("schedule", '{"resourceType":"Patient","id":"P-1"}'),
        ("schedule", '{"resourceType": "PlanDefinition"}'),
    ],
)
def test_what_breaks_its_schema_is_refused_and_not_kept(care: CareCorridor, kind: str, text: str) -> None:
    with care[NL] as active:
        with pytest.raises(Refused) as caught:
            handlers.documents_arrived([received(message(kind, text))], actor=Peer(DE), now=active.now)
        assert not CareDocument.objects.exists()
    assert caught.value.reason is Reason.MALFORMED


def test_documents_of_deleted_envelopes_are_forgotten_and_own_ones_stay(care: CareCorridor) -> None:
    care.publish(DE, treatment_text())
    own = care.publish(NL, treatment_text(ours))

    with care[NL] as active:
        crossings = list(CareDocument.objects.filter(node=DE).values_list("crossing_id", flat=True))
        gone = handlers.documents_deleted(crossings, actor=Peer(DE), now=active.now)
        left = list(CareDocument.objects.values_list("hash", flat=True))

    assert (gone, left) == (1, [own])


def test_own_documents_that_a_restore_lost_come_back_from_the_partner(care: CareCorridor) -> None:
    own = care.publish(NL, treatment_text(ours))

    with care[NL] as active:
        content = bytes(CareDocument.objects.get().document).decode()
        CareDocument.objects.all().delete()
        returned = Received(message("treatment", content), None, "e-1", NL, "a" * 64, None, "b" * 64, 3)
        handlers.documents_returned([returned], actor=Peer(DE), now=active.now)
        view = queries.find_care_document(own, actor=active.person("clin"))

    assert (view.is_own, view.crossing) == (True, None)


def test_a_partner_that_does_not_know_the_message_yet_refuses_it_and_nothing_else_breaks(care: CareCorridor) -> None:
    care[DE].lacks = frozenset({"research.care/1"})
    care.publish(NL, treatment_text())

    sent = care[NL].crossings(schema="research.care/1")

    assert [(each.status, each.reason) for each in sent] == [("refused", "unknown_message_type")]


def test_a_plan_definition_from_elsewhere_is_kept_with_all_its_members() -> None:
    _, document = draft_care_document(treatment_text(name="breast-cancer-follow-up"))
    members = json.loads(document) | {"purpose": "To agree on visits"}

    kind, kept = draft_care_document(json.dumps(members, indent=2))

    assert (kind, kept) == (CareKind.SCHEDULE, canonical(members))
    assert read_care_document(kind, kept).schedule == read_care_document(kind, document).schedule


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("{ broken", MalformedTreatment),
        ("a = ", MalformedTreatment),
        ('{"resourceType":"Observation"}', MalformedSchedule),
        ('title = "A"\n[[groups]]\ncode = "low"', MalformedSchedule),
        ('{"schema":"health-corridor.treatment/1"}', MalformedTreatment),
    ],
)
def test_a_file_that_is_neither_is_refused_with_its_faults(text: str, fault: type[Exception]) -> None:
    with pytest.raises(fault):
        draft_care_document(text)
