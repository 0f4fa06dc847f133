"""The pages of care: what each side does, two protocols side by side, and publishing one."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from corridor.base.clock import utcnow
from corridor.pillars.research.models import CareDocument
from tests.exchange.nodes import Corridor
from tests.research.caring import DE, NL, CareCorridor, client_of, treatment_text
from tests.research.test_care_shared import ours


@pytest.fixture
def care(make_corridor: Callable[..., Corridor]) -> CareCorridor:
    return CareCorridor(make_corridor, now=utcnow())


def upload(text: str) -> SimpleUploadedFile:
    return SimpleUploadedFile("protocol.toml", text.encode(), content_type="application/toml")


def words(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>|[\u2068\u2069]", " ", html))


def test_a_clinician_publishes_on_the_page_and_the_partner_reads_it(care: CareCorridor) -> None:
    with care[NL] as node:
        answer = client_of(node, "clin").post(
            reverse("research:care"), {"file": upload(treatment_text(ours)), "agreement": care.agreement}, follow=True
        )
        assert "Published, and on its way" in answer.content.decode()
    care.corridor.settle()

    with care[DE] as node:
        client = client_of(node, "ren")
        listed = client.get(reverse("research:care")).content.decode()
        hash_ = CareDocument.objects.get().hash
        shown = words(client.get(reverse("research:care-document", args=[hash_])).content.decode())
        document = json.loads(client.get(reverse("research:care-json", args=[hash_])).content)

    assert f"Site ({NL})" in listed
    assert "doxorubicin 60 mg/m2 into a vein on day 1, repeated every 21 days 4 cycles fisher-1990" in shown
    assert document["side"]["institution"] == "Site"


def test_publishing_takes_the_password_of_the_last_ten_minutes(care: CareCorridor) -> None:
    with care[NL] as node:
        data = {"file": upload(treatment_text()), "agreement": care.agreement}
        answer = client_of(node, "clin", is_fresh=False).post(reverse("research:care"), data)

        assert answer.status_code == 302
        assert reverse("accounts:reauthenticate") in answer.headers["Location"]
        assert not CareDocument.objects.exists()


def test_a_faulty_file_is_told_with_the_place_of_each_fault(care: CareCorridor) -> None:
    with care[NL] as node:
        broken = treatment_text(lambda text: text.replace('unit = "mg", route', 'unit = "tablet", route'))
        data = {"file": upload(broken), "agreement": care.agreement}
        answer = client_of(node, "clin").post(reverse("research:care"), data)

    assert answer.status_code == 400
    assert "/regimens/5/drugs/0/unit" in answer.content.decode()


def test_two_protocols_stand_side_by_side_with_what_differs_marked(care: CareCorridor) -> None:
    theirs, own = care.publish(DE, treatment_text()), care.publish(NL, treatment_text(ours))

    with care[NL] as node:
        client = client_of(node, "ren")
        first = client.get(reverse("research:care")).content.decode()
        query = {"left": own, "right": theirs}
        whole = words(client.get(reverse("research:care-compare"), query).content.decode())
        short = words(client.get(reverse("research:care-compare"), query | {"differing": "on"}).content.decode())

    assert f'<option value="{own}" selected>' in first
    assert f'<option value="{theirs}" selected>' in first
    assert "weekly-paclitaxel · paclitaxel · dose 90 mg/m2 80 mg/m2 differs" in whole
    assert "dose-dense-ac – no data Dose-dense AC, with filgrastim one side alone" in whole
    assert "weekly-paclitaxel · cycles 12 12 same" in whole
    assert "weekly-paclitaxel · cycles 12 12 same" not in short
    assert re.search(r"2 statements differ\. 1 stands in one protocol alone\. \d+ are the same\.", short)


def test_what_a_version_changes_is_one_link_away(care: CareCorridor) -> None:
    care.publish(DE, treatment_text())
    second = care.publish(
        DE, treatment_text(lambda text: text.replace("version = 1", "version = 2").replace("dose = 2.5", "dose = 5"))
    )

    with care[NL] as node:
        client = client_of(node, "ren")
        shown = client.get(reverse("research:care-document", args=[second])).content.decode()
        link = re.search(r'href="([^"]*compare[^"]*)"', shown)
        assert link is not None
        changed = words(client.get(link[1].replace("&amp;", "&")).content.decode())

    assert "letrozole · letrozole · dose 2.5 mg 5 mg differs" in changed


def test_a_schedule_is_shown_by_risk_group_with_its_windows(care: CareCorridor) -> None:
    hash_ = care.publish(DE, treatment_text(name="breast-cancer-follow-up"))

    with care[NL] as node:
        shown = words(client_of(node, "clin").get(reverse("research:care-document", args=[hash_])).content.decode())

    assert "every 4 months, from 4 to 24 months from 1 month before to 1 month after" in shown
    assert "Mammography Imaging every 12 months, from 12 to 120 months" in shown


@pytest.mark.parametrize("query", [{}, {"left": "x", "right": "y"}])
def test_a_comparison_of_what_is_not_here_is_no_page(care: CareCorridor, query: dict[str, str]) -> None:
    with care[NL] as node:
        assert client_of(node, "ren").get(reverse("research:care-compare"), query).status_code == 404


def test_a_person_without_a_part_in_care_sees_nothing_of_it(care: CareCorridor) -> None:
    with care[NL] as node:
        assert client_of(node, "epi").get(reverse("research:care")).status_code == 403
