"""The protocol as a value: frozen records that rules, analyses and pages read."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any

SCHEMA = "health-corridor.study/1"


class VariableType(StrEnum):
    """What a column of a site's table holds."""

    NUMBER = "number"
    WHOLE = "whole"
    FLAG = "flag"
    CATEGORY = "category"
    DATE = "date"
    PERSON = "person"
    """A pseudonym of the patient; it never leaves the site, and never enters an analysis."""


class Missing(StrEnum):
    """What becomes of a row that lacks a value which an analysis needs."""

    COMPLETE_CASES = "complete-cases"
    REFUSE = "refuse"


@dataclass(frozen=True)
class Variable:
    """One variable of the data dictionary.

    Attributes
    ----------
    name : str
        As terms and conditions name it.
    unit : str
        UCUM or a plain word; empty for codes and flags.
    coding : str
        The system of the codes with its edition (ICD-O-3.2, TNM 8); empty for the study's own codes.
    codes : mapping of code to label
        Of a category, in the order in which tables show them.
    least, most : float or None
        Plausible range; a value outside it is reported, and treated as missing.
    """

    name: str
    type: VariableType
    label: Mapping[str, str]
    unit: str = ""
    coding: str = ""
    codes: Mapping[str, str] | None = None
    least: float | None = None
    most: float | None = None


@dataclass(frozen=True)
class Condition:
    """A restriction of the rows: the variable compared with a value or values.

    Attributes
    ----------
    operator : {"is", "is_not", "one_of", "above", "at_least", "below", "at_most"}
    values : tuple of str or float
        One value, or several for ``one_of``; codes for categories, numbers else.
    """

    variable: str
    operator: str
    values: tuple[str | float, ...]


@dataclass(frozen=True)
class Term:
    """One column of a model matrix, made of one variable or of a product of two terms.

    Attributes
    ----------
    form : {"value", "log1p", "log", "square", "is", "at_least", "product"}
    argument : str or float or None
        The code of ``is``, the bound of ``at_least``.
    per : float
        The column is divided by it: 10 for "per ten years".
    factors : tuple of str
        Names of the two terms of a ``product``: an interaction.
    """

    name: str
    variable: str
    form: str = "value"
    argument: str | float | None = None
    per: float = 1.0
    factors: tuple[str, ...] = ()
    label: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Endpoint:
    """A clock: from time zero to an event or to the end of observation.

    Attributes
    ----------
    time : str
        Variable with the days from time zero to event or censoring.
    event : str
        Flag, 1 for the event.
    entry : str
        Variable with the days from time zero to the begin of observation (delayed entry); empty for none.
    competing : str
        Flag, 1 for an event that makes the event impossible; empty for none.
    follow_up_days : int
        Observation is censored administratively after so many days; 0 for never.
    """

    name: str
    time: str
    event: str
    entry: str = ""
    competing: str = ""
    follow_up_days: int = 0
    label: Mapping[str, str] | None = None


@dataclass(frozen=True)
class DisclosureTerms:
    """The study's disclosure rule; a site may be stricter, never laxer.

    Attributes
    ----------
    smallest_cell : int
        k: no released figure is about 1 to k - 1 persons.
    grid_days : int
        The public time grid of the coarsened class.
    evaluations : int
        How many coefficient vectors a site answers per model and snapshot.
    releases : int
        How many answers a site gives in the whole study.
    answers_per_person : int
        Of how many answers, over all studies of a site, the rows of one person may be part.
    numbers_per_partner : int
        How many numbers, over all studies of a site, one other node may get.
    noise_scale : float
        Scale of the keyed noise on counts of tables; 0 for none.
    """

    smallest_cell: int = 5
    grid_days: int = 30
    evaluations: int = 10
    releases: int = 500
    answers_per_person: int = 1000
    numbers_per_partner: int = 250_000
    noise_scale: float = 0.0


@dataclass(frozen=True)
class Approval:
    """An approval or filing without which a site does not compute: who gave it, its number and dates."""

    kind: str
    body: str
    number: str
    approved_on: date
    expires_on: date | None = None


@dataclass(frozen=True)
class Site:
    """A site: its short name, the node that holds its rows, its approvals."""

    id: str
    node: str
    country: str
    institution: str
    approvals: tuple[Approval, ...] = ()


@dataclass(frozen=True)
class AnalysisItem:
    """One entry of the statistical analysis plan.

    Attributes
    ----------
    kind : str
        One of `rules.analyses.KINDS`, which reads and checks `options`.
    options : mapping
        The members that belong to the kind.
    where : tuple of Condition
        Subgroup, besides the study's population.
    """

    id: str
    kind: str
    title: Mapping[str, str]
    where: tuple[Condition, ...]
    options: Mapping[str, Any]


@dataclass(frozen=True)
class Protocol:
    """A whole protocol, read from its canonical bytes and validated.

    Attributes
    ----------
    hash : str
        SHA-256 of the canonical bytes: what the signatures are over.
    study : str
        Short name that all versions share.
    version : int
        1, 2, …; each later one names in `supersedes` the hash that it amends.
    """

    hash: str
    study: str
    version: int
    supersedes: str | None
    title: Mapping[str, str]
    question: Mapping[str, str]
    population_text: Mapping[str, str]
    time_zero: str
    plan: str
    authorship: str
    registration: str
    ends_on: date
    sites: tuple[Site, ...]
    variables: tuple[Variable, ...]
    population: tuple[Condition, ...]
    exposure: str
    terms: tuple[Term, ...]
    endpoints: tuple[Endpoint, ...]
    analyses: tuple[AnalysisItem, ...]
    missing: Missing
    disclosure: DisclosureTerms
    simulated: bool

    @property
    def person(self) -> Variable:
        """Return the variable that tells patients apart."""
        return next(each for each in self.variables if each.type is VariableType.PERSON)

    def site(self, site_id: str) -> Site | None:
        """Return a site by its short name, or None."""
        return next((site for site in self.sites if site.id == site_id), None)

    def site_of(self, node: str) -> Site | None:
        """Return the site of a node, or None if that node takes no part."""
        return next((site for site in self.sites if site.node == node), None)

    def variable(self, name: str) -> Variable | None:
        """Return a variable by name, or None."""
        return next((variable for variable in self.variables if variable.name == name), None)

    def term(self, name: str) -> Term | None:
        """Return a term by name, or None."""
        return next((term for term in self.terms if term.name == name), None)

    def endpoint(self, name: str) -> Endpoint | None:
        """Return an endpoint by name, or None."""
        return next((endpoint for endpoint in self.endpoints if endpoint.name == name), None)

    def analysis(self, analysis_id: str) -> AnalysisItem | None:
        """Return an entry of the analysis plan, or None."""
        return next((item for item in self.analyses if item.id == analysis_id), None)

    def title_in(self, language: str) -> str:
        """Return the title in `language`, else in English, else in any language there is."""
        return self.title.get(language) or self.title.get("en") or next(iter(self.title.values()), "")
