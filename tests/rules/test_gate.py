"""The gate: every way in which something may not cross, on both sides alike."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corridor.base.disclosure import Cell
from corridor.exchange.rules import gate
from corridor.exchange.rules.agreement import Agreement, State
from corridor.exchange.rules.classes import DataClass
from corridor.exchange.rules.counters import CounterKey
from corridor.exchange.rules.envelope import Header
from corridor.exchange.rules.gate import Allowed, GateState, Refused, Retry, counted_no_more_at, counting_days, decide
from corridor.exchange.rules.jurisdictions import Jurisdiction, jurisdictions
from corridor.exchange.rules.reasons import Reason
from tests.rules import agreements

NOW = agreements.IN_FORCE_AT
MONDAY = date(2026, 5, 25)


def cell(value: int | None = 12, **members: Any) -> Cell:
    given = {
        "disease": "measles",
        "place": "PK-SD",
        "period_start": MONDAY,
        "period_end": MONDAY + timedelta(days=7),
        "stratum": "",
    }
    return Cell(**(given | members), value=value)


@dataclass(frozen=True)
class Body:
    """A body that says of itself what a test wants."""

    figures: Sequence[Cell] = ()
    data_class: DataClass = DataClass.AGGREGATE
    people: int = 0
    identifiers: Sequence[str] = ()

    @classmethod
    def schema_id(cls) -> str:
        return "surveillance.period-counts/1"

    def computed_class(self) -> DataClass:
        return self.data_class

    def persons(self) -> int:
        return self.people

    def cells(self) -> Sequence[Cell]:
        return self.figures

    def named_places(self) -> Sequence[str]:
        return [cell.place for cell in self.figures]

    def person_identifiers(self) -> Sequence[str]:
        return self.identifiers


HEADER = Header(
    id="01890a5d-ac96-774b-bcce-b302099a8057",
    from_="pk.nih",
    to="cn.cdc",
    agreement="",
    channel="counts",
    schema="surveillance.period-counts/1",
    purpose="disease-surveillance",
    data_class=DataClass.AGGREGATE,
    persons=0,
    created_at=NOW,
)


@dataclass(frozen=True)
class Case:
    """An envelope that may cross, of which each test spoils one thing."""

    agreement: Agreement = field(default_factory=agreements.agreement)
    header: Header = HEADER
    body: Body | None = field(default_factory=lambda: Body((cell(),)))
    state: GateState = field(default_factory=lambda: GateState(own_node="cn.cdc", state=State.IN_FORCE))
    rules: dict[str, Jurisdiction] = field(default_factory=dict)
    now: datetime = NOW

    def decide(self) -> Allowed | Refused | Retry:
        header = replace(self.header, agreement=self.header.agreement or self.agreement.hash)
        return decide(header, self.body, self.agreement, self.state, self.rules, self.now)


def refusal(case: Case) -> Reason:
    decision = case.decide()
    assert isinstance(decision, Refused), decision
    return decision.reason


CASE = Case()


@pytest.mark.parametrize("own_node", ["pk.nih", "cn.cdc"])
def test_a_sound_envelope_crosses_at_both_gates(own_node: str) -> None:
    decision = replace(CASE, state=replace(CASE.state, own_node=own_node)).decide()

    assert isinstance(decision, Allowed)
    assert decision.channel.clause == "4.1"


def test_nothing_crosses_without_an_agreement() -> None:
    assert decide(CASE.header, CASE.body, None, CASE.state, {}, NOW) == Refused(Reason.NO_AGREEMENT)


def test_an_envelope_of_one_agreement_does_not_cross_under_another() -> None:
    foreign = replace(CASE, header=replace(CASE.header, agreement="0" * 64))

    assert refusal(foreign) is Reason.NO_AGREEMENT


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (State.DRAFT, Reason.NO_AGREEMENT),
        (State.PROPOSED, Reason.NOT_SIGNED_BY_ALL),
        (State.SIGNED_BY_SOME, Reason.NOT_SIGNED_BY_ALL),
        (State.DORMANT, Reason.DORMANT),
        (State.SUSPENDED, Reason.SUSPENDED),
        (State.SUPERSEDED, Reason.SUPERSEDED),
        (State.EXPIRED, Reason.EXPIRED),
        (State.TERMINATED, Reason.TERMINATED),
    ],
)
def test_nothing_crosses_unless_the_agreement_is_in_force(state: State, reason: Reason) -> None:
    assert refusal(replace(CASE, state=replace(CASE.state, state=state))) is reason


@pytest.mark.parametrize(
    ("early", "expected"),
    [
        (timedelta(hours=2), Retry(Reason.NOT_STARTED)),
        (timedelta(seconds=1), Retry(Reason.NOT_STARTED)),
        (timedelta(hours=2, seconds=1), Refused(Reason.NOT_STARTED)),
    ],
)
def test_up_to_two_hours_early_comes_again_and_earlier_is_refused(early: timedelta, expected: Retry | Refused) -> None:
    waiting = replace(CASE.state, state=State.SIGNED_BY_ALL)

    assert replace(CASE, state=waiting, now=agreements.START - early).decide() == expected


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ({"from_": "ru.gamma"}, Reason.NOT_A_PARTY),
        ({"to": "ru.gamma"}, Reason.NOT_A_PARTY),
        ({"from_": "cn.cdc"}, Reason.WRONG_DIRECTION),
        ({"channel": "alerts"}, Reason.NO_CHANNEL),
        ({"schema": "surveillance.period-counts/2"}, Reason.WRONG_MESSAGE_TYPE),
        ({"schema": "surveillance.alert/1"}, Reason.WRONG_MESSAGE_TYPE),
        ({"purpose": "research"}, Reason.WRONG_PURPOSE),
        ({"data_class": DataClass.GENETIC}, Reason.CLASS_ABOVE_CHANNEL),
        ({"data_class": DataClass.DEIDENTIFIED}, Reason.CLASS_ABOVE_CHANNEL),
        ({"data_class": DataClass.PUBLIC}, Reason.CLASS_MISLABELLED),
        ({"persons": 3}, Reason.PERSONS_MISLABELLED),
    ],
)
def test_a_header_that_does_not_fit_is_refused(header: dict[str, Any], reason: Reason) -> None:
    assert refusal(replace(CASE, header=replace(CASE.header, **header))) is reason


def test_an_envelope_between_others_is_refused() -> None:
    third = replace(CASE.state, own_node="ru.gamma")

    assert refusal(replace(CASE, state=third)) is Reason.WRONG_RECIPIENT


def test_a_channel_is_open_in_its_direction_only() -> None:
    one_way = agreements.agreement(channels=[agreements.channel(from_=["cn.cdc"], to=["pk.nih"])])

    assert refusal(replace(CASE, agreement=one_way)) is Reason.WRONG_DIRECTION


@pytest.mark.parametrize(
    ("spoiled", "reason"),
    [
        ({"revoked": frozenset({"pk.nih"})}, Reason.KEY_REVOKED),
        ({"revoked": frozenset({"cn.cdc"})}, Reason.KEY_REVOKED),
        ({"is_disputed": True}, Reason.DISPUTE),
        ({"unreleasable": 1}, Reason.LEDGER_WAITS),
    ],
)
def test_what_the_database_knows_closes_the_gate(spoiled: dict[str, Any], reason: Reason) -> None:
    assert refusal(replace(CASE, state=replace(CASE.state, **spoiled))) is reason


@pytest.mark.parametrize("own_node", ["pk.nih", "cn.cdc"])
def test_the_last_envelope_under_the_cap_crosses(own_node: str) -> None:
    state = replace(CASE.state, own_node=own_node, envelopes_today=99)
    assert isinstance(replace(CASE, state=state).decide(), Allowed)


def test_over_the_cap_of_a_day_the_receiver_refuses_and_the_sender_waits() -> None:
    sender, receiver = CASE.header.from_, CASE.header.to
    full = {node: replace(CASE.state, own_node=node, envelopes_today=100) for node in (sender, receiver)}

    assert refusal(replace(CASE, state=full[receiver])) is Reason.ENVELOPE_CAP
    assert replace(CASE, state=full[sender]).decide() == Retry(Reason.ENVELOPE_CAP)


@pytest.mark.parametrize(
    ("clock", "days"),
    [("00:00", (31, 1)), ("00:09", (31, 1)), ("00:10", (1,)), ("12:00", (1,)), ("23:49", (1,)), ("23:50", (1, 2))],
)
def test_near_midnight_a_receiver_may_count_to_either_day(clock: str, days: tuple[int, ...]) -> None:
    now = datetime.fromisoformat(f"2026-06-01T{clock}:00+00:00")

    assert tuple(day.day for day in counting_days(now)) == days


def test_a_day_is_over_for_the_sender_when_no_clock_can_still_show_it() -> None:
    at = counted_no_more_at(date(2026, 6, 1))

    assert (at.isoformat(), counting_days(at)) == ("2026-06-02T00:10:00+00:00", (date(2026, 6, 2),))


@pytest.mark.parametrize(
    ("figure", "reason"),
    [
        (cell(4), Reason.CELL_BELOW_RULE),
        (cell(1), Reason.CELL_BELOW_RULE),
        (cell(-1), Reason.MALFORMED),
        (cell(12, stratum="age-sex:5-14/f"), Reason.STRATUM_CLOSED),
        (cell(12, place="PK"), Reason.STRATUM_CLOSED),
        (cell(12, place="PK-SD-KHI"), Reason.STRATUM_CLOSED),
        (cell(12, place="RU-PRI"), Reason.PLACE_CLOSED),
        (cell(12, place="CN-XJ"), Reason.ONWARD_TRANSFER),
        (cell(12, period_end=MONDAY + timedelta(days=1)), Reason.PERIOD_CLOSED),
    ],
)
def test_a_cell_that_is_not_open_is_refused(figure: Cell, reason: Reason) -> None:
    assert refusal(replace(CASE, body=Body((cell(), figure)))) is reason


@pytest.mark.parametrize("value", [None, 0, 5, 100_000])
def test_a_withheld_cell_a_zero_and_a_large_cell_cross(value: int | None) -> None:
    assert isinstance(replace(CASE, body=Body((cell(value),))).decide(), Allowed)


def test_one_case_of_an_immediately_notifiable_disease_crosses_as_a_place_total() -> None:
    assert isinstance(replace(CASE, body=Body((cell(1, disease="cholera"),))).decide(), Allowed)
    assert (
        refusal(replace(CASE, body=Body((cell(1, disease="cholera", stratum="age-sex:5-14/f"),))))
        is Reason.STRATUM_CLOSED
    )


def test_another_geographic_level_needs_a_rule_of_that_very_disease() -> None:
    rules = [
        {"disease": "*", "stratum": "total", "min_cell": 5},
        {"disease": "*", "stratum": "total", "min_cell": 5, "place_level": "country"},
        {"disease": "cholera", "stratum": "total", "min_cell": 1, "place_level": "country"},
    ]
    case = replace(CASE, agreement=agreements.agreement(channels=[agreements.channel(disclosure=rules)]))

    assert refusal(replace(case, body=Body((cell(50, place="PK"),)))) is Reason.STRATUM_CLOSED
    assert isinstance(replace(case, body=Body((cell(50, place="PK", disease="cholera"),))).decide(), Allowed)


def test_data_of_a_third_country_needs_the_onward_flag() -> None:
    open_onward = agreements.agreement(onward_transfer=True)

    assert isinstance(replace(CASE, agreement=open_onward, body=Body((cell(12, place="CN-XJ"),))).decide(), Allowed)


def test_what_may_only_be_viewed_must_travel_sealed_whatever_its_class() -> None:
    viewed = replace(CASE, agreement=agreements.agreement(storage="view-only"))

    assert refusal(viewed) is Reason.VIEW_ONLY
    assert isinstance(replace(viewed, header=replace(viewed.header, body_kind="sealed")).decide(), Allowed)


def test_the_header_alone_is_judged_before_the_body_is_opened() -> None:
    assert isinstance(replace(CASE, body=None).decide(), Allowed)
    assert refusal(replace(CASE, body=None, header=replace(CASE.header, purpose="other"))) is Reason.WRONG_PURPOSE


# Bodies about single persons

FILED = "standard-contract:2026-1"


def persons_body(data_class: DataClass, *identifiers: str) -> Body:
    return Body(data_class=data_class, people=3, identifiers=identifiers or ("a", "b"))


def person_case(**members: Any) -> Case:
    """Return a case of three de-identified records from China to Pakistan, under China's rules."""
    channel = {
        "data_class": "personal",
        "disclosure": [],
        "place_level": "admin1",
        "caps": {"envelopes_per_day": 10, "persons_per_year": 5},
        "filing": FILED,
    } | members
    return Case(
        agreement=agreements.agreement(channels=[agreements.channel(**channel)]),
        header=replace(HEADER, from_="cn.cdc", to="pk.nih", data_class=DataClass.DEIDENTIFIED, persons=3),
        body=persons_body(DataClass.DEIDENTIFIED),
        state=GateState(own_node="cn.cdc", state=State.IN_FORCE, channel_persons=5, counted={SENSITIVE: 3}),
        rules=dict(jurisdictions()),
    )


