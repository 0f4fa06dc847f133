"""The symposium of a study: entries of each site at both, figures by reference to a result."""

from __future__ import annotations

import csv
import io
import json
import re
import uuid
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from django.urls import reverse

from corridor.accounts.actors import Peer
from corridor.accounts.roles import NotPermitted
from corridor.base.clock import utcnow
from corridor.exchange.registry import Received
from corridor.exchange.rules.classes import DataClass
from corridor.exchange.rules.reasons import Reason, Refused
from corridor.pillars.research import handlers, queries, services
from corridor.pillars.research.messages import SymposiumEntryMessage
from corridor.pillars.research.models import Round, SymposiumEntry
from corridor.pillars.research.services.arrivals import TooEarly
from corridor.pillars.research.services.symposium import EntryUnfit
from tests.exchange.nodes import Corridor
from tests.research.caring import DE, NL, CareCorridor, client_of
from tests.research.studies import GOLDEN as COHORTS
from tests.research.studies import StudyCorridor, breast_protocol

GOLDEN = Path(__file__).parent / "golden"
STUDY = "breast-hormone"
ENTRY = "01890a5d-ac96-774b-bcce-b302099a8057"


@pytest.fixture
def made(make_corridor: Callable[..., Corridor]) -> StudyCorridor:
    """Return a study that both sites have signed, under an agreement that opens its symposium too."""
    care = CareCorridor(make_corridor, now=utcnow())
    study = StudyCorridor(care.corridor, *breast_protocol(), agreement=care.agreement)
    study.propose()
    for site in study.nodes:
        study.sign(site)
    study.corridor.settle()
    return study


def message(**changed: Any) -> SymposiumEntryMessage:
    members: dict[str, Any] = {
        "study": STUDY,
        "entry": ENTRY,
        "revision": 1,
        "year": 2026,
        "kind": "decision",
        "text": "Both centres record the grade by the same system.",
        "owner": "Pathology, both centres",
        "day": date(2027, 3, 1),
        "standing": "open",
        "run": None,
        "blocks": "",
        "stated_at": datetime(2026, 6, 1, 8, tzinfo=UTC),
        "simulated": True,
    }
    return SymposiumEntryMessage(**members | changed)


def received(body: SymposiumEntryMessage, *, sender: str = DE) -> Received:
    return Received(body, None, "e-1", sender, "a" * 64, None, "b" * 64, 7)


def add(study: StudyCorridor, site: str, kind: str, text: str, *, by: str = "ren", run: str | None = None) -> str:
    with study.nodes[site] as node:
        entry = services.add_entry(
            study=STUDY,
            year=2026,
            kind=kind,
            text=text,
            owner="Statistics",
            day=None,
            run=uuid.UUID(run) if run else None,
            actor=node.person(by),
            now=node.now,
        )
    return str(entry.pk)


