"""What every kind of analysis is: requests go out, each site answers with a block, and the blocks give the result."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar

import numpy as np

from corridor.base.errors import InputFault
from corridor.base.members import Members
from corridor.pillars.research.rules.disclosure.exposure import Exposure
from corridor.pillars.research.rules.disclosure.policy import Policy
from corridor.pillars.research.rules.protocol.document import AnalysisItem, Protocol
from corridor.pillars.research.rules.rows import FloatArray, Rows, SiteTable, select_rows

__all__ = [
    "Answer",
    "Block",
    "Blocks",
    "CannotCompute",
    "Caution",
    "MalformedBlock",
    "Plan",
    "Precision",
    "Request",
    "Result",
    "counts_of",
    "numbers_of",
    "read_terms",
    "sum_of",
]

Block = Mapping[str, Sequence[float | None]]
"""Numbers that leave a site: named lists of whole numbers and floats, None where one is withheld."""

Blocks = Mapping[str, Block]
"""The blocks of one round by site, in the order of the sites' names."""


class CannotCompute(InputFault):
    """A step has no answer on these numbers: separation, no convergence, a stratum without events.

    The text says why in words that a researcher can act on, and holds no datum.
    """

    code: ClassVar[str] = "cannot-compute"


class MalformedBlock(CannotCompute):
    """A site's block lacks numbers that the step needs, or has others.

    Attributes
    ----------
    site : str
    """

    code: ClassVar[str] = "malformed-block"

    def __init__(self, site: str, name: str) -> None:
        self.site = site
        super().__init__(f"the block of site {site} does not hold {name} as this step needs it.")


class Precision(StrEnum):
    """What a result is compared with pooled rows."""

    EXACT = "exact"
    COARSENED = "coarsened"


class Caution(StrEnum):
    """What a reader of a result must know; pages tell each in words."""

    CELLS_WITHHELD = "cells-withheld"
    NOISE_ADDED = "noise-added"
    POOR_OVERLAP = "poor-overlap"
    EXTREME_WEIGHTS = "extreme-weights"
    NOT_BALANCED = "not-balanced"
    SITES_DIFFER = "sites-differ"
    CURVE_CUT = "curve-cut"
    MEAN_BEYOND_CURVE = "mean-beyond-curve"
    HAZARDS_NOT_PROPORTIONAL = "hazards-not-proportional"


@dataclass(frozen=True)
class Request:
    """What every site is asked in one round.

    Attributes
    ----------
    round : int
        1, 2, …
    step : str
        Which of the plan's steps.
    parameters : mapping
        Named lists of numbers; coefficients under ``beta``.
    """

    round: int
    step: str
    parameters: Mapping[str, Sequence[float]] = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    """A site's block, and what it tells of the site's rows; only `block` may leave, and only if disclosure allows."""

    block: Block
    exposure: Exposure


@dataclass(frozen=True)
class Result:
    """What an analysis found.

    Attributes
    ----------
    precision : Precision
    values : mapping
        JSON values, by the kind's own names.
    warnings : tuple of Caution
    """

    precision: Precision
    values: Mapping[str, Any]
    warnings: tuple[Caution, ...] = ()


class Plan(ABC):
    """One entry of a protocol's analysis plan, ready to be run.

    A plan holds no rows and no state: every site runs it by itself on the same blocks and comes to the same requests
    and the same result, whoever asked for it.
    """

    kind: ClassVar[str] = ""
    precision: ClassVar[Precision] = Precision.EXACT
    counts_alone: ClassVar[bool] = False
    """Whether answers tell who is in which set and nothing else, so that a corrected value shows by the sets alone."""

    def __init__(self, item: AnalysisItem, protocol: Protocol) -> None:
        self.item = item
        self.protocol = protocol

    @abstractmethod
    def read(self, members: Members) -> None:
        """Take the options of the kind from the protocol, noting every fault."""

    @abstractmethod
    def begin(self) -> Request:
        """Return the first request."""

    @abstractmethod
    def rows(self, table: SiteTable) -> Rows:
        """Return the rows of a site that the analysis takes."""

    def prepared_rows(self, table: SiteTable) -> Rows:
        """Return `rows`, the same ones in every round on one table: what they hold prepared is made once.

        An analysis is known by its protocol's hash and its name therein, whoever made the plan anew.
        """
        return table.once((self.protocol.hash, self.item.id), lambda: self.rows(table))

    @abstractmethod
    def answer(self, request: Request, rows: Rows, policy: Policy) -> Answer:
        """Return what a site would answer.

        Raises
        ------
        CannotCompute
        """

    @abstractmethod
    def proceed(self, history: Sequence[tuple[Request, Blocks]]) -> Request | Result:
        """Return the next request or the result, from all rounds so far.

        Raises
        ------
        CannotCompute
        """

    def select(self, table: SiteTable, **needed: Any) -> Rows:
        """Return the complete rows of the population and the analysis' own subgroup."""
        return select_rows(self.protocol, table, where=self.item.where, **needed)


def count_numbers(block: Block) -> int:
    """Return how many numbers a block shows; withheld ones are not among them."""
    return sum(number is not None for numbers in block.values() for number in numbers)


def numbers_of(blocks: Blocks, name: str, *, size: int) -> dict[str, FloatArray]:
    """Return a list of `size` numbers from every site's block.

    Raises
    ------
    MalformedBlock
        If a site's block has no such list, or one of another length, or withholds some of it.
    """
    found = {}
    for site, block in blocks.items():
        values = block.get(name, ())
        if len(values) != size or any(value is None for value in values):
            raise MalformedBlock(site, name)
        found[site] = np.array(values, dtype=float)
    return found


def sum_of(blocks: Blocks, name: str, *, size: int) -> FloatArray:
    """Return the sum over sites of a list of numbers, added in the order of the sites.

    Raises
    ------
    MalformedBlock
    """
    total = np.zeros(size)
    for values in numbers_of(blocks, name, size=size).values():
        total = total + values
    return total


def counts_of(blocks: Blocks, name: str, *, size: int) -> dict[str, list[int | None]]:
    """Return a table of counts from every site's block, with None for cells that the site withheld.

    Raises
    ------
    MalformedBlock
    """
    found: dict[str, list[int | None]] = {}
    for site, block in blocks.items():
        values = block.get(name, ())
        if len(values) != size or any(value is not None and (value < 0 or value != int(value)) for value in values):
            raise MalformedBlock(site, name)
        found[site] = [None if value is None else int(value) for value in values]
    return found


def read_terms(members: Members, protocol: Protocol, key: str = "terms", *, at_least: int = 1) -> tuple[str, ...]:
    """Return the terms that the member `key` names, noting unknown ones."""
    names = members.strings(key, at_least=at_least) if members.has(key) or at_least else []
    for index, name in enumerate(names):
        if name and protocol.term(name) is None:
            members.fault(f"{key}/{index}", "expected the name of a term")
    return tuple(name for name in names if protocol.term(name) is not None)