SENSITIVE = CounterKey("CN", 2026, "sensitive")


def test_persons_within_cap_filing_and_limit_cross() -> None:
    assert isinstance(person_case().decide(), Allowed)


def test_no_person_crosses_before_the_channel_names_a_filing_or_an_exemption() -> None:
    assert refusal(person_case(filing=None)) is Reason.NO_FILING
    assert isinstance(person_case(filing=None, exemption="emergency, article 5").decide(), Allowed)


def test_a_person_beyond_the_cap_of_the_channel_is_refused() -> None:
    case = person_case()

    assert refusal(replace(case, state=replace(case.state, channel_persons=6))) is Reason.PERSON_CAP


@pytest.mark.parametrize(
    ("persons", "filing", "crosses"),
    [
        (9_999, FILED, True),
        (10_000, FILED, False),
        (10_000, "security-assessment:2026-9", True),
    ],
)
def test_the_yearly_limit_asks_for_its_mechanism_from_the_limit_on(persons: int, filing: str, crosses: bool) -> None:
    case = person_case(filing=filing)
    decision = replace(case, state=replace(case.state, counted={SENSITIVE: persons})).decide()

    assert decision == (Allowed(case.agreement.channels[0]) if crosses else Refused(Reason.EXPORT_LIMIT))


def test_a_counter_that_could_not_be_rebuilt_stays_closed() -> None:
    case = person_case()

    assert (
        refusal(replace(case, state=replace(case.state, closed_counters=frozenset({SENSITIVE}))))
        is Reason.COUNTERS_CLOSED
    )


