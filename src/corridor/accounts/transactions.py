"""One outermost write is one transaction with one entry in the audit trail."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from typing import Any, ParamSpec, TypeVar

from django.db import transaction

from corridor.accounts.actors import Actor, actor_kind, actor_name
from corridor.accounts.models import AuditEntry
from corridor.base.errors import CorridorError, Refused

P = ParamSpec("P")
R = TypeVar("R")


class NotAWrite(CorridorError):
    """A function was declared a write without taking ``actor`` and ``now`` by keyword."""

    code = "not-a-write"


_detail: ContextVar[dict[str, Any] | None] = ContextVar("corridor_audit_detail", default=None)
_callbacks: list[Callable[[AuditEntry], object]] = []


def on_audit(callback: Callable[[AuditEntry], object]) -> None:
    """Call `callback` with every new entry, inside the transaction that made it; registering twice changes nothing."""
    if callback not in _callbacks:
        _callbacks.append(callback)


def note(**details: Any) -> None:
    """Add ids and counts to the audit entry of the write that is under way.

    Outside a write this does nothing, so that a helper may be used by both. Never pass a patient's data.
    """
    detail = _detail.get()
    if detail is not None:
        detail.update(details)


def write(action: str, *, subject: str = "") -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Make a function a write: its outermost call is one transaction and one audit entry; nested calls join.

    Parameters
    ----------
    action : str
        How the audit trail calls it, ``<app>.<verb>``.
    subject : str
        The keyword argument whose value the entry names; empty for none.

    Raises
    ------
    NotAWrite
        If the function does not take keyword-only ``actor`` and ``now`` (and the subject as a parameter).

    Notes
    -----
    A refusal (`Refused`) is recorded too, after the rollback: an auditor wants to see what was tried.
    """

    def declare(function: Callable[P, R]) -> Callable[P, R]:
        signature = inspect.signature(function)
        _check(function.__qualname__, signature, subject)

        @functools.wraps(function)
        def run(*args: P.args, **kwargs: P.kwargs) -> R:
            if _detail.get() is not None:
                return function(*args, **kwargs)
            given = signature.bind(*args, **kwargs).arguments
            actor: Actor = given["actor"]
            now: datetime = given["now"]
            name = _name(given.get(subject)) if subject else ""
            try:
                with transaction.atomic(), _collecting() as detail:
                    result = function(*args, **kwargs)
                    _append(action, name, detail, actor=actor, now=now, outcome="done")
            except Refused as refusal:
                with transaction.atomic():
                    _append(action, name, {"reason": refusal.code}, actor=actor, now=now, outcome="refused")
                raise
            return result

        return run

    return declare


def _check(name: str, signature: inspect.Signature, subject: str) -> None:
    for required in ("actor", "now"):
        parameter = signature.parameters.get(required)
        if parameter is None or parameter.kind is not inspect.Parameter.KEYWORD_ONLY:
            raise NotAWrite(f"{name} is declared a write but takes no keyword-only {required}")
    if subject and subject not in signature.parameters:
        raise NotAWrite(f"{name} has no parameter {subject}, which its audit entry should name")


@contextmanager
def _collecting() -> Iterator[dict[str, Any]]:
    detail: dict[str, Any] = {}
    token = _detail.set(detail)
    try:
        yield detail
    finally:
        _detail.reset(token)


def _name(value: object) -> str:
    primary_key = getattr(value, "pk", None)
    if value is None:
        return ""
    return str(value if primary_key is None or hasattr(value, "username") else primary_key)[:300]


def _append(action: str, subject: str, detail: dict[str, Any], *, actor: Actor, now: datetime, outcome: str) -> None:
    entry = AuditEntry(
        at=now,
        actor_kind=actor_kind(actor),
        actor=actor_name(actor),
        action=action,
        subject=subject,
        detail=detail,
        outcome=outcome,
    )
    entry.save()
    for callback in _callbacks:
        callback(entry)
