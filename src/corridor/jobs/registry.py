"""Where apps announce their tasks and what recurs; jobs itself imports no app above it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol, TypeVar

from corridor.base.errors import CorridorError

DEFAULT_LEASE = timedelta(minutes=5)


class UnknownTask(CorridorError):
    """No app has announced a task of this kind."""

    code = "unknown-task"


class TaskTwice(CorridorError):
    """Two functions announced the same kind of task."""

    code = "task-twice"


class JobContext(Protocol):
    """What a task knows of the job it works on."""

    @property
    def id(self) -> int:
        """The job's number."""

    @property
    def attempt(self) -> int:
        """Which attempt this is, from 1."""

    def heartbeat(self, done: int, of: int) -> None:
        """Report progress and extend the lease.

        Raises
        ------
        LeaseLost
            If another worker has taken the job over meanwhile; the task must let go.
        """


class Run(Protocol):
    """A task's function."""

    def __call__(self, *, arguments: dict[str, Any], now: datetime, job: JobContext) -> None:
        """Do the work; raising fails the attempt."""


R = TypeVar("R", bound=Callable[..., None])


@dataclass(frozen=True)
class Task:
    """A kind of job."""

    kind: str
    run: Run
    retries: int
    lease: timedelta


@dataclass(frozen=True)
class Recurrence:
    """A job that is enqueued again and again."""

    name: str
    kind: str
    every: timedelta
    arguments: Mapping[str, Any] = field(default_factory=dict)


_tasks: dict[str, Task] = {}
_recurrences: dict[str, Recurrence] = {}


def task(kind: str, *, retries: int = 5, lease: timedelta = DEFAULT_LEASE) -> Callable[[R], R]:
    """Announce the decorated function as the task of jobs of `kind`.

    Parameters
    ----------
    kind : str
        Stable name, ``<app>.<verb>``; it is stored with each job.
    retries : int
        How often a failed attempt is repeated, after 10 s, 20 s, 40 s … at most an hour.
    lease : timedelta
        How long a worker may be silent before another one takes the job over; each heartbeat starts it anew.

    Raises
    ------
    TaskTwice
        If another function announced `kind`.
    """

    def announce(function: R) -> R:
        known = _tasks.get(kind)
        if known is not None and known.run is not function:
            raise TaskTwice(f"task {kind} is announced by {known.run!r} and by {function!r}")
        _tasks[kind] = Task(kind=kind, run=function, retries=retries, lease=lease)
        return function

    return announce


def task_of(kind: str) -> Task:
    """Return the announced task.

    Raises
    ------
    UnknownTask
        If there is none.
    """
    try:
        return _tasks[kind]
    except KeyError:
        raise UnknownTask(f"no app announced the task {kind!r}") from None


def tasks() -> Mapping[str, Task]:
    """Return every announced task by its kind."""
    return dict(_tasks)


def every(interval: timedelta, *, kind: str, name: str = "", arguments: Mapping[str, Any] | None = None) -> None:
    """Declare that a job of `kind` is enqueued each `interval`; `name` tells several of one kind apart."""
    recurrence = Recurrence(name=name or kind, kind=kind, every=interval, arguments=dict(arguments or {}))
    _recurrences[recurrence.name] = recurrence


def recurrences() -> tuple[Recurrence, ...]:
    """Return everything that recurs."""
    return tuple(_recurrences.values())
