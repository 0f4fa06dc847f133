"""Figures that the ledger holds back, and two persons who let them go and answer for what they tell."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import click
import pytest
from click.testing import CliRunner
from django.conf import settings
from django.test import Client

from corridor.accounts.actors import System
from corridor.accounts.approvals import answers_for, approve
from corridor.accounts.commands import COMMANDS as PEOPLE
from corridor.accounts.models import ApprovalRequest, AuditEntry, Person
from corridor.accounts.services import add_person
from corridor.accounts.tokens import issue_token
from corridor.base.clock import utcnow
from corridor.base.disclosure import Breach, Cell, conceded
from corridor.base.errors import Refused, UserFault
from corridor.exchange.models import Crossing, LogLeaf, ReleasedCell
from corridor.exchange.rules.release import concessions, unanswered
from corridor.exchange.services.release import breaches
from corridor.pillars.surveillance import queries, services, tasks
from corridor.pillars.surveillance.commands import COMMANDS
from corridor.pillars.surveillance.messages import PeriodCounts
from tests.exchange.conftest import make_corridor, postgres, template  # noqa: F401  # fixtures
from tests.exchange.nodes import Corridor
from tests.surveillance.test_review import CN, PK, SQLITE, STRICT, crossed
from tests.surveillance.test_sharing import END, FIRST, channel, ingest, weekly

REASON = "The joint outbreak meeting needs the total."
WEEK = FIRST + timedelta(weeks=3)


def cell(value: int | None = None, *, place: str = "PK", withheld: str = "") -> Cell:
    return Cell("measles", place, WEEK, WEEK + timedelta(days=7), value=value, withheld=withheld)


# --- the rule -----------------------------------------------------------------------------------------------------


def narrowed(place: str = "PK-GB", *, lower: int | None = 3, upper: int | None = 3, reason: Any = "narrowed") -> Breach:
    return Breach(cell(place=place, withheld="below-5"), 5, lower, upper, reason)


def test_two_persons_answer_for_what_they_were_shown_and_for_nothing_else():
    offered = [cell(12)]
    agreed = concessions([narrowed()])
    assert agreed == [cell(place="PK-GB", withheld=conceded(3, 3))]
    assert unanswered([narrowed()], offered=offered, agreed=agreed) == []
    assert unanswered([narrowed(lower=2)], offered=offered, agreed=agreed) == [narrowed(lower=2)]
    assert unanswered([narrowed()], offered=offered, agreed=[]) == [narrowed()]


def test_a_withheld_figure_itself_is_never_shown_by_hand():
    itself = narrowed("PK")
    assert unanswered([itself], offered=[cell(3)], agreed=concessions([itself])) == [itself]


@pytest.mark.parametrize(
    "unknown",
    [
        narrowed(lower=None, upper=None, reason="contradiction"),
        narrowed(lower=None, upper=None, reason="too-large"),
        narrowed(upper=None),
    ],
)
def test_nobody_answers_for_what_is_not_known(unknown):
    assert unanswered([unknown], offered=[cell(12)], agreed=concessions([unknown])) == [unknown]


# --- between two nodes --------------------------------------------------------------------------------------------


@pytest.fixture
def held(make_corridor: Callable[..., Corridor]) -> tuple[Corridor, str]:  # noqa: F811
    """Return a corridor where provinces have crossed, one of them withheld, and the country's total waits."""
    corridor = make_corridor(CN, PK)
    provinces, country = (
        corridor.sign(
            channels=[channel(level, PeriodCounts.schema_id(), period="week", place_level=level, disclosure=STRICT)]
        )
        for level in ("admin1", "country")
    )
    node = corridor[PK]
    with node:
        for name, role in (("amina", "epidemiologist"), ("bilal", "steward"), ("omar", "auditor")):
            add_person(name, roles=[role], actor=System("tests"), now=node.now - timedelta(days=30))
    ingest(node, weekly({"PK-PB": [12, 8, 7, 9], "PK-GB": [9, 9, 8, 3]}))
    for agreement in (provinces, country):
        with node:
            view = view_of(node, agreement)
            tasks.share_channel(view, first_on=FIRST, end_on=END, codes=["measles"], actor=who("amina"), now=node.now)
        corridor.settle()
    return corridor, country


def who(name: str) -> Person:
    return Person.objects.get(username=name)


