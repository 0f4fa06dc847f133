"""The life of an agreement: what each state allows, what the clock brings, and that both sides agree in the end."""

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corridor.exchange.rules.agreement import (
    ALLOWED,
    Agreement,
    Event,
    ForbiddenTransition,
    Kind,
    Life,
    Place,
    Recorded,
    State,
    Statement,
    advance,
    make_statement,
    parse_statement,
    place_of,
    replay,
)
from corridor.exchange.rules.agreement.statement import UnsignedStatement, verify_statement
from corridor.exchange.rules.keys import SigningKey
from tests.rules import agreements

PROPOSER, OTHER = "pk.nih", "cn.cdc"
NOW = agreements.IN_FORCE_AT
PLAIN = agreements.agreement()
ANNEX = agreements.agreement(emergency={"dormant": True, "opened_by": "each-party", "open_days": 30})
ONE_PARTY_ANNEX = agreements.agreement(emergency={"dormant": True, "opened_by": "one-party", "open_days": 30})


def event(
    kind: Kind,
    party: str,
    *,
    at: datetime = NOW,
    stated_at: datetime | None = None,
    effective_at: datetime | None = None,
) -> Event:
    return Event(kind=kind, party=party, stated_at=stated_at or at, recorded_at=at, effective_at=effective_at)


def signed(agreement: Agreement = PLAIN, *, at: datetime = NOW - timedelta(days=1)) -> Life:
    life = advance(Life(agreement), event(Kind.PROPOSAL, PROPOSER, at=at))
    for party in (PROPOSER, OTHER):
        life = advance(life, event(Kind.SIGNATURE, party, at=at))
    return life


def life_in(state: State, party: str) -> tuple[Life, datetime]:
    """Return a life that is in `state` at the moment that comes with it; what only one party did, `party` did."""
    proposed = advance(Life(PLAIN), event(Kind.PROPOSAL, PROPOSER))
    lives = {
        State.DRAFT: (Life(PLAIN), NOW),
        State.PROPOSED: (proposed, NOW),
        State.SIGNED_BY_SOME: (advance(proposed, event(Kind.SIGNATURE, party)), NOW),
        State.SIGNED_BY_ALL: (signed(at=agreements.START - timedelta(days=9)), agreements.START - timedelta(days=3)),
        State.IN_FORCE: (signed(), NOW),
        State.DORMANT: (signed(ANNEX), NOW),
        State.SUSPENDED: (advance(signed(), event(Kind.SUSPENSION, party)), NOW),
        State.SUPERSEDED: (replace(signed(), superseded_at=NOW), NOW),
        State.EXPIRED: (signed(), agreements.END),
        State.TERMINATED: (advance(signed(), event(Kind.TERMINATION, party)), NOW),
    }
    return lives[state]


# For every state, whose earlier statement made it, and who speaks now: what is allowed. Written out by hand, so that
# it is a second statement of the rules and not a copy of `ALLOWED`.
SAME, ANOTHER = "the party that acted", "the other party"
OPEN_TO = {
    (State.DRAFT, SAME): {Kind.PROPOSAL},
    (State.DRAFT, ANOTHER): {Kind.PROPOSAL},
    (State.PROPOSED, SAME): {Kind.SIGNATURE, Kind.TERMINATION},
    (State.PROPOSED, ANOTHER): {Kind.SIGNATURE, Kind.TERMINATION},
    (State.SIGNED_BY_SOME, SAME): {Kind.TERMINATION},
    (State.SIGNED_BY_SOME, ANOTHER): {Kind.SIGNATURE, Kind.TERMINATION},
    (State.SIGNED_BY_ALL, SAME): {Kind.SUSPENSION, Kind.TERMINATION},
    (State.SIGNED_BY_ALL, ANOTHER): {Kind.SUSPENSION, Kind.TERMINATION},
    (State.IN_FORCE, SAME): {Kind.SUSPENSION, Kind.TERMINATION},
    (State.IN_FORCE, ANOTHER): {Kind.SUSPENSION, Kind.TERMINATION},
    (State.DORMANT, SAME): {Kind.ACTIVATION, Kind.SUSPENSION, Kind.TERMINATION},
    (State.DORMANT, ANOTHER): {Kind.ACTIVATION, Kind.SUSPENSION, Kind.TERMINATION},
    (State.SUSPENDED, SAME): {Kind.RESUMPTION, Kind.TERMINATION},
    (State.SUSPENDED, ANOTHER): {Kind.SUSPENSION, Kind.TERMINATION},
    (State.SUPERSEDED, SAME): set(),
    (State.SUPERSEDED, ANOTHER): set(),
    (State.EXPIRED, SAME): set(),
    (State.EXPIRED, ANOTHER): set(),
    (State.TERMINATED, SAME): set(),
    (State.TERMINATED, ANOTHER): set(),
}
CASES = list(product(State, (SAME, ANOTHER), (PROPOSER, OTHER), Kind))


