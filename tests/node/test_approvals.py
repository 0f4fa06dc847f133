"""The rule of two persons, case by case."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from django.test import override_settings

import corridor
from corridor.accounts import approvals, queries, services, tokens
from corridor.accounts.actors import Peer, System
from corridor.accounts.commands import approve
from corridor.accounts.models import ApprovalRequest, AuditEntry
from corridor.accounts.roles import NotPermitted, grant
from corridor.base.clock import utcnow
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

    week_later = now + timedelta(days=7)
    again = approvals.ask(KIND, {"gate": "north"}, actor=first, now=week_later)
    assert approvals.approve(again.request_id or 0, actor=second, now=week_later).done


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


def test_a_first_yes_counts_for_seven_days_and_then_no_more(
    opened: list[Any], officer: Any, second_officer: Any, now: datetime
) -> None:
    asked = approvals.ask(KIND, {"gate": "north"}, actor=officer, now=now)
    late = now + approvals.REQUEST_LASTS

    with pytest.raises(approvals.RequestExpired, match="Ask for the step again"):
        approvals.approve(asked.request_id or 0, actor=second_officer, now=late)
    with pytest.raises(approvals.RequestExpired):
        approvals.decline(asked.request_id or 0, actor=second_officer, now=late)

    assert opened == []
    assert approvals.approve(asked.request_id or 0, actor=second_officer, now=late - timedelta(minutes=1)).done


def test_an_expired_step_is_asked_for_anew_and_the_old_request_is_shown_as_expired(
    opened: list[Any], officer: Any, second_officer: Any, now: datetime
) -> None:
    old = approvals.ask(KIND, {"gate": "north"}, actor=officer, now=now)
    late = now + timedelta(days=8)
    assert queries.waiting_approvals(actor=officer, now=late) == []
    (shown,) = queries.decided_approvals(actor=officer, now=late)
    assert (shown.pk, shown.ended_at) == (old.request_id, now + timedelta(days=7))

    new = approvals.ask(KIND, {"gate": "north"}, actor=officer, now=late)

    assert new.request_id != old.request_id
    assert [each.pk for each in queries.waiting_approvals(actor=officer, now=late)] == [new.request_id]
    (shown,) = queries.decided_approvals(actor=officer, now=late)
    assert (shown.state, shown.decided_by) == (ApprovalRequest.State.EXPIRED, None)
    assert approvals.approve(new.request_id or 0, actor=second_officer, now=late).done


def test_why_not_says_that_a_request_is_expired(
    opened: list[Any], officer: Any, second_officer: Any, now: datetime
) -> None:
    approvals.ask(KIND, {"gate": "north"}, actor=officer, now=now)
    request = ApprovalRequest.objects.get()

    assert approvals.why_not(request, actor=second_officer, now=now) is None
    refusal = approvals.why_not(request, actor=second_officer, now=now + timedelta(days=7))
    assert isinstance(refusal, approvals.RequestExpired)


def run_approve(
    monkeypatch: pytest.MonkeyPatch, person: Any, *words: str, made_ago: timedelta, typed: str | None = None
) -> Result:
    """Run ``corridor approve`` with a token of some age, at a terminal if something is typed."""
    secret = tokens.issue_token(person, name="test", actor=person, now=utcnow() - made_ago)
    monkeypatch.setenv("CORRIDOR_TOKEN", secret)
    monkeypatch.setattr("click.testing._NamedTextIOWrapper.isatty", lambda stream: typed is not None)
    return CliRunner().invoke(approve, list(words), input=typed)


@pytest.mark.parametrize(
    ("minutes", "typed", "fault"),
    [
        (1, None, None),
        (11, None, "NotReauthenticated"),
        (11, "seven quiet rivers meet\n", None),
        (11, "a guess, which is wrong\n", "WrongPassword"),
    ],
)
def test_a_yes_by_command_takes_the_password_or_a_token_made_just_now(
    opened: list[Any],
    officer: Any,
    second_officer: Any,
    monkeypatch: pytest.MonkeyPatch,
    minutes: int,
    typed: str | None,
    fault: str | None,
) -> None:
    second_officer.set_password("seven quiet rivers meet")
    second_officer.save()
    asked = approvals.ask(KIND, {"gate": "north"}, actor=officer, now=utcnow())
    made_ago = timedelta(minutes=minutes)

    result = run_approve(monkeypatch, second_officer, str(asked.request_id), made_ago=made_ago, typed=typed)

    assert (type(result.exception).__name__ if result.exception else None) == fault, result.output
    assert len(opened) == (0 if fault else 1)


def test_to_list_what_waits_an_older_token_suffices(
    opened: list[Any], officer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    approvals.ask(KIND, {"gate": "north"}, actor=officer, now=utcnow())

    result = run_approve(monkeypatch, officer, made_ago=timedelta(days=80))

    assert "Open north" in result.output
    assert "expires on" in result.output


def test_every_command_that_gives_a_yes_asks_who_is_there() -> None:
    careless = []
    for path in sorted((Path(corridor.__file__).parent).rglob("commands*/*.py")) + sorted(
        (Path(corridor.__file__).parent).rglob("commands.py")
    ):
        for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(function, ast.FunctionDef):
                continue
            called = {
                node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                for node in ast.walk(function)
                if isinstance(node, ast.Call)
            }
            if any(name.startswith("ask_") for name in called) and "reauthenticated_person" not in called:
                careless.append(f"{path.name}: {function.name}")
    assert careless == []
