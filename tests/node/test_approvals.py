"""The rule of two persons, case by case."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import override_settings

from corridor.accounts import approvals, services
from corridor.accounts.actors import Peer, System
from corridor.accounts.models import ApprovalRequest, AuditEntry
from corridor.accounts.roles import NotPermitted, grant
from corridor.base.errors import InputFault, Refused

KIND = "test.open-the-gate"
PERMISSION = "test.open_gate"
SECONDS_LATER = timedelta(minutes=5)


class GateStuck(InputFault):
    """The gate does not open."""

    code = "gate-stuck"


@pytest.fixture
def opened() -> Iterator[list[dict[str, Any]]]:
    """Announce a step that needs two persons; what it did stands in the list."""
    calls: list[dict[str, Any]] = []

    def execute(**arguments: Any) -> str:
        if arguments["gate"] == "stuck":
            raise GateStuck("the gate is stuck")
        calls.append(arguments)
        return "open"

    grant("officer", PERMISSION)
    approvals.register_approval(
        KIND, permission=PERMISSION, execute=execute, describe=lambda given: f"Open {given['gate']}"
    )
    yield calls
    approvals._kinds.pop(KIND)


def test_first_yes_only_waits(opened: list[Any], officer: Any, now: datetime) -> None:
    outcome = approvals.ask(KIND, {"gate": "north"}, actor=officer, now=now)

    assert not outcome.done
    assert opened == []


def test_second_persons_yes_does_it_in_their_name(
    opened: list[Any], officer: Any, second_officer: Any, now: datetime
) -> None:
    asked = approvals.ask(KIND, {"gate": "north"}, actor=officer, now=now)

    outcome = approvals.approve(asked.request_id or 0, actor=second_officer, now=now + SECONDS_LATER)

    assert outcome.result == "open"
    assert opened == [{"gate": "north", "actor": second_officer, "first": officer, "now": now + SECONDS_LATER}]


def test_same_person_cannot_give_both_yeses(opened: list[Any], officer: Any, now: datetime) -> None:
    asked = approvals.ask(KIND, {"gate": "north"}, actor=officer, now=now)

    with pytest.raises(approvals.SamePerson):
        approvals.approve(asked.request_id or 0, actor=officer, now=now)

    assert opened == []


@pytest.mark.parametrize("days", [0, 6])
@pytest.mark.parametrize("appointer_asks", [True, False])
def test_appointer_and_appointed_do_not_decide_together_within_seven_days(
    opened: list[Any], appoint: Callable[..., Any], officer: Any, now: datetime, days: int, appointer_asks: bool
) -> None:
    grant("officer", services.MANAGE)
    try:
        protege = appoint("protege", "officer", actor=officer)
    finally:
        from corridor.accounts.roles import _granted

        _granted["officer"].discard(services.MANAGE)
    first, second = (officer, protege) if appointer_asks else (protege, officer)
    later = now + timedelta(days=days)
    asked = approvals.ask(KIND, {"gate": "north"}, actor=first, now=later)

    with pytest.raises(approvals.TooCloselyAppointed):
        approvals.approve(asked.request_id or 0, actor=second, now=later)

    assert approvals.approve(asked.request_id or 0, actor=second, now=now + timedelta(days=7)).done


def test_a_password_given_by_the_other_counts_as_appointment(
    opened: list[Any], officer: Any, second_officer: Any, now: datetime
) -> None:
    second_officer.password_given_by, second_officer.password_given_at = officer, now
    second_officer.save()
    asked = approvals.ask(KIND, {"gate": "north"}, actor=officer, now=now)

    with pytest.raises(approvals.TooCloselyAppointed):
        approvals.approve(asked.request_id or 0, actor=second_officer, now=now)


def test_administrator_approves_nothing_even_with_the_right_role(
    opened: list[Any], appoint: Callable[..., Any], officer: Any, now: datetime
) -> None:
    both = appoint("both", "officer", "administrator")
    asked = approvals.ask(KIND, {"gate": "north"}, actor=officer, now=now)

    with pytest.raises(approvals.AdministratorsApproveNothing):
        approvals.approve(asked.request_id or 0, actor=both, now=now)
    with pytest.raises(approvals.AdministratorsApproveNothing):
        approvals.ask(KIND, {"gate": "south"}, actor=both, now=now)


def test_who_lacks_the_permission_neither_asks_nor_approves(
    opened: list[Any], officer: Any, auditor: Any, now: datetime
) -> None:
    asked = approvals.ask(KIND, {"gate": "north"}, actor=officer, now=now)

    with pytest.raises(NotPermitted):
        approvals.ask(KIND, {"gate": "south"}, actor=auditor, now=now)
    with pytest.raises(NotPermitted):
        approvals.approve(asked.request_id or 0, actor=auditor, now=now)


@pytest.mark.django_db
@pytest.mark.parametrize("actor", [System("jobs"), Peer("cn.cdc")])
def test_only_persons_ask(opened: list[Any], actor: Any, now: datetime) -> None:
    with pytest.raises(approvals.OnlyPersonsApprove):
        approvals.ask(KIND, {"gate": "north"}, actor=actor, now=now)


def test_first_person_who_lost_the_role_no_longer_counts(
    opened: list[Any], officer: Any, second_officer: Any, administrator: Any, now: datetime
) -> None:
    asked = approvals.ask(KIND, {"gate": "north"}, actor=officer, now=now)
    services.set_roles(officer, roles=["auditor"], actor=administrator, now=now)

    with pytest.raises(NotPermitted):
        approvals.approve(asked.request_id or 0, actor=second_officer, now=now)


def test_step_is_done_at_most_once(opened: list[Any], officer: Any, second_officer: Any, now: datetime) -> None:
    asked = approvals.ask(KIND, {"gate": "north"}, actor=officer, now=now)
    approvals.approve(asked.request_id or 0, actor=second_officer, now=now)

    with pytest.raises(approvals.AlreadyDecided):
        approvals.approve(asked.request_id or 0, actor=second_officer, now=now)

    assert len(opened) == 1


def test_asking_again_while_it_waits_makes_no_second_request(
    opened: list[Any], officer: Any, second_officer: Any, now: datetime
) -> None:
    first = approvals.ask(KIND, {"gate": "north"}, actor=officer, now=now)
    again = approvals.ask(KIND, {"gate": "north"}, actor=second_officer, now=now)

    assert again.request_id == first.request_id
    assert opened == []


def test_declined_step_is_never_done(opened: list[Any], officer: Any, second_officer: Any, now: datetime) -> None:
    asked = approvals.ask(KIND, {"gate": "north"}, actor=officer, now=now)
    approvals.decline(asked.request_id or 0, actor=second_officer, now=now)

    with pytest.raises(approvals.AlreadyDecided):
        approvals.approve(asked.request_id or 0, actor=second_officer, now=now)


def test_step_that_fails_leaves_the_request_waiting(
    opened: list[Any], officer: Any, second_officer: Any, now: datetime
) -> None:
    asked = approvals.ask(KIND, {"gate": "stuck"}, actor=officer, now=now)

    with pytest.raises(GateStuck):
        approvals.approve(asked.request_id or 0, actor=second_officer, now=now)

    assert ApprovalRequest.objects.get().state == ApprovalRequest.State.WAITING


def test_one_person_mode_does_it_at_once_and_says_so(
    opened: list[Any], officer: Any, now: datetime, settings: Any
) -> None:
    with override_settings(CORRIDOR={**settings.CORRIDOR, "one_person": True}):
        outcome = approvals.ask(KIND, {"gate": "north"}, actor=officer, now=now)

    assert outcome.done
    assert AuditEntry.objects.get(action="accounts.ask_approval").detail["one_person"] is True


def test_refused_approval_stands_in_the_audit_trail(opened: list[Any], officer: Any, now: datetime) -> None:
    asked = approvals.ask(KIND, {"gate": "north"}, actor=officer, now=now)
    with pytest.raises(Refused):
        approvals.approve(asked.request_id or 0, actor=officer, now=now)

    entry = AuditEntry.objects.get(action="accounts.approve")
    assert (entry.outcome, entry.detail) == ("refused", {"reason": "same-person"})
