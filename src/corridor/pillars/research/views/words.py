"""Words of a protocol in the language of the page: labels of variables, terms and codes, numbers and p values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from corridor.pillars.research.rules.protocol import Protocol, Term
from corridor.web.cells import language
from corridor.web.formats import number_text

__all__ = ["code_text", "in_words", "leaves", "listed", "p_claim", "p_text", "plain", "term_text", "variable_text"]

_LEAST_P = 0.0001
_SEMICOLONS = {"zh-hans": "；", "ur": "؛ "}


def in_words(texts: Mapping[str, str] | None) -> str:
    """Return a text of a protocol in the language of the page, else in English, else in any there is."""
    found = texts or {}
    return found.get(language()) or found.get("en") or next(iter(found.values()), "")


def variable_text(protocol: Protocol, name: str) -> str:
    """Return what a variable is called, with its unit."""
    variable = protocol.variable(name)
    if variable is None:
        return name
    label = in_words(variable.label) or name
    return f"{label} ({variable.unit})" if variable.unit not in ("", "1") else label


def code_text(protocol: Protocol, variable: str, code: str) -> str:
    """Return what a code of a category, or a flag, is called."""
    if code == "missing":
        return pgettext("code of a variable", "missing")
    found = protocol.variable(variable)
    if found is not None and found.codes and code in found.codes:
        return found.codes[code]
    if found is not None and not found.codes:
        return {"0": _("no"), "1": _("yes")}.get(code, code)
    return code


def term_text(protocol: Protocol, name: str) -> str:
    """Return what a term of a model is called: its own label, or the variable and what is made of it."""
    term = protocol.term(name)
    if term is None:
        return name
    if term.label:
        return in_words(term.label)
    if term.factors:
        return " × ".join(term_text(protocol, factor) for factor in term.factors)
    return _of_variable(protocol, term)


def _of_variable(protocol: Protocol, term: Term) -> str:
    variable = protocol.variable(term.variable)
    label = (in_words(variable.label) if variable else "") or term.variable
    if term.form == "is":
        return f"{label}: {code_text(protocol, term.variable, str(term.argument))}"
    if term.form == "at_least":
        return f"{label} ≥ {term.argument}"
    if term.form in ("log", "log1p", "square"):
        shape = {"log": "ln x", "log1p": "ln(x + 1)", "square": "x²"}[term.form]
        return f"{label}, {shape}"
    return f"{label}, /{term.per:g}" if term.per != 1 else label


def plain(value: float | None, decimals: int = 2) -> str:
    """Return a number as the language of the page writes it."""
    return "" if value is None else number_text(value, language=language(), decimals=decimals)


def p_text(value: float | None) -> str:
    """Return a p value."""
    if value is None:
        return ""
    # Isolated left to right: in a line of Urdu the sign would turn around.
    return f"\u2066< {plain(_LEAST_P, 4)}\u2069" if value < _LEAST_P else plain(value, 4)


def leaves(value: object, name: str = "") -> list[tuple[str, object]]:
    """Return every value of a nested result with its path, such as ``arms.1.mean.2``."""
    if isinstance(value, Mapping):
        return [leaf for key, inner in value.items() for leaf in leaves(inner, f"{name}.{key}" if name else str(key))]
    if isinstance(value, list | tuple):
        return [leaf for place, inner in enumerate(value, start=1) for leaf in leaves(inner, f"{name}.{place}")]
    return [(name, value)]


def listed(texts: Iterable[str]) -> str:
    """Return texts that may hold commas as one, parted by the semicolon of the language of the page."""
    return _SEMICOLONS.get(language(), "; ").join(texts)


def p_claim(value: float | None) -> str:
    """Return a p value with its sign of comparison, for a sentence: ``= 0.012`` or ``< 0.0001``."""
    text = p_text(value)
    return text if "<" in text else f"= {text}"