def view_of(node: Any, agreement: str) -> Any:
    (view,) = queries.channels(actor=who("amina"), schema=PeriodCounts.schema_id(), now=node.now, agreement=agreement)
    return view


def weigh(node: Any, agreement: str, *keys: tuple[str, date], actor: str = "amina") -> services.Weighed:
    view = view_of(node, agreement)
    return services.weigh(channel=view, to=CN, disease="measles", figures=keys or [("PK", WEEK)], actor=who(actor))


def ask(node: Any, agreement: str, *, reason: str = REASON) -> Any:
    return services.ask_release(
        channel=view_of(node, agreement),
        to=CN,
        disease="measles",
        weighed=weigh(node, agreement),
        reason=reason,
        actor=who("amina"),
        now=node.now,
    )


def totals(corridor: Corridor) -> dict[date, int | None]:
    return {
        each.period_start: each.value
        for message in crossed(corridor, to=CN)
        if isinstance(message, PeriodCounts)
        for each in message.counts
        if each.place == "PK"
    }


def test_a_held_total_goes_with_the_yes_of_two_persons_and_everything_says_so(held: tuple[Corridor, str]) -> None:
    corridor, agreement = held
    node = corridor[PK]
    assert WEEK not in totals(corridor)
    with node:
        view = view_of(node, agreement)
        (waiting,) = tasks.held_back(view, first_on=FIRST, end_on=END, actor=who("amina"))
        assert (waiting.place, waiting.start_on, waiting.value, waiting.can_go) == ("PK", WEEK, 12, True)
        outcome = ask(node, agreement)
        assert not outcome.done
    corridor.settle()
    assert WEEK not in totals(corridor)

    with node:
        approve(outcome.request_id, actor=who("bilal"), now=node.now)
    corridor.settle()

    assert totals(corridor)[WEEK] == 12
    with node:
        crossing = Crossing.objects.get(hand_release__isnull=False)
        hand = crossing.hand_release
        assert (hand.asked_by, hand.allowed_by, hand.reason, hand.narrowed) == ("amina", "bilal", REASON, 1)
        leaf = LogLeaf.objects.get(tree=crossing.tree, index=crossing.leaf_index)
        record = json.loads(bytes(leaf.record))
        assert (record["released_by_hand"], record["released_because"]) == ("amina, bilal", REASON)
        entry = AuditEntry.objects.get(action="accounts.approve", outcome="done", detail__kind=services.BY_HAND)
        assert (entry.actor, entry.detail["released_by_hand"], entry.detail["first"]) == ("bilal", True, "amina")
        assert entry.detail["reason"] == REASON
        assert str(record).count("conceded") == str(entry.detail).count("conceded") == 0


def test_the_ledger_reckons_from_then_on_with_what_the_partner_can_work_out(held: tuple[Corridor, str]) -> None:
    corridor, agreement = held
    node = corridor[PK]
    with node:
        approve(ask(node, agreement).request_id, actor=who("bilal"), now=node.now)
        assert [(row.place, row.withheld) for row in ReleasedCell.objects.filter(withheld__startswith="conceded")] == [
            ("PK-GB", "conceded-3-3")
        ]
        month = Cell("measles", "PK", FIRST, END, value=65)
        assert breaches([month]) == []
        # Without what was conceded, a figure that tells nothing more would wait for ever.
        ReleasedCell.objects.filter(withheld__startswith="conceded").delete()
        assert breaches([month]) != []


def test_what_the_partner_could_work_out_is_told_to_those_who_may_decide_and_to_nobody_else(
    held: tuple[Corridor, str],
) -> None:
    corridor, agreement = held
    node = corridor[PK]
    with node:
        (found,) = {(each.cell.place, each.lower, each.upper) for each in weigh(node, agreement).deductions}
        assert found == ("PK-GB", 3, 3)
        request = ApprovalRequest.objects.get(pk=ask(node, agreement).request_id)
        (line,) = answers_for(request, actor=who("bilal"))
        assert "it is 3" in line
        assert answers_for(request, actor=who("omar")) == []


def test_one_person_alone_or_one_without_the_role_releases_nothing(held: tuple[Corridor, str]) -> None:
    corridor, agreement = held
    node = corridor[PK]
    with node:
        request = ask(node, agreement).request_id
        for name in ("amina", "omar"):
            with pytest.raises(Refused):
                approve(request, actor=who(name), now=node.now)
        with pytest.raises(Refused):
            weigh(node, agreement, actor="omar")
    corridor.settle()
    assert WEEK not in totals(corridor)


