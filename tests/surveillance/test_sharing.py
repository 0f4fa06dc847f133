"""From one node's file to the partner's board, under an agreement, over the wire of the exchange's own tests."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import click
import polars as pl
import pytest
from click.testing import CliRunner

from corridor.accounts.actors import System
from corridor.accounts.services import add_person
from corridor.accounts.tokens import issue_token
from corridor.base.errors import UserFault
from corridor.exchange.rules.agreement import draft
from corridor.exchange.services import agreement_acts
from corridor.jobs.worker import run_due
from corridor.pillars.surveillance import queries, services, tasks
from corridor.pillars.surveillance.commands import COMMANDS
from corridor.pillars.surveillance.messages import Alert, AlertWithdrawal, CaseNotification, PeriodCounts
from corridor.pillars.surveillance.models import PartnerCount, SharedCount
from corridor.pillars.surveillance.services import due
from corridor.pillars.surveillance.tables import Mapping
from tests.exchange.conftest import make_corridor, postgres, template  # noqa: F401  # fixtures
from tests.exchange.nodes import Corridor, Node

STEWARD = System("test")
FIRST, END = date(2026, 5, 4), date(2026, 6, 1)


def channel(name: str, message: str, **members: Any) -> dict[str, Any]:
    return {
        "id": name,
        "clause": "4",
        "from": ["cn.cdc", "pk.nih"],
        "to": ["cn.cdc", "pk.nih"],
        "message": message,
        "data_class": "aggregate",
        "purpose": "disease-surveillance",
        "place_level": "admin1",
        "disclosure": [
            {"disease": "*", "stratum": "total", "min_cell": 5},
            {"disease": "cholera", "stratum": "total", "min_cell": 1},
        ],
        "caps": {"envelopes_per_day": 10_000, "persons_per_year": 0},
        "acceptance": "automatic",
        **members,
    }


CHANNELS = [
    channel("counts", PeriodCounts.schema_id(), period="week"),
    channel("alerts", Alert.schema_id(), period="week"),
    channel("withdrawals", AlertWithdrawal.schema_id(), data_class="public"),
    channel("cases", CaseNotification.schema_id(), period="day"),
]


@pytest.fixture
def signed(make_corridor: Callable[..., Corridor]) -> tuple[Corridor, str]:  # noqa: F811  # the fixture
    corridor = make_corridor("cn.cdc", "pk.nih")
    draft(corridor.source(channels=CHANNELS), texts={"en": b"text"})
    return corridor, corridor.sign(channels=CHANNELS)


def ingest(node: Node, rows: list[dict[str, object]], *, kind: str = "counts", simulated: bool = True) -> None:
    frame = pl.DataFrame(rows, infer_schema_length=None)
    mapping = Mapping(simulated=simulated, period="week" if kind == "counts" else "")
    with node:
        read = tasks.read_file(
            frame.write_csv().encode(), name="counts.csv", kind=kind, mapping=mapping, as_of=node.now
        )
        assert read.outcome.left_out == 0, read.outcome.rejects
        tasks.take_in(read, source="Punjab", as_of=node.now, actor=STEWARD, now=node.now)


def weekly(values: dict[str, list[int]], disease: str = "measles") -> list[dict[str, object]]:
    return [
        {
            "disease": disease,
            "place": place,
            "week": str(FIRST + timedelta(weeks=number)),
            "observed": value,
            "sites_reported": 18,
            "sites_expected": 20,
        }
        for place, row in values.items()
        for number, value in enumerate(row)
    ]


def share(node: Node, agreement: str, disease: str = "measles") -> services.Shared:
    with node:
        (view,) = queries.channels(
            actor=STEWARD, schema=PeriodCounts.schema_id(), now=node.now, agreement=agreement[:12]
        )
        (result,) = tasks.share_channel(view, first_on=FIRST, end_on=END, codes=[disease], actor=STEWARD, now=node.now)
        return result


def seen(node: Node, disease: str = "measles") -> dict[tuple[str, date], tuple[int | None, str, int]]:
    with node:
        frame = queries.partner_counts(actor=STEWARD, disease=disease, period="week", first_on=date(2026, 1, 1))
        rows = frame.select("place", "start_on", "value", "withheld", "revision").iter_rows()
        return {(place, start): (value, withheld, revision) for place, start, value, withheld, revision in rows}


def test_counts_reach_the_partners_board_and_small_ones_as_withheld(signed: tuple[Corridor, str]) -> None:
    corridor, agreement = signed
    ingest(corridor["pk.nih"], weekly({"PK-PB": [12, 0, 7, 30], "PK-GB": [3, 9, 8, 6]}))
    result = share(corridor["pk.nih"], agreement)
    corridor.settle()

    assert (result.sent, result.withheld, result.refused) == (8, 1, ())
    board = seen(corridor["cn.cdc"])
    assert board["PK-PB", FIRST] == (12, "", 1)
    assert board["PK-PB", FIRST + timedelta(weeks=1)] == (0, "", 1)
    assert board["PK-GB", FIRST] == (None, "below-5", 1)
    with corridor["cn.cdc"]:
        row = PartnerCount.objects.get(place="PK-PB", start_on=FIRST)
        assert (row.sites_reported, row.sites_expected, row.simulated) == (18, 20, True)


def test_without_the_rule_the_small_figure_would_have_crossed(signed: tuple[Corridor, str]) -> None:
    corridor, agreement = signed
    ingest(corridor["pk.nih"], weekly({"PK-GB": [3, 9, 8, 6]}, disease="cholera"))
    share(corridor["pk.nih"], agreement, disease="cholera")
    corridor.settle()

    assert seen(corridor["cn.cdc"], "cholera")["PK-GB", FIRST] == (3, "", 1)


def test_only_what_changed_is_sent_again_and_replaces_by_itself(signed: tuple[Corridor, str]) -> None:
    corridor, agreement = signed
    pakistan = corridor["pk.nih"]
    ingest(pakistan, weekly({"PK-PB": [12, 6, 7, 30]}))
    share(pakistan, agreement)
    corridor.settle()

    assert share(pakistan, agreement).sent == 0

    ingest(pakistan, weekly({"PK-PB": [12, 8, 7, 30]}))
    result = share(pakistan, agreement)
    corridor.settle()

    assert (result.sent, result.unchanged) == (1, 3)
    assert seen(corridor["cn.cdc"])["PK-PB", FIRST + timedelta(weeks=1)] == (8, "", 2)
    assert seen(corridor["cn.cdc"])["PK-PB", FIRST] == (12, "", 1)


def test_figures_of_other_countries_and_of_whole_countries_stay_at_home(signed: tuple[Corridor, str]) -> None:
    corridor, agreement = signed
    ingest(corridor["pk.nih"], weekly({"PK-PB": [12, 6, 7, 30], "AF-KAB": [20, 20, 20, 20], "PK": [90, 90, 90, 90]}))
    result = share(corridor["pk.nih"], agreement)

    assert result.sent == 4
    with corridor["pk.nih"]:
        assert set(SharedCount.objects.values_list("place", flat=True)) == {"PK-PB"}


def test_a_refused_message_leaves_nothing_marked_as_sent(signed: tuple[Corridor, str]) -> None:
    corridor, _ = signed
    pakistan = corridor["pk.nih"]
    ingest(pakistan, weekly({"PK-PB": [12, 6, 7, 30]}))
    with pakistan:
        (view,) = queries.channels(actor=STEWARD, schema=PeriodCounts.schema_id(), now=pakistan.now)
        foreign = type(view)(
            agreement=view.agreement, title="", channel={**view.channel, "id": "nowhere"}, partners=view.partners
        )
        (result,) = tasks.share_channel(
            foreign, first_on=FIRST, end_on=END, codes=["measles"], actor=STEWARD, now=pakistan.now
        )

        assert result.refused
        assert (result.sent, SharedCount.objects.count()) == (0, 0)


def test_an_import_shares_by_itself_where_a_person_said_so(signed: tuple[Corridor, str]) -> None:
    corridor, agreement = signed
    pakistan = corridor["pk.nih"]
    with pakistan:
        services.set_automatic(agreement=agreement, channel="counts", is_on=True, actor=STEWARD, now=pakistan.now)
    corridor.advance(days=1)
    ingest(pakistan, weekly({"PK-PB": [12, 6, 7, 30]}))
    with pakistan:
        run_due(now=pakistan.now)
    corridor.settle()

    assert len(seen(corridor["cn.cdc"])) == 4


def test_an_alert_arrives_and_is_withdrawn(signed: tuple[Corridor, str]) -> None:
    corridor, _ = signed
    pakistan, china = corridor["pk.nih"], corridor["cn.cdc"]
    corridor.advance(days=60)
    ingest(pakistan, weekly({"PK-PB": [5, 6, 7, 5, 6, 5, 7, 6, 5, 6, 61]}))
    with pakistan:
        tasks.detect_disease("measles", actor=STEWARD, now=pakistan.now)
        (signal, *_), _ = queries.signals(actor=STEWARD)
        (alerts,) = queries.channels(actor=STEWARD, schema=Alert.schema_id(), now=pakistan.now)
        (sent,) = services.share_alert(
            signal_id=signal.id, channel=alerts, text_code="cluster", actor=STEWARD, now=pakistan.now
        )
    corridor.settle()
    with china:
        (alert,) = queries.partner_alerts(actor=STEWARD, only_unseen=True)
        assert (alert.place, alert.observed, alert.severity, alert.simulated) == ("PK-PB", 61, "urgent", True)

    with pakistan:
        (withdrawals,) = queries.channels(actor=STEWARD, schema=AlertWithdrawal.schema_id(), now=pakistan.now)
        services.withdraw_alert(
            event=str(sent.event), channel=withdrawals, reason_code="not-confirmed", actor=STEWARD, now=pakistan.now
        )
        with pytest.raises(services.NothingToWithdraw):
            services.withdraw_alert(
                event=str(sent.event), channel=withdrawals, reason_code="resolved", actor=STEWARD, now=pakistan.now
            )
    corridor.settle()
    with china:
        assert queries.partner_alerts(actor=STEWARD)[0].withdrawal_code == "not-confirmed"


def test_one_suspected_case_of_an_immediately_notifiable_disease_crosses_at_once(
    signed: tuple[Corridor, str],
) -> None:
    corridor, agreement = signed
    pakistan, china = corridor["pk.nih"], corridor["cn.cdc"]
    day = str(pakistan.now.date() - timedelta(days=1))
    row = {"case_id": "1", "disease": "cholera", "place": "PK-GB", "report_on": day, "classification": "suspected"}
    with pakistan:
        services.set_automatic(agreement=agreement, channel="cases", is_on=True, actor=STEWARD, now=pakistan.now)
    ingest(pakistan, [row], kind="line-list")
    with pakistan:
        run_due(now=pakistan.now)
        run_due(now=pakistan.now + timedelta(hours=1))
    corridor.settle()

    with china:
        (found,) = queries.partner_alerts(actor=STEWARD, only_unseen=True)
        assert (found.disease, found.place, found.observed, str(found.start_on)) == ("cholera", "PK-GB", 1, day)


def test_someone_without_the_role_cannot_share(signed: tuple[Corridor, str]) -> None:
    from corridor.accounts.roles import NotPermitted

    corridor, _ = signed
    with corridor["pk.nih"] as node:
        auditor = add_person("omar", roles=["auditor"], actor=System("tests"), now=node.now)
        with pytest.raises(NotPermitted):
            queries.channels(actor=auditor, schema=PeriodCounts.schema_id(), now=node.now)


def test_a_suspended_agreement_stops_sharing_and_says_so(
    signed: tuple[Corridor, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    corridor, agreement = signed
    pakistan = corridor["pk.nih"]
    ingest(pakistan, weekly({"PK-PB": [12, 6, 7, 30]}))
    command = ["share", "counts", "--agreement", agreement[:12], "--weeks", "2026-W19..2026-W22"]
    with pakistan:
        person = add_person("amina", roles=["epidemiologist"], actor=System("tests"), now=pakistan.now)
        monkeypatch.setattr("corridor.pillars.surveillance.commands.sharing.utcnow", lambda: pakistan.now)
        monkeypatch.setenv("CORRIDOR_TOKEN", issue_token(person, name="t", actor=person, now=pakistan.now))
        agreement_acts.suspend(agreement, actor=pakistan.person(), now=pakistan.now)
        halted = CliRunner().invoke(click.Group(commands=list(COMMANDS)), command)
        nothing = CliRunner().invoke(click.Group(commands=list(COMMANDS)), [*command[:3], "0000", *command[4:]])
        assert SharedCount.objects.count() == 0

    assert isinstance(halted.exception, UserFault)
    assert (halted.exception.exit_code, halted.exception.code) == (4, "agreement-not-in-force")
    assert "is suspended" in str(halted.exception)
    assert isinstance(nothing.exception, UserFault)
    assert (nothing.exception.exit_code, nothing.exception.code) == (2, "no-channel")

    pakistan.both(lambda person: agreement_acts.ask_to_resume(agreement, actor=person, now=pakistan.now))
    corridor.settle()
    with pakistan:
        assert "4 figures queued" in CliRunner().invoke(click.Group(commands=list(COMMANDS)), command).stdout


def test_what_one_transaction_does_not_hold_goes_in_the_next_whole_weeks_at_a_time(
    signed: tuple[Corridor, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    corridor, agreement = signed
    pakistan = corridor["pk.nih"]
    monkeypatch.setattr(due, "CELLS_A_CALL", 3)
    ingest(pakistan, weekly({"PK-PB": [12, 6, 7, 30], "PK-SD": [8, 9, 3, 11], "PK-KP": [7, 7, 7, 7]}))
    result = share(pakistan, agreement)
    corridor.settle()

    assert (result.sent, result.withheld, result.unchanged, len(result.crossings)) == (12, 1, 0, 4)
    assert len(seen(corridor["cn.cdc"])) == 12
    assert share(pakistan, agreement).unchanged == 12
