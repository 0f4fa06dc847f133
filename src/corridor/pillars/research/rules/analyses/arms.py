"""The arms that tests and curves compare: the codes of a flag or a category of the dictionary."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from corridor.base.members import Members
from corridor.pillars.research.rules.protocol.document import Endpoint, Protocol, VariableType
from corridor.pillars.research.rules.rows import Mask, Rows

__all__ = ["Arms", "codes_of_variable", "read_arms", "read_edges", "read_endpoint"]


@dataclass(frozen=True)
class Arms:
    """A partition of rows.

    Attributes
    ----------
    variable : str
        Of the dictionary; empty where all rows are one arm.
    labels : tuple of str
        Codes of the category, "0" and "1" of a flag, "all" without a variable.
    """

    variable: str
    labels: tuple[str, ...]

    @property
    def variables(self) -> tuple[str, ...]:
        """Return what rows must hold to have an arm."""
        return (self.variable,) if self.variable else ()

    def of(self, rows: Rows) -> NDArray[np.int64]:
        """Return for each row the place of its arm among `labels`, shape (rows,)."""
        if not self.variable:
            return np.zeros(len(rows), dtype=np.int64)
        return rows.variable(self.variable).astype(np.int64)

    def sets(self, rows: Rows) -> dict[str, Mask]:
        """Return for each arm that has rows the rows of the table that are in it."""
        codes = self.of(rows)
        return {label: rows.those(codes == place) for place, label in enumerate(self.labels) if (codes == place).any()}


def read_arms(members: Members, protocol: Protocol, key: str = "by", *, is_required: bool = True) -> Arms:
    """Return the arms that the member `key` names, noting a variable that makes none."""
    if not is_required and not members.has(key):
        return Arms("", ("all",))
    name = members.text(key)
    found = protocol.variable(name)
    if found is None or found.type not in (VariableType.FLAG, VariableType.CATEGORY):
        if name:
            members.fault(key, "expected a flag or a category of the dictionary")
        return Arms("", ("all",))
    return Arms(name, codes_of_variable(protocol, name))


def read_endpoint(members: Members, protocol: Protocol) -> Endpoint | None:
    """Return the endpoint that the member ``endpoint`` names, noting an unknown one."""
    name = members.text("endpoint")
    endpoint = protocol.endpoint(name)
    if name and endpoint is None:
        members.fault("endpoint", "expected the name of an endpoint")
    return endpoint


def read_edges(members: Members, protocol: Protocol) -> list[float]:
    """Return the days that the member ``edges`` names, 0 before them; none if left out: the whole grid then."""
    if not members.has("edges"):
        return []
    grid, days = protocol.disclosure.grid_days, members.numbers("edges", least=1, most=100_000)
    if any(day % grid for day in days) or any(first >= second for first, second in pairwise([0.0, *days])):
        members.fault("edges", f"expected rising multiples of the grid of {grid} days, above 0")
        return []
    return [0.0, *days] if days else []


def codes_of_variable(protocol: Protocol, name: str) -> tuple[str, ...]:
    """Return the codes of a category, or those of a flag."""
    found = protocol.variable(name)
    return tuple(found.codes) if found is not None and found.codes else ("0", "1")