@pytest.mark.parametrize(("state", "who", "actor", "kind"), CASES)
def test_a_statement_that_the_state_forbids_changes_nothing(state: State, who: str, actor: str, kind: Kind) -> None:
    life, now = life_in(state, actor)
    speaker = actor if who == SAME else {PROPOSER: OTHER, OTHER: PROPOSER}[actor]
    assert life.state(now) is state

    if kind in OPEN_TO[state, who]:
        assert advance(life, event(kind, speaker, at=now)) != life
    else:
        with pytest.raises(ForbiddenTransition) as caught:
            advance(life, event(kind, speaker, at=now))
        assert caught.value.state is state
        assert kind.value in str(caught.value)


def test_the_table_of_allowed_statements_is_the_union_over_both_roles() -> None:
    union = {kind: {state for (state, _), kinds in OPEN_TO.items() if kind in kinds} for kind in Kind}

    assert union == {kind: set(states) for kind, states in ALLOWED.items()}


@pytest.mark.parametrize(("state", "kind"), list(product(State, Kind)))
def test_who_is_no_party_changes_nothing_in_any_state(state: State, kind: Kind) -> None:
    life, now = life_in(state, PROPOSER)

    with pytest.raises(ForbiddenTransition):
        advance(life, event(kind, "ru.gamma", at=now))


def test_each_suspension_lifts_only_its_own() -> None:
    life = advance(signed(), event(Kind.SUSPENSION, PROPOSER))
    life = advance(life, event(Kind.SUSPENSION, OTHER))

    life = advance(life, event(Kind.RESUMPTION, PROPOSER))

    assert life.state(NOW) is State.SUSPENDED
    assert life.suspended_by == {OTHER}
    assert advance(life, event(Kind.RESUMPTION, OTHER)).state(NOW) is State.IN_FORCE


def test_an_agreement_expires_by_the_clock_alone() -> None:
    life = signed()

    assert life.state(agreements.END - timedelta(microseconds=1)) is State.IN_FORCE
    assert life.state(agreements.END) is State.EXPIRED


def test_a_termination_takes_effect_when_its_notice_has_run() -> None:
    effective_at = NOW + timedelta(days=30)

    life = advance(signed(), event(Kind.TERMINATION, OTHER, effective_at=effective_at))

    assert life.state(effective_at - timedelta(seconds=1)) is State.IN_FORCE
    assert life.state(effective_at) is State.TERMINATED


def test_the_earlier_of_two_terminations_counts() -> None:
    life = advance(signed(), event(Kind.TERMINATION, OTHER, effective_at=NOW + timedelta(days=30)))

    life = advance(life, event(Kind.TERMINATION, PROPOSER, effective_at=NOW + timedelta(days=10)))

    assert life.state(NOW + timedelta(days=10)) is State.TERMINATED


def test_a_proposal_that_is_withdrawn_ends_at_once() -> None:
    life = advance(Life(PLAIN), event(Kind.PROPOSAL, PROPOSER))

    life = advance(life, event(Kind.TERMINATION, OTHER, effective_at=NOW + timedelta(days=30)))

    assert life.state(NOW) is State.TERMINATED


def test_a_dormant_annex_opens_when_each_party_has_signed_and_closes_by_itself() -> None:
    life = advance(signed(ANNEX), event(Kind.ACTIVATION, PROPOSER))
    assert life.state(NOW) is State.DORMANT

    life = advance(life, event(Kind.ACTIVATION, OTHER, at=NOW + timedelta(hours=1)))

    assert life.state(NOW + timedelta(hours=1)) is State.IN_FORCE
    assert life.state(NOW + timedelta(days=30, hours=1)) is State.DORMANT


def test_an_annex_that_one_party_may_open_opens_at_once_and_can_be_opened_again() -> None:
    life = advance(signed(ONE_PARTY_ANNEX), event(Kind.ACTIVATION, OTHER))
    assert life.state(NOW) is State.IN_FORCE
    later = NOW + timedelta(days=40)
    assert life.state(later) is State.DORMANT

    assert advance(life, event(Kind.ACTIVATION, OTHER, at=later)).state(later) is State.IN_FORCE


def test_an_opening_that_waits_for_the_other_party_lapses() -> None:
    life = advance(signed(ANNEX), event(Kind.ACTIVATION, PROPOSER))
    late = NOW + timedelta(days=31)

    life = advance(life, event(Kind.ACTIVATION, OTHER, at=late))

    assert life.state(late) is State.DORMANT


