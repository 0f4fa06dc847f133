"""What a site keeps prepared between rounds changes no number of an answer and nothing that is judged of it."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from typing import Any

import numpy as np
import pytest

from corridor.pillars.research.rules.analyses import Request
from corridor.pillars.research.rules.disclosure import Policy, judge
from corridor.pillars.research.rules.engine import compute_answer
from corridor.pillars.research.rules.rows import MOST_PREPARED, SiteTable
from tests.attack.breast import TERMS, analysis, bent_protocol, tables
from tests.attack.playing import plan

ZERO, NEAR = [0.0] * len(TERMS), [0.01] * len(TERMS)
MODEL = {"start": [-0.5], "variance": [1.0]}
KINDS: dict[str, tuple[dict[str, Any], list[tuple[str, dict[str, list[float]]]]]] = {
    "cox": (
        {"endpoint": "rfs", "terms": list(TERMS), "robust": True, "proportional_hazards": "log", "concordance": True},
        [(step, {"beta": beta}) for step in ("block", "robust", "hazards", "concordance") for beta in (ZERO, NEAR)],
    ),
    "moments": (
        {"variables": ["nodes", "hormon"]},
        [("sums", {}), ("squares", {"mean:all": [3.0, 0.5]}), ("squares", {"mean:all": [2.0, 0.5]})],
    ),
    "logistic": (
        {"outcome": "event", "terms": list(TERMS)},
        [("start", {}), *(("block", {"beta": [0.0, *beta, 0.0], **MODEL}) for beta in (ZERO, NEAR))],
    ),
    "logrank": ({"endpoint": "rfs", "by": "hormon"}, [("sums", {})]),
    "meta": ({"endpoint": "rfs", "terms": list(TERMS)}, [("estimate", {})]),
    "kaplan-meier": ({"endpoint": "rfs"}, [("edges", {}), ("table", {"edges": [0.0, 360.0, 720.0]})]),
}


def flat(value: Any) -> list[Any]:
    """Return every number and word in an answer, in order."""
    if is_dataclass(value):
        return [each for field in fields(value) for each in flat(getattr(value, field.name))]
    if isinstance(value, dict):
        return [each for name, part in value.items() for each in (name, *flat(part))]
    if isinstance(value, np.ndarray):
        return [value.shape, value.tobytes()]
    if isinstance(value, list | tuple):
        return [each for part in value for each in flat(part)]
    return [value]


@pytest.mark.parametrize("kind", KINDS)
def test_an_answer_is_the_same_to_the_last_bit_whether_or_not_rounds_came_before_it(kind: str) -> None:
    options, steps = KINDS[kind]
    protocol = bent_protocol(analysis("asked", kind, **options))
    policy = Policy()
    used = replace(tables()["de"], site="de")
    requests = [Request(number, step, given) for number, (step, given) in enumerate(steps, start=1)]
    for request in (*requests, *reversed(requests)):
        asked = plan(protocol, "asked")
        fresh = compute_answer(asked, request, table=replace(used), policy=policy)
        again = compute_answer(asked, request, table=used, policy=policy)
        assert flat(again) == flat(fresh)
        assert judge(again.exposure, policy) == judge(fresh.exposure, policy)


def test_an_amended_term_under_its_old_name_is_prepared_anew() -> None:
    table = replace(tables()["de"], site="de")

    def halved(members: dict[str, Any]) -> None:
        for term in members["terms"]:
            if term["name"] == "nodes":
                term["per"] = 2

    fit = analysis("fit", "cox", endpoint="rfs", terms=["nodes"])
    before = plan(bent_protocol(fit), "fit").prepared_rows(table).term("nodes")
    after = plan(bent_protocol(fit, change=halved), "fit").prepared_rows(table).term("nodes")
    assert not np.array_equal(before, after)


def test_a_table_keeps_few_things_and_lets_go_of_the_one_longest_unused() -> None:
    table = SiteTable({}, ())
    made: list[int] = []

    def make(number: int) -> int:
        made.append(number)
        return number

    for number in range(MOST_PREPARED):
        table.once(number, lambda number=number: make(number))
    table.once(0, lambda: make(0))
    table.once("one more", lambda: make(99))
    assert table.once(0, lambda: make(0)) == 0
    assert table.kept(1) is None
    assert made == [*range(MOST_PREPARED), 99]