def words(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>|[\u2068\u2069]", " ", html))


def page(study: StudyCorridor, site: str, name: str = "symposium", *, who: str = "ren") -> str:
    with study.nodes[site] as node:
        return str(client_of(node, who).get(reverse(f"research:{name}", args=[STUDY])).content.decode())


def test_the_bytes_of_the_message_never_change() -> None:
    golden = (GOLDEN / "research.symposium.1.json").read_bytes().removesuffix(b"\n")

    assert message().to_bytes() == golden
    assert SymposiumEntryMessage.from_bytes(golden).computed_class() is DataClass.PUBLIC


@pytest.mark.parametrize("changed", [{"kind": "figure"}, {"run": ENTRY, "blocks": "a" * 64}, {"run": ENTRY}])
def test_a_figure_alone_names_a_run_and_its_blocks(changed: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="a figure names the run"):
        message(**changed)


def test_both_sites_see_what_each_brings_and_only_its_author_changes_it(made: StudyCorridor) -> None:
    mine = add(made, "nl", "agenda", "Opening and last year's decisions")
    theirs = add(made, "de", "decision", "One code list for the grade", by="stew")
    made.settle()

    with made.nodes["de"] as node:
        seen = {each.text: each.is_own for each in queries.symposium_entries(STUDY, actor=node.person("ren"))}
        assert seen == {"Opening and last year's decisions": False, "One code list for the grade": True}
        with pytest.raises(EntryUnfit):
            services.change_entry(entry=uuid.UUID(mine), standing="done", actor=node.person("ren"), now=node.now)
        services.change_entry(entry=uuid.UUID(theirs), standing="done", actor=node.person("ren"), now=node.now)
    made.settle()

    with made.nodes["nl"]:
        assert SymposiumEntry.objects.get(pk=theirs).standing == "done"
        assert SymposiumEntry.objects.get(pk=mine).standing == "open"


def test_what_is_withdrawn_is_gone_at_both_sites(made: StudyCorridor) -> None:
    entry = add(made, "nl", "publication", "A paper that will not be written")
    made.settle()
    with made.nodes["nl"] as node:
        services.change_entry(entry=uuid.UUID(entry), standing="withdrawn", actor=node.person("ren"), now=node.now)
    made.settle()

    assert "A paper that will not be written" not in page(made, "nl") + page(made, "de")


def run_of(made: StudyCorridor, analysis: str = "primary") -> str:
    for site in made.nodes:
        made.freeze(site, COHORTS / f"site_{site}.csv")
    made.corridor.settle()
    run = made.request(analysis)
    made.settle()
    return run


def test_a_figure_says_what_its_result_says_at_both_sites(made: StudyCorridor) -> None:
    run = run_of(made)
    add(made, "nl", "figure", "The main result, for the opening talk", run=run)
    made.settle()

    hazard_ratio = made.run(run).result["values"]["hr"][0]
    for site in ("nl", "de"):
        assert f"Hormonal treatment: hazard ratio {hazard_ratio:.2f}" in words(page(made, site))
        document = json.loads(page(made, site, "symposium-json"))
        assert document["entries"][0]["result"]["values"]["hr"][0] == made.run(run, site).result["values"]["hr"][0]
        assert document["entries"][0]["same_at_both"] is True


def test_a_figure_whose_blocks_differ_says_so(made: StudyCorridor) -> None:
    run = run_of(made, "baseline-numbers")
    add(made, "nl", "figure", "Ages", run=run)
    made.settle()
    with made.nodes["de"]:
        block = Round.objects.filter(run=run).first()
        assert block is not None
        name = next(iter(block.numbers))
        block.numbers[name][0] += 1
        block.save()

    assert "holds other blocks of this run" in page(made, "de")
    assert "holds other blocks of this run" not in page(made, "nl")


def test_a_figure_of_a_run_without_a_result_is_not_added(made: StudyCorridor) -> None:
    run = made.request("primary")

    for unfit in (run, ENTRY):
        with pytest.raises(EntryUnfit, match="a figure is taken from a result"):
            add(made, "nl", "figure", "Too early", run=unfit)
    with pytest.raises(EntryUnfit, match="expected one of agenda"):
        add(made, "nl", "banquet", "No such kind")
    with pytest.raises(EntryUnfit, match="other entries name none"):
        add(made, "nl", "agenda", "No figure", run=run)


@pytest.mark.parametrize("text", ["", "x" * 2001, "red\x1b[31m", "name\u202etxt.exe"])
def test_a_text_that_is_not_shown_as_it_is_written_is_not_added_and_not_taken(made: StudyCorridor, text: str) -> None:
    with pytest.raises(EntryUnfit, match="without control characters: text"):
        add(made, "nl", "agenda", text)
    with pytest.raises(ValueError, match="text"):
        message(text=text)
    with made.nodes["nl"]:
        assert not SymposiumEntry.objects.exists()


def test_an_auditor_reads_and_adds_nothing(made: StudyCorridor) -> None:
    with pytest.raises(NotPermitted):
        add(made, "nl", "agenda", "Not mine to say", by="eye")
    assert "Bring something" not in page(made, "nl", who="eye")
    assert "Bring something" in page(made, "nl")


@pytest.mark.parametrize(
    ("body", "sender", "fault"),
    [
        (message(study="another"), DE, TooEarly),
        (message(), "fr.stranger", Refused),
        (message(kind="figure", run=ENTRY, blocks="a" * 64), DE, TooEarly),
    ],
)
def test_what_does_not_fit_is_refused_or_comes_again(
    made: StudyCorridor, body: SymposiumEntryMessage, sender: str, fault: type[Exception]
) -> None:
    with made.nodes["nl"] as node:
        with pytest.raises(fault):
            handlers.entries_arrived([received(body, sender=sender)], actor=Peer(sender), now=node.now)
        assert not SymposiumEntry.objects.exists()


def test_no_site_takes_the_entry_of_another_and_no_earlier_revision_counts(made: StudyCorridor) -> None:
    mine = add(made, "nl", "agenda", "Ours")
    with made.nodes["nl"] as node:
        forged = message(entry=mine, revision=9, text="Theirs now")
        with pytest.raises(Refused) as caught:
            handlers.entries_arrived([received(forged)], actor=Peer(DE), now=node.now)
        assert caught.value.reason is Reason.NOT_A_PARTY
        for revision, text in ((3, "Third"), (2, "Second")):
            later = received(message(revision=revision, text=text))
            handlers.entries_arrived([later], actor=Peer(DE), now=node.now)
        assert SymposiumEntry.objects.get(pk=ENTRY).text == "Third"


def test_own_entries_come_back_after_a_restore_and_received_ones_go_with_their_envelope(made: StudyCorridor) -> None:
    with made.nodes["nl"] as node:
        handlers.entries_returned([received(message(), sender=NL)], actor=Peer(DE), now=node.now)
        theirs = message(entry=ENTRY.replace("0", "1", 1), text="Theirs")
        handlers.entries_arrived([received(theirs)], actor=Peer(DE), now=node.now)

        assert handlers.entries_deleted([7], actor=Peer(DE), now=node.now) == 1
        assert [(row.node, str(row.pk)) for row in SymposiumEntry.objects.all()] == [(NL, ENTRY)]


def test_people_add_and_mark_on_the_page_and_export_it(made: StudyCorridor) -> None:
    with made.nodes["nl"] as node:
        client, url = client_of(node, "clin"), reverse("research:symposium", args=[STUDY])
        data = {"kind": "decision", "year": "2026", "text": "=1+1 share the template", "owner": "Data office"}
        assert "Added." in client.post(url, data, follow=True).content.decode()
        lacking = client.post(url, data | {"kind": "figure"})
        assert lacking.status_code == 400
        assert "Choose the result that the figure is taken from." in lacking.content.decode()
        entry = SymposiumEntry.objects.get()
        shown = client.get(url).content.decode()
        assert "1 decision is open." in shown
        change = reverse("research:symposium-change", args=[STUDY, entry.pk])
        client.post(change, {"standing": "done"})
        assert "0 decisions are open." in client.get(url).content.decode()
        table = client.get(reverse("research:symposium-csv", args=[STUDY])).content.decode().lstrip("\ufeff")
        (row,) = csv.DictReader(io.StringIO(table))

    assert (row["text"], row["owner"], row["standing"]) == ("'=1+1 share the template", "Data office", "done")
