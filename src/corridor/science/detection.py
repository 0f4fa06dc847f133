"""One call for every method of detection, with a simpler method where the history is too short."""

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from corridor.science.alarms import Alarms, Shortfall
from corridor.science.baselines import earliest_row
from corridor.science.ears_methods import ears
from corridor.science.farrington_methods import farrington, farrington_flexible
from corridor.science.series import (
    BadOption,
    Dates,
    UnknownMethod,
    counts_by_epoch,
    days_of,
    epochs_to_judge,
    like_counts,
    mask_like_counts,
)

__all__ = ["FEWEST_YEARS", "METHODS", "detect", "join_series", "options_of"]

METHODS = ("farrington-flexible", "farrington", "ears-c1", "ears-c2", "ears-c3")
FEWEST_YEARS = 2
"""The fewest years back that a Farrington method falls back to; below, EARS C1 judges."""

_FUNCTIONS: dict[str, Callable[..., Alarms]] = {"farrington-flexible": farrington_flexible, "farrington": farrington}
_EARS_LAGS = {"ears-c1": 0, "ears-c2": 2, "ears-c3": 4}
_NOT_OPTIONS = frozenset({"counts", "dates", "evaluate", "population", "exclude", "method", "frequency"})
_SERIES_AT_ONCE = 250


def options_of(method: str) -> dict[str, Any]:
    """Return the options of `method` with their defaults.

    Raises
    ------
    UnknownMethod
        If there is no such method.
    """
    if method not in METHODS:
        raise UnknownMethod(f"method {method!r} is not known; expected one of {', '.join(METHODS)}.")
    parameters = inspect.signature(_FUNCTIONS.get(method, ears)).parameters
    return {name: entry.default for name, entry in parameters.items() if name not in _NOT_OPTIONS}


def detect(
    counts: ArrayLike,
    *,
    method: str = "farrington-flexible",
    dates: Dates | None = None,
    frequency: int = 52,
    population: ArrayLike | None = None,
    exclude: ArrayLike | None = None,
    evaluate: int | ArrayLike | None = None,
    fallback: bool = True,
    progress: Callable[[int, int], None] | None = None,
    **options: Any,
) -> Alarms:
    """Return the alarms of `method`; where a series is too short for it, those of a simpler method that is named.

    Parameters
    ----------
    counts : array, shape (time,) or (time, series), cases per epoch
        Oldest first; NaN marks a missing count. The history of a series begins with its first observed count.
    method : one of `METHODS`
    dates, frequency, population, exclude, evaluate
        As in `farrington_flexible`; EARS uses counts alone.
    fallback : bool
        Whether a simpler method may judge: a Farrington method first with fewer years back, down to `FEWEST_YEARS`,
        then EARS C1 (a limit from the last seven epochs); C2 and C3 fall back to C1. The rule of `min_cases` holds for
        the simpler method too.
    progress : callable, optional
        Called with the number of series done and of all.
    options
        Options of the method, by the names of its function.

    Returns
    -------
    Alarms
        `used` says which method judged each count, `notes` why.

    Raises
    ------
    UnknownMethod, BadOption, BadCounts, BadDates
        If an argument is at fault.
    TooFewWeeks
        If a series is too short and `fallback` is False.
    """
    known = options_of(method)
    for name in options:
        if name not in known:
            raise BadOption(f"method {method} has no option {name!r}; it has {', '.join(sorted(known))}.")
    if population is not None and method not in _FUNCTIONS:
        raise BadOption(f"method {method} uses counts alone; leave out the population, or use farrington-flexible.")
    table = counts_by_epoch(counts)
    shape = (table.shape[1], table.shape[0])
    task = _Task(
        method=method,
        table=table,
        days=days_of(dates, epochs=shape[1]),
        frequency=frequency,
        people=like_counts(population, shape=shape, name="population"),
        left_out=mask_like_counts(exclude, shape=shape),
        epochs=epochs_to_judge(evaluate, epochs=shape[1]),
        options={**known, **options},
    )
    parts = []
    for begin in range(0, max(1, shape[0]), _SERIES_AT_ONCE):
        columns = np.arange(begin, min(begin + _SERIES_AT_ONCE, shape[0]))
        parts.append(_with_fallback(task, columns) if fallback else _strictly(task, columns))
        if progress is not None:
            progress(int(columns.size + begin), shape[0])
    return join_series(parts)