def test_two_of_whom_one_appointed_the_other_this_week_release_nothing(held: tuple[Corridor, str]) -> None:
    corridor, agreement = held
    node = corridor[PK]
    with node:
        Person.objects.filter(username="bilal").update(appointed_by=who("amina"), appointed_at=node.now)
        request = ask(node, agreement).request_id
        with pytest.raises(Refused, match="less than 7 days"):
            approve(request, actor=who("bilal"), now=node.now)


def test_a_figure_that_changed_since_is_not_released(held: tuple[Corridor, str]) -> None:
    corridor, agreement = held
    node = corridor[PK]
    with node:
        request = ask(node, agreement).request_id
    corridor.advance(hours=1)
    ingest(node, weekly({"PK-PB": [12, 8, 7, 10], "PK-GB": [9, 9, 8, 3]}))
    with node, pytest.raises(services.NotHeld, match="has changed"):
        approve(request, actor=who("bilal"), now=node.now)
    corridor.settle()
    assert WEEK not in totals(corridor)


def test_when_the_partner_could_work_out_more_than_was_shown_nothing_is_released(held: tuple[Corridor, str]) -> None:
    corridor, agreement = held
    node = corridor[PK]
    with node:
        request = ApprovalRequest.objects.get(pk=ask(node, agreement).request_id)
        request.arguments["tells"][0][-2:] = [2, 3]
        request.save()
        with pytest.raises(services.CannotBeReleased, match="something else than what was shown"):
            approve(request.pk, actor=who("bilal"), now=node.now)
    corridor.settle()
    assert WEEK not in totals(corridor)


def test_a_small_figure_stays_withheld_whoever_asks(held: tuple[Corridor, str]) -> None:
    corridor, _ = held
    node = corridor[PK]
    with node:
        # An agreement that would show it from one case on, while another withholds it.
        loose = [{"disease": "*", "stratum": "total", "min_cell": 1}]
    one = channel("loose", PeriodCounts.schema_id(), period="week", disclosure=loose)
    agreement = corridor.sign(channels=[one | {"clause": "9"}])
    with node, pytest.raises(services.CannotBeReleased, match="itself withheld"):
        weigh(node, agreement, ("PK-GB", WEEK))


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ([("PK", WEEK + timedelta(weeks=9))], "not held back"),
        ([("PK", FIRST)], "not held back"),
        ([("PK", FIRST + timedelta(days=n)) for n in range(21)], "1 to 20 figures"),
    ],
)
def test_what_is_not_held_back_cannot_be_asked_for(
    held: tuple[Corridor, str], keys: list[tuple[str, date]], message: str
) -> None:
    corridor, agreement = held
    with corridor[PK] as node, pytest.raises(services.NotHeld, match=message):
        weigh(node, agreement, *keys)


def test_a_release_needs_a_reason(held: tuple[Corridor, str]) -> None:
    corridor, agreement = held
    with corridor[PK] as node, pytest.raises(services.NotHeld, match="needs a reason"):
        ask(node, agreement, reason="  ")


@SQLITE
def test_commands_list_ask_and_release(held: tuple[Corridor, str], monkeypatch: pytest.MonkeyPatch) -> None:
    corridor, agreement = held
    node = corridor[PK]
    group = click.Group(commands=[*COMMANDS, *PEOPLE])
    for module in ("corridor.pillars.surveillance.commands.sharing", "corridor.accounts.commands"):
        monkeypatch.setattr(f"{module}.utcnow", lambda: node.now)

    def run(name: str, *words: str, answer: str = "") -> Any:
        person = who(name)
        monkeypatch.setenv("CORRIDOR_TOKEN", issue_token(person, name="t", actor=person, now=node.now))
        return CliRunner().invoke(group, words, input=answer)

    common = ("--agreement", agreement[:12])
    wanted = ("--channel", "country", "--to", CN, "--disease", "measles", "--reason", REASON)
    with node:
        listed = run("amina", "share", "held", *common, "--weeks", "2026-W19..2026-W22")
        assert listed.stdout == f"country to {CN}: measles PK {WEEK}, 12 cases\n"
        no = run("amina", "share", "release", f"PK:{WEEK}", *common, *wanted, answer="n\n")
        assert "it is 3" in no.stdout
        assert no.exit_code == 1
        assert ApprovalRequest.objects.filter(kind=services.BY_HAND).count() == 0
        yes = run("amina", "share", "release", f"PK:{WEEK}", *common, *wanted, "--yes")
        assert "waits for a second person" in yes.stdout
        request = ApprovalRequest.objects.get(kind=services.BY_HAND)
        waiting = run("bilal", "approve")
        assert "it is 3" in waiting.stdout
        assert "it is 3" not in run("omar", "approve").stdout
        assert "approved and done" in run("bilal", "approve", str(request.pk)).stdout
        assert run("amina", "share", "held", *common, "--weeks", "2026-W19..2026-W22").stdout == (
            "The ledger holds nothing back.\n"
        )
        wrong = run("amina", "share", "release", "PK", *common, *wanted)
        assert isinstance(wrong.exception, UserFault)
        assert wrong.exception.exit_code == 2
    corridor.settle()
    assert totals(corridor)[WEEK] == 12