def test_a_postdated_opening_does_not_stay_open_longer() -> None:
    opening = event(Kind.ACTIVATION, OTHER, stated_at=NOW + timedelta(days=300))

    life = advance(signed(ONE_PARTY_ANNEX), opening)

    assert life.state(NOW + timedelta(days=30)) is State.DORMANT


class Author:
    """A party that states one thing after another."""

    def __init__(self, party: str) -> None:
        self.party = party
        self.key = SigningKey.generate()
        self.last: Statement | None = None

    def states(self, kind: Kind, *, now: datetime = NOW) -> Statement:
        document = agreements.document() if kind is Kind.SIGNATURE else None
        self.last = make_statement(
            kind, agreement=PLAIN.hash, party=self.party, after=self.last, key=self.key, now=now, document=document
        )
        return self.last


def lived(statements: list[Statement]) -> Life:
    records = [Recorded(statement, NOW + timedelta(seconds=index)) for index, statement in enumerate(statements)]
    return replay(PLAIN, records, is_proposed=True).life


def test_a_signed_statement_comes_back_and_a_foreign_key_does_not_sign_it() -> None:
    author = Author(PROPOSER)
    statement = author.states(Kind.SIGNATURE)

    assert parse_statement(statement.signed) == statement
    verify_statement(statement, public=author.key.public, document=agreements.document())
    with pytest.raises(UnsignedStatement):
        verify_statement(statement, public=SigningKey.generate().public, document=agreements.document())
    with pytest.raises(UnsignedStatement):
        verify_statement(statement, public=author.key.public, document=agreements.document(retention_days=1))


def test_a_gap_waits_but_a_suspension_does_not() -> None:
    author, other = Author(PROPOSER), Author(OTHER)
    first = [author.states(Kind.SIGNATURE), other.states(Kind.SIGNATURE)]
    suspension, resumption = author.states(Kind.SUSPENSION), author.states(Kind.RESUMPTION)
    second = author.states(Kind.SUSPENSION)

    early = lived([*first, second])
    before_resumption_arrives = lived([*first, resumption])

    assert early.suspended_by == {PROPOSER}
    assert before_resumption_arrives.suspended_by == frozenset()
    assert lived([*first, resumption, suspension]).suspended_by == frozenset()
    assert lived([*first, suspension, resumption]).suspended_by == frozenset()


def test_a_resumption_that_overtakes_its_suspension_never_opens_what_is_suspended_later() -> None:
    author, other = Author(PROPOSER), Author(OTHER)
    first = [author.states(Kind.SIGNATURE), other.states(Kind.SIGNATURE)]
    a, b, c = author.states(Kind.SUSPENSION), author.states(Kind.RESUMPTION), author.states(Kind.SUSPENSION)

    for order in ([a, b, c], [c, a, b], [b, c, a], [c, b, a], [a, c, b], [b, a, c]):
        assert lived([*first, *order]).suspended_by == {PROPOSER}, [statement.sequence for statement in order]


def test_a_number_that_is_taken_by_another_statement_is_a_fork() -> None:
    author, twin = Author(PROPOSER), Author(PROPOSER)
    signature = author.states(Kind.SIGNATURE)
    other = twin.states(Kind.SUSPENSION)

    assert place_of(signature, known=[signature]) is Place.REPEAT
    assert place_of(other, known=[signature]) is Place.FORK
    assert place_of(author.states(Kind.SUSPENSION), known=[other]) is Place.FORK
    assert place_of(twin.states(Kind.RESUMPTION), known=[]) is Place.WAITS


KINDS = st.lists(st.sampled_from([Kind.SUSPENSION, Kind.RESUMPTION]), max_size=5)


@given(mine=KINDS, theirs=KINDS, data=st.data())
def test_both_sides_hold_the_same_suspensions_whatever_the_order_of_arrival(
    mine: list[Kind], theirs: list[Kind], data: st.DataObject
) -> None:
    first = [Author(PROPOSER), Author(OTHER)]
    signatures = [author.states(Kind.SIGNATURE) for author in first]
    statements = [
        author.states(kind) for author, kinds in zip(first, (mine, theirs), strict=True) for kind in alternating(kinds)
    ]
    shuffled = data.draw(st.permutations(statements))

    assert lived([*signatures, *shuffled]).suspended_by == lived([*signatures, *statements]).suspended_by


def alternating(kinds: list[Kind]) -> list[Kind]:
    """What a party's own node lets it state: a suspension, then a resumption, then a suspension …"""
    return [(Kind.SUSPENSION, Kind.RESUMPTION)[index % 2] for index in range(len(kinds))]