@dataclass(frozen=True)
class _Task:
    """What was asked for, checked."""

    method: str
    table: NDArray[np.float64]
    days: NDArray[np.datetime64] | None
    frequency: int
    people: NDArray[np.float64] | None
    left_out: NDArray[np.bool_]
    epochs: NDArray[np.int64]
    options: Mapping[str, Any]


@dataclass(frozen=True)
class _Step:
    """One method of the chain from the asked one to the simplest."""

    name: str
    call: Callable[..., Alarms]
    options: Mapping[str, Any]
    needs: Callable[[int], int]
    """The first row that a judgement of an epoch looks at; negative where the series begins too late."""


def _strictly(task: _Task, columns: NDArray[np.int64]) -> Alarms:
    return _run(task, next(_chain(task)), task.epochs, columns)


def _run(task: _Task, step: _Step, epochs: NDArray[np.int64], columns: NDArray[np.int64]) -> Alarms:
    more: dict[str, Any] = {}
    if step.call is not ears:
        people = None if task.people is None else task.people[columns].T
        left_out = task.left_out[columns].T if task.left_out.size else None
        more = {"dates": task.days, "frequency": task.frequency, "population": people, "exclude": left_out}
    return step.call(task.table[:, columns], evaluate=epochs, **more, **step.options)


def _chain(task: _Task) -> Iterator[_Step]:
    """Yield the asked method and the simpler ones after it."""
    if task.method in _FUNCTIONS:
        years = int(task.options["years_back"])
        for fewer in range(years, min(years, FEWEST_YEARS) - 1, -1):
            name = task.method if fewer == years else f"{task.method}, {fewer} years back"
            yield _Step(
                name, _FUNCTIONS[task.method], {**task.options, "years_back": fewer}, _farrington_needs(task, fewer)
            )
        yield _ears_step("ears-c1", {"method": "c1"})
        return
    yield _ears_step(task.method, {**task.options, "method": task.method[-2:]})
    if task.method != "ears-c1":
        yield _ears_step(
            "ears-c1", {"method": "c1", **{name: task.options[name] for name in ("baseline", "min_sigma")}}
        )


def _farrington_needs(task: _Task, years_back: int) -> Callable[[int], int]:
    half_window = int(task.options["half_window"])

    def needs(epoch: int) -> int:
        return earliest_row(
            epoch, days=task.days, frequency=task.frequency, years_back=years_back, half_window=half_window
        )

    return needs


def _ears_step(name: str, options: Mapping[str, Any]) -> _Step:
    reach = int(options.get("baseline", 7)) + _EARS_LAGS[name]
    return _Step(name, ears, options, lambda epoch: epoch - reach)


def _with_fallback(task: _Task, columns: NDArray[np.int64]) -> Alarms:
    """Judge each count by the first method of the chain whose history is there.

    Where a Farrington fit fails on a history full of holes, the next method may try; where EARS has no limit (no spread
    and no change), there is none, as in R.
    """
    observed = ~np.isnan(task.table[:, columns])
    # The first observed row of each series; the length of the table where there is none.
    begins = np.where(observed.any(axis=0), observed.argmax(axis=0), observed.shape[0])
    result = Alarms.empty(method=task.method, evaluated=task.epochs, series=columns.size)
    waiting = np.ones((task.epochs.size, columns.size), np.bool_)
    for number, step in enumerate(_chain(task), start=1):
        needs = np.array([step.needs(epoch) for epoch in task.epochs.tolist()], np.int64)
        ready = waiting & (needs >= 0)[:, np.newaxis] & (needs[:, np.newaxis] >= begins)
        if number == 1 and ready.all():
            result = _run(task, step, task.epochs, columns)
        elif ready.any():
            if number > 1:
                result = replace(result, methods=(*result.methods, step.name), used=result.used.copy())
            _fill(result, task, step, columns, ready)
        waiting &= observed[task.epochs] & ~(ready if step.call is ears else result.judged)
        if not waiting.any():
            break
    return replace(result, notes=_notes(result, task, observed[task.epochs], begins))