def test_personal_data_must_travel_sealed() -> None:
    case = person_case()
    personal = replace(
        case,
        header=replace(case.header, data_class=DataClass.PERSONAL),
        body=persons_body(DataClass.PERSONAL),
    )

    assert refusal(personal) is Reason.NOT_SEALED
    assert isinstance(replace(personal, header=replace(personal.header, body_kind="sealed")).decide(), Allowed)


def test_genetic_data_needs_a_licence() -> None:
    def genetic(**members: Any) -> Case:
        case = person_case(data_class="genetic", **members)
        return replace(
            case,
            header=replace(case.header, data_class=DataClass.GENETIC, body_kind="sealed"),
            body=persons_body(DataClass.GENETIC),
        )

    assert refusal(genetic()) is Reason.NO_LICENCE
    assert isinstance(genetic(licence="HGR-2026-1").decide(), Allowed)


def test_more_identifiers_than_persons_is_a_mislabelled_body() -> None:
    case = person_case()

    assert (
        refusal(replace(case, body=persons_body(DataClass.DEIDENTIFIED, "a", "b", "c", "d")))
        is Reason.PERSONS_MISLABELLED
    )


def test_persons_in_a_body_that_calls_itself_aggregate_are_found() -> None:
    smuggled = replace(CASE, header=replace(CASE.header, persons=2), body=Body((cell(),), people=2))

    assert refusal(smuggled) is Reason.PERSONS_MISLABELLED