# --- the page -----------------------------------------------------------------------------------------------------


def browser_of(name: str, *, language: str = "en") -> Client:
    """Return a client of someone who gave the password just now."""
    client = Client(headers={"accept-language": language})
    Person.objects.filter(username=name).update(must_change_password=False, language=language)
    client.force_login(who(name), backend="corridor.accounts.login.PasswordBackend")
    session = client.session
    session["reauthenticated_at"] = utcnow().timestamp()
    session.save()
    client.cookies[settings.LANGUAGE_COOKIE_NAME] = language
    return client


@SQLITE
def test_the_page_says_what_a_release_would_tell_before_anyone_can_ask_for_it(
    held: tuple[Corridor, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    corridor, agreement = held
    node = corridor[PK]
    for module in ("held", "partners"):
        monkeypatch.setattr(f"corridor.pillars.surveillance.views.{module}.utcnow", lambda: node.now)
    monkeypatch.setattr("corridor.accounts.office.utcnow", lambda: node.now)
    with node:
        client = browser_of("amina")
        address = f"/surveillance/partners/held/{agreement}/country/"
        listed = client.get(address).content.decode()
        assert f'value="PK:{WEEK}"' in listed
        assert "Ask for the release by hand" not in listed
        weighed = client.get(address, {"to": CN, "disease": "measles", "figures": f"PK:{WEEK}"}).content.decode()
        assert "it is 3" in weighed
        shown = re.search(r'name="shown" value="([0-9a-f]{64})"', weighed)
        assert shown is not None
        asked = {"to": CN, "disease": "measles", "figures": f"PK:{WEEK}", "reason": REASON, "shown": "0" * 64}
        client.post(f"{address}ask/", asked)
        assert not ApprovalRequest.objects.filter(kind=services.BY_HAND).exists()
        client.post(f"{address}ask/", asked | {"shown": shown[1]})
        request = ApprovalRequest.objects.get(kind=services.BY_HAND)

        second = browser_of("bilal")
        assert "it is 3" in second.get("/accounts/approvals").content.decode()
        assert "it is 3" not in browser_of("omar").get("/accounts/approvals").content.decode()
        second.post(f"/accounts/approvals/{request.pk}", {"answer": "yes"})
        crossing = Crossing.objects.get(hand_release__isnull=False)
        page = browser_of("omar").get(f"/exchange/crossings/{crossing.pk}/").content.decode()
        assert "Released by hand" in page
        assert REASON in page
        assert "it is 3" not in page
        assert "Released by hand" in browser_of("omar").get("/exchange/crossings/").content.decode()


@SQLITE
def test_the_page_asks_for_the_password_and_refuses_what_is_no_figure(
    held: tuple[Corridor, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    corridor, agreement = held
    node = corridor[PK]
    monkeypatch.setattr("corridor.pillars.surveillance.views.held.utcnow", lambda: node.now)
    address = f"/surveillance/partners/held/{agreement}/country/"
    with node:
        client = browser_of("amina")
        assert client.get(address, {"to": CN, "disease": "measles", "figures": "PK"}).status_code == 200
        wrong = client.get(address, {"to": CN, "disease": "measles", "figures": f"PK:{FIRST}"})
        assert "Choose again from the list" in wrong.content.decode()
        assert client.get(f"/surveillance/partners/held/{agreement}/nowhere/").status_code == 404
        session = client.session
        session["reauthenticated_at"] = 0.0
        session.save()
        assert client.get(address).headers["Location"].startswith("/accounts/again")
