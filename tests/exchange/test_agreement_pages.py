"""Pages of the exchange, as officer and auditor open them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import translation

from corridor.exchange.forms import CrossingFilterForm
from corridor.exchange.queries import texts
from corridor.exchange.rules.agreement import State
from corridor.exchange.rules.reasons import Reason
from corridor.exchange.services import agreement_acts as acts
from corridor.exchange.views.agreements import ACTS
from tests.exchange.nodes import Corridor, Node

LANGUAGES = ("en", "zh-hans", "ru", "ur")


@contextmanager
def signed_in(node: Node, name: str = "first", *, language: str = "en") -> Iterator[Client]:
    """Give a browser in which a person of `node` has signed in and given the password just now."""
    with node:
        client = Client(headers={"accept-language": language})
        client.force_login(node.person(name), backend="corridor.accounts.login.PasswordBackend")
        session = client.session
        session["reauthenticated_at"] = time.time()
        session.save()
        person = node.person(name)
        person.must_change_password = False
        person.save()
        yield client


@pytest.fixture
def story(corridor: Corridor) -> str:
    """Make an agreement in force, a figure that crossed, one that was refused, and a proposed amendment."""
    agreement = corridor.sign()
    corridor["pk.nih"].send(9, to="cn.cdc", agreement=agreement)
    corridor["pk.nih"].send(9, to="cn.cdc", agreement="0" * 64)
    corridor.settle()
    china = corridor["cn.cdc"]
    with china:
        source = corridor.source(retention_days=90, supersedes=agreement)
        row = acts.draft_agreement(source, texts={"en": b"t"}, actor=china.person(), now=china.now)
        acts.propose(row.hash, actor=china.person(), now=china.now)
    corridor.settle()
    return str(row.hash)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_page_opens_in_every_language(corridor: Corridor, story: str, language: str) -> None:
    with signed_in(corridor["pk.nih"], language=language) as client:
        pages = [
            reverse("exchange:agreements"),
            reverse("exchange:agreement", args=[story]),
            reverse("exchange:agreement-sheet", args=[story]),
            reverse("exchange:agreement-difference", args=[story]),
            reverse("exchange:agreement-act", args=[story, "sign"]),
            reverse("exchange:partners"),
            reverse("exchange:partner", args=["cn.cdc"]),
            reverse("exchange:partner-add"),
            reverse("exchange:crossings"),
            reverse("exchange:crossing", args=[1]),
            reverse("exchange:counters"),
        ]
        for page in pages:
            answer = client.get(page)
            assert answer.status_code == 200, page
            assert f'lang="{language}"' in answer.content.decode(), page


def test_the_page_of_an_agreement_shows_clause_channel_and_hash(corridor: Corridor, story: str) -> None:
    with signed_in(corridor["pk.nih"]) as client:
        sheet = client.get(reverse("exchange:agreement-sheet", args=[story])).content.decode()

    assert "4.1" in sheet
    assert "figures" in sheet
    assert story in sheet


def test_signing_on_the_page_waits_for_a_second_person(corridor: Corridor, story: str) -> None:
    with signed_in(corridor["pk.nih"]) as client:
        address = reverse("exchange:agreement-act", args=[story, "sign"])
        untouched = client.post(address, {})
        answer = client.post(address, {"has_read": "on"}, follow=True)

    assert untouched.status_code == 400
    assert "second person must approve" in answer.content.decode()


def test_a_suspension_on_the_page_holds_at_once(corridor: Corridor) -> None:
    agreement = corridor.sign()
    with signed_in(corridor["pk.nih"]) as client:
        client.post(reverse("exchange:agreement-act", args=[agreement, "suspend"]), {"has_read": "on"})

    assert corridor["pk.nih"].send(9, to="cn.cdc", agreement=agreement).reason == "suspended"


def test_what_the_state_forbids_is_said_on_the_page_and_changes_nothing(corridor: Corridor) -> None:
    agreement = corridor.sign()
    with signed_in(corridor["pk.nih"]) as client:
        answer = client.post(reverse("exchange:agreement-act", args=[agreement, "resume"]), {"has_read": "on"})

    assert answer.status_code == 400
    assert "not possible" in answer.content.decode()


def test_an_auditor_reads_every_page_and_signs_none(corridor: Corridor, story: str) -> None:
    with signed_in(corridor["pk.nih"], "eye") as client:
        read = client.get(reverse("exchange:agreement", args=[story]))
        refused = client.get(reverse("exchange:agreement-act", args=[story, "sign"]))
        unpinned = client.get(reverse("exchange:partner-add"))

    assert read.status_code == 200
    assert (refused.status_code, unpinned.status_code) == (403, 403)


def test_a_refused_envelope_shows_its_reason_and_filters_find_it(corridor: Corridor, story: str) -> None:
    with signed_in(corridor["pk.nih"]) as client:
        refused = client.get(reverse("exchange:crossings"), {"status": "refused"}).content.decode()
        none = client.get(reverse("exchange:crossings"), {"status": "undeliverable"}).content.decode()

    assert str(texts.REASONS[Reason.NO_AGREEMENT]) in refused
    assert "No envelope fits." in none
    assert story


def test_the_export_quotes_what_a_spreadsheet_would_run(corridor: Corridor, story: str) -> None:
    from corridor.exchange.models import Crossing

    with signed_in(corridor["pk.nih"]) as client:
        Crossing.objects.filter(pk=1).update(channel="=cmd()")
        export = client.get(reverse("exchange:crossings-csv")).content.decode()

    assert "'=cmd()" in export
    assert ",=cmd()" not in export
    assert "SIMULATED" in export.splitlines()[0]
    assert story


def test_evidence_comes_from_the_page_of_an_envelope(corridor: Corridor, story: str) -> None:
    with signed_in(corridor["pk.nih"], "eye") as client:
        sent = corridor["pk.nih"].crossings(schema="test.figure/1", status="accepted")[0]
        answer = client.get(reverse("exchange:crossing-evidence", args=[sent.id]))

    assert answer.status_code == 200
    assert sent.envelope_id.encode() in answer.content or answer.content.startswith(b"{")
    assert story


def test_a_wrong_fingerprint_is_refused_on_the_page_with_what_to_do(corridor: Corridor) -> None:
    from django.core.files.uploadedfile import SimpleUploadedFile

    from corridor.exchange.services import partners

    with corridor["cn.cdc"]:
        card = partners.own_card_file()
    with signed_in(corridor["pk.nih"]) as client:
        form = {"card": SimpleUploadedFile("card.json", card), "fingerprint": "AAAA-" * 7 + "AAAA"}
        answer = client.post(reverse("exchange:partner-add"), form)

    assert answer.status_code == 400
    assert "fingerprint" in answer.content.decode()


@pytest.mark.parametrize("language", ["zh-hans", "ru", "ur"])
def test_every_reason_and_state_has_words_in_every_language(language: str) -> None:
    english = {reason: texts.REASONS[reason] for reason in Reason}
    with translation.override("en"):
        plain = {reason: str(text) for reason, text in english.items()}
    with translation.override(language):
        translated = {reason: str(text) for reason, text in english.items()}
        states = {str(texts.STATES[state]) for state in State}
    assert len(states) == len(State)
    assert not [reason for reason in Reason if translated[reason] == plain[reason]]


def test_every_act_of_an_officer_has_a_page() -> None:
    assert {act.kind.value for act in ACTS.values()} == {
        "proposal",
        "signature",
        "activation",
        "suspension",
        "resumption",
        "termination",
    }


def test_a_field_at_fault_filters_nothing() -> None:
    form = CrossingFilterForm({"since_on": "yesterday"}, partners=[], agreements=[], channels=[])

    assert form.filters(limit=5, before_id=None).since is None


def test_a_revoked_partner_s_page_says_what_to_do_and_takes_the_file_that_brings_it_back(corridor: Corridor) -> None:
    from django.core.files.uploadedfile import SimpleUploadedFile

    from corridor.accounts.actors import System
    from corridor.accounts.models import ApprovalRequest
    from corridor.exchange.services import partners, rotation

    pakistan, china = corridor["pk.nih"], corridor["cn.cdc"]
    with pakistan:
        assert pakistan.recovery is not None
        revoked = rotation.revoke(reason="stolen", recovery=pakistan.recovery, actor=System("test"), now=pakistan.now)
        lifted = rotation.reinstate(recovery=pakistan.recovery, actor=System("test"), now=pakistan.now)
    with signed_in(china) as client:
        page, take = (reverse(f"exchange:{name}", args=["pk.nih"]) for name in ("partner", "partner-take"))
        early = client.post(take, {"file": SimpleUploadedFile("back.json", lifted)})
        client.post(take, {"file": SimpleUploadedFile("revocation.json", revoked)})
        told = client.get(page).content.decode()
        client.post(take, {"file": SimpleUploadedFile("back.json", lifted)})
        waiting = ApprovalRequest.objects.get(state="waiting")
        standing = partners.valid_cards("pk.nih")

    assert early.status_code == 400
    assert "This partner’s keys are revoked" in told
    assert "stolen" in told
    assert (waiting.kind, standing) == ("exchange.bring-partner-back", ())


@pytest.mark.parametrize("language", LANGUAGES)
def test_pinning_anew_is_asked_for_on_a_page_of_its_own_in_every_language(corridor: Corridor, language: str) -> None:
    with corridor["pk.nih"]:
        from corridor.exchange.services import partners

        shown = partners.own_fingerprint()
    with signed_in(corridor["cn.cdc"], language=language) as client:
        answer = client.get(reverse("exchange:partner-anew", args=["pk.nih"]))

    assert answer.status_code == 200
    assert shown in answer.content.decode()


def test_a_paused_partner_goes_on_only_when_a_second_person_approved(corridor: Corridor) -> None:
    from corridor.accounts.models import ApprovalRequest
    from corridor.exchange.models import Partner

    with signed_in(corridor["cn.cdc"]) as client:
        client.post(reverse("exchange:partner-pause", args=["pk.nih"]), {"reason": "audit"})
        client.post(reverse("exchange:partner-resume", args=["pk.nih"]))
        state, waiting = Partner.objects.get().state, ApprovalRequest.objects.get(state="waiting").kind

    assert (state, waiting) == ("paused", "exchange.resume-partner")