def _fill(result: Alarms, task: _Task, step: _Step, columns: NDArray[np.int64], ready: NDArray[np.bool_]) -> None:
    """Judge what is `ready` by `step`, the last of the result's methods, and copy it into `result`."""
    number = len(result.methods) - 1
    rows = np.flatnonzero(ready.any(axis=1))
    series = np.flatnonzero(ready.any(axis=0))
    found = _run(task, step, task.epochs[rows], columns[series])
    block = np.ix_(rows, series)
    # The asked method gives limits for missing counts too; a simpler one only fills in what is still to be judged.
    chosen = ready[block] & (found.judged | (number == 1))
    alarm = found.alarm
    if step.call is ears and task.method in _FUNCTIONS:
        alarm = alarm & _enough_cases(task, rows, columns[series])
    result.alarm[block] = np.where(chosen, alarm, result.alarm[block])
    for name in ("judged", "expected", "upperbound", "score", "pvalue", "trend", "phi"):
        target = getattr(result, name)
        # A method without p values shares one missing value among all.
        if target.flags.writeable:
            target[block] = np.where(chosen, getattr(found, name), target[block])
    result.used[block] = np.where(chosen & found.judged, number, result.used[block])


def _enough_cases(task: _Task, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> NDArray[np.bool_]:
    span = int(task.options["min_cases_weeks"])
    epochs = task.epochs[rows].tolist()
    recent = [np.nansum(task.table[max(0, k - span + 1) : k + 1, columns], axis=0) for k in epochs]
    return np.array(recent) >= float(task.options["min_cases"])


def _notes(result: Alarms, task: _Task, observed: NDArray[np.bool_], begins: NDArray[np.int64]) -> dict[int, Shortfall]:
    """Say what judged each series that the asked method did not judge throughout."""
    notes: dict[int, Shortfall] = {}
    for series in np.flatnonzero((result.used != 1).any(axis=0)).tolist():
        begin = int(begins[series])
        if begin >= task.table.shape[0]:
            notes[series] = Shortfall(history=None)
            continue
        used = result.used[:, series]
        judged = ((name, int((used == number).sum())) for number, name in enumerate(result.methods) if number > 1)
        missing = int((~observed[:, series]).sum())
        notes[series] = Shortfall(
            history=max(0, int(task.epochs.max()) - begin),
            simpler=tuple((name, times) for name, times in judged if times),
            missing=missing,
            helpless=max(0, int((used == 0).sum()) - missing),
            epochs=used.size,
        )
    return notes


def join_series(parts: list[Alarms]) -> Alarms:
    """Return the alarms of several sets of series side by side."""
    if len(parts) == 1:
        return parts[0]
    names = list(dict.fromkeys(name for part in parts for name in part.methods))
    used = []
    notes: dict[int, Shortfall] = {}
    begin = 0
    for part in parts:
        numbers = np.array([names.index(name) for name in part.methods], np.uint8)
        used.append(numbers[part.used])
        notes.update({begin + series: note for series, note in part.notes.items()})
        begin += part.used.shape[1]

    def beside(name: str) -> Any:
        return np.concatenate([getattr(part, name) for part in parts], axis=1)

    return replace(
        parts[0],
        alarm=beside("alarm"),
        judged=beside("judged"),
        expected=beside("expected"),
        upperbound=beside("upperbound"),
        score=beside("score"),
        pvalue=beside("pvalue"),
        trend=beside("trend"),
        phi=beside("phi"),
        used=np.concatenate(used, axis=1),
        methods=tuple(names),
        notes=notes,
    )
