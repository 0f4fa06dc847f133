"""Proposing a protocol on its page: a file, an agreement, and what is wrong with either."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from corridor.base.clock import utcnow
from corridor.exchange.services import agreement_acts
from corridor.pillars.research.models import ProtocolVersion
from tests.exchange.nodes import Corridor
from tests.research.studies import SITES, StudyCorridor, breast_protocol, protocol_text
from tests.research.test_pages import client_of, page


@pytest.fixture
def study(make_corridor: Callable[..., Corridor]) -> StudyCorridor:
    return StudyCorridor(make_corridor(*SITES.values(), now=utcnow()), *breast_protocol())


def _propose(client: Client, study: StudyCorridor, text: str) -> HttpResponse:
    file = SimpleUploadedFile("protocol.toml", text.encode())
    return client.post(reverse("research:propose"), {"file": file, "agreement": study.agreement}, follow=True)


def test_a_researcher_proposes_a_protocol_and_the_other_site_has_the_same_bytes(study: StudyCorridor) -> None:
    with study.nodes["nl"]:
        client = client_of(study, "ren")
        assert reverse("research:propose") in page(client, "studies")
        answer = _propose(client, study, protocol_text())
        assert "on its way to the other sites" in answer.content.decode()
        own = ProtocolVersion.objects.get()
        assert answer.request["PATH_INFO"] == reverse("research:protocol", args=[own.study.name, own.hash])
    study.corridor.settle()

    with study.nodes["de"]:
        assert bytes(ProtocolVersion.objects.get().document) == bytes(own.document)


def test_what_is_wrong_with_a_protocol_is_said_and_nothing_is_proposed(study: StudyCorridor) -> None:
    with study.nodes["nl"]:
        client = client_of(study, "ren")
        unfinished = _propose(client, study, protocol_text().replace("smallest_cell", "smallest_cel"))
        binary = _propose(client, study, "\x00\x01")
        assert ProtocolVersion.objects.count() == 0

    assert (unfinished.status_code, binary.status_code) == (400, 400)
    assert "smallest_cel" in unfinished.content.decode()


def test_only_a_researcher_is_offered_to_propose(study: StudyCorridor) -> None:
    with study.nodes["nl"]:
        client = client_of(study, "stew")
        assert reverse("research:propose") not in page(client, "studies")
        assert _propose(client, study, protocol_text()).status_code == 403
        assert ProtocolVersion.objects.count() == 0


def test_without_an_agreement_in_force_the_page_says_so(study: StudyCorridor) -> None:
    with study.nodes["nl"] as node:
        agreement_acts.suspend(study.agreement, actor=node.person(), now=node.now)
        shown = page(client_of(study, "ren"), "propose")

    assert "No agreement in force opens joint research" in shown
    assert '<form class="form"' not in shown