# Invariants

CLASSES = st.sampled_from(DataClass)


@given(claimed=CLASSES, true=CLASSES, channel_class=st.sampled_from([DataClass.PERSONAL, DataClass.DEIDENTIFIED]))
def test_no_claim_lets_a_class_above_the_channel_through(
    claimed: DataClass, true: DataClass, channel_class: DataClass
) -> None:
    case = person_case(data_class=channel_class.value)
    persons = 3 if true.counts_persons else 0
    body = Body(data_class=true, people=persons)
    header = replace(case.header, data_class=claimed, persons=persons, body_kind="sealed")

    crossed = isinstance(replace(case, header=header, body=body).decide(), Allowed)

    assert crossed == (claimed is true and true.rank <= channel_class.rank)


CELLS = st.lists(
    st.builds(
        cell,
        st.none() | st.integers(min_value=0, max_value=20),
        disease=st.sampled_from(["measles", "cholera"]),
        stratum=st.sampled_from(["", "age-sex:0-4/m"]),
    ),
    min_size=1,
    max_size=8,
)


@given(figures=CELLS)
def test_a_body_crosses_only_if_every_figure_is_withheld_zero_or_at_least_its_rule(figures: list[Cell]) -> None:
    least = {"measles": 5, "cholera": 1}

    crossed = isinstance(replace(CASE, body=Body(tuple(figures))).decide(), Allowed)

    assert crossed == all(
        not figure.stratum and (figure.value in (None, 0) or figure.value >= least[figure.disease])
        for figure in figures
    )


@pytest.mark.parametrize(
    "attack",
    [
        replace(CASE, body=Body((cell(4),))),
        replace(CASE, state=replace(CASE.state, unreleasable=1)),
        replace(CASE, header=replace(CASE.header, persons=2), body=Body((cell(),), people=2)),
        person_case(filing=None),
    ],
)
def test_each_attack_passes_once_the_checks_of_the_body_are_off(attack: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(attack.decide(), Refused)

    monkeypatch.setattr(gate, "_ALL_CHECKS", gate._HEADER_CHECKS)

    assert isinstance(attack.decide(), Allowed)
