"""Read a protocol from canonical bytes, and name every fault by its JSON pointer."""

import re
from collections.abc import Iterable, Mapping
from typing import ClassVar

from corridor.base.members import Fault, FaultyDocument, Members
from corridor.exchange.rules.canonical import parse_canonical, sha256_hex
from corridor.pillars.research.rules.protocol.document import (
    SCHEMA,
    AnalysisItem,
    Approval,
    Condition,
    DisclosureTerms,
    Endpoint,
    Missing,
    Protocol,
    Site,
    Term,
    Variable,
    VariableType,
)

__all__ = ["MAX_BYTES", "MalformedProtocol", "read_protocol"]

MAX_BYTES = 262_144
LANGUAGES = ("en", "zh-hans", "ru", "ur")
SINGLE = ("is", "is_not", "above", "at_least", "below", "at_most")
FORMS = ("value", "log1p", "log", "square", "is", "at_least", "product")
APPROVALS = ("ethics", "registration", "filing", "data-access")

_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,60}[a-z0-9])?")
_CODE = re.compile(r"[^\s|,;]{1,60}")
_NODE = re.compile(r"[a-z]{2}(\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?){1,6}")
_COUNTRY = re.compile(r"[A-Z]{2}")
_HASH = re.compile(r"[0-9a-f]{64}")
_LARGE = 1e12


class MalformedProtocol(FaultyDocument):
    """The document is no protocol of this schema; every fault is listed with its JSON pointer."""

    code: ClassVar[str] = "malformed-protocol"
    noun: ClassVar[str] = "protocol"


def read_protocol(document: bytes) -> Protocol:
    """Return the protocol that `document` holds.

    Parameters
    ----------
    document : bytes
        Canonical JSON (RFC 8785), at most 256 KiB.

    Raises
    ------
    MalformedProtocol
        If the schema is broken anywhere; all faults are listed.
    InputFault
        If the bytes are not canonical JSON.
    """
    if len(document) > MAX_BYTES:
        raise MalformedProtocol.of_text(f"expected at most {MAX_BYTES} bytes, came {len(document)}")
    root = Members.of(parse_canonical(document))
    protocol = _protocol(root, sha256_hex(document))
    _check_names(root, protocol)
    if not root.faults:
        _check_analyses(root, protocol)
    root.done()
    if root.faults:
        raise MalformedProtocol(tuple(root.faults))
    return protocol


def _protocol(root: Members, name: str) -> Protocol:
    root.choice("schema", (SCHEMA,))
    version = root.whole("version", least=1, most=999, fallback=1)
    supersedes = root.optional("supersedes", pattern=_HASH)
    if (version == 1) != (supersedes is None):
        root.fault("supersedes", "expected null in version 1, and the hash of the version before in a later one")
    return Protocol(
        hash=name,
        study=root.text("study", pattern=_SLUG),
        version=version,
        supersedes=supersedes,
        title=root.texts("title", LANGUAGES),
        question=root.texts("question", LANGUAGES),
        population_text=root.texts("population_text", LANGUAGES),
        time_zero=root.text("time_zero"),
        plan=root.text("plan"),
        authorship=root.text("authorship"),
        registration=root.optional("registration", absent_allowed=True) or "",
        ends_on=root.day("ends_on"),
        sites=tuple(_site(item) for item in root.items("sites", at_least=2)),
        variables=tuple(_variable(item) for item in root.items("variables", at_least=1)),
        population=_conditions(root, "population"),
        exposure=root.optional("exposure", pattern=_NAME, absent_allowed=True) or "",
        terms=tuple(_term(item) for item in root.items("terms", absent_allowed=True)),
        endpoints=tuple(_endpoint(item) for item in root.items("endpoints", absent_allowed=True)),
        analyses=tuple(_analysis(item) for item in root.items("analyses", at_least=1)),
        missing=Missing(root.choice("missing", tuple(Missing), absent=Missing.COMPLETE_CASES)),
        disclosure=_disclosure(root),
        simulated=root.has("simulated") and root.flag("simulated"),
    )


def _site(item: Members) -> Site:
    site = Site(
        id=item.text("id", pattern=_SLUG),
        node=item.text("node", pattern=_NODE),
        country=item.text("country", pattern=_COUNTRY),
        institution=item.text("institution"),
        approvals=tuple(_approval(each) for each in item.items("approvals", absent_allowed=True)),
    )
    item.done()
    return site


def _approval(item: Members) -> Approval:
    approval = Approval(
        kind=item.choice("kind", APPROVALS),
        body=item.text("body"),
        number=item.text("number"),
        approved_on=item.day("approved_on"),
        expires_on=item.day("expires_on") if item.has("expires_on") else None,
    )
    item.done()
    return approval


def _variable(item: Members) -> Variable:
    kind = VariableType(item.choice("type", tuple(VariableType)))
    ranged = kind in (VariableType.NUMBER, VariableType.WHOLE)
    variable = Variable(
        name=item.text("name", pattern=_NAME),
        type=kind,
        label=item.texts("label", LANGUAGES),
        unit=item.optional("unit", absent_allowed=True) or "",
        coding=item.optional("coding", absent_allowed=True) or "",
        codes=_codes(item) if kind is VariableType.CATEGORY else None,
        least=item.number("least", least=-_LARGE, most=_LARGE) if ranged and item.has("least") else None,
        most=item.number("most", least=-_LARGE, most=_LARGE) if ranged and item.has("most") else None,
    )
    if ranged and not variable.unit:
        item.fault("unit", "expected the unit of a number (a count of things has the unit 1)")
    item.done()
    return variable


def _codes(item: Members) -> dict[str, str]:
    codes: dict[str, str] = {}
    for entry in item.items("codes", at_least=2):
        code = entry.text("code", pattern=_CODE)
        if code in codes:
            entry.fault("code", "expected each code once")
        codes[code] = entry.text("label")
        entry.done()
    return codes


def _conditions(root: Members, key: str) -> tuple[Condition, ...]:
    return tuple(_condition(item) for item in root.items(key, absent_allowed=True))


def _condition(item: Members) -> Condition:
    variable = item.text("variable", pattern=_NAME)
    given = [operator for operator in (*SINGLE, "one_of") if item.has(operator)]
    if len(given) != 1:
        item.fault("variable", f"expected beside it exactly one of {', '.join((*SINGLE, 'one_of'))}")
        return Condition(variable, "is", (0.0,))
    (operator,) = given
    if operator == "one_of":
        values: tuple[str | float, ...] = tuple(item.strings("one_of", at_least=1))
    else:
        values = (_value(item, operator),)
    item.done()
    return Condition(variable, operator, values)


def _value(item: Members, key: str) -> str | float:
    return item.text(key, pattern=_CODE) if item.is_text(key) else item.number(key, least=-_LARGE, most=_LARGE)


def _term(item: Members) -> Term:
    form = item.choice("form", FORMS, absent="value")
    product = form == "product"
    argument = None
    if form == "is":
        argument = _value(item, "argument")
    elif form == "at_least":
        argument = item.number("argument", least=-_LARGE, most=_LARGE)
    factors = tuple(item.strings("factors", pattern=_NAME, at_least=2)) if product else ()
    if product and len(factors) != 2:
        item.fault("factors", "expected two terms")
    term = Term(
        name=item.text("name", pattern=_NAME),
        variable="" if product else item.text("variable", pattern=_NAME),
        form=form,
        argument=argument,
        per=item.number("per", least=1e-9, most=_LARGE, fallback=1.0) if item.has("per") else 1.0,
        factors=factors,
        label=item.texts("label", LANGUAGES) if item.has("label") else None,
    )
    item.done()
    return term


def _endpoint(item: Members) -> Endpoint:
    endpoint = Endpoint(
        name=item.text("name", pattern=_NAME),
        time=item.text("time", pattern=_NAME),
        event=item.text("event", pattern=_NAME),
        entry=item.optional("entry", pattern=_NAME, absent_allowed=True) or "",
        competing=item.optional("competing", pattern=_NAME, absent_allowed=True) or "",
        follow_up_days=item.whole("follow_up_days", least=0, most=100_000) if item.has("follow_up_days") else 0,
        label=item.texts("label", LANGUAGES) if item.has("label") else None,
    )
    item.done()
    return endpoint


def _analysis(item: Members) -> AnalysisItem:
    common = ("id", "kind", "title", "where")
    return AnalysisItem(
        id=item.text("id", pattern=_SLUG),
        kind=item.text("kind", pattern=_SLUG),
        title=item.texts("title", LANGUAGES),
        where=_conditions(item, "where"),
        options=item.rest(common),
    )


def _disclosure(root: Members) -> DisclosureTerms:
    if not root.has("disclosure"):
        return DisclosureTerms()
    item, usual = root.members("disclosure"), DisclosureTerms()
    whole: Mapping[str, tuple[int, int]] = {
        "smallest_cell": (3, 100),
        "grid_days": (7, 3660),
        "evaluations": (1, 50),
        "releases": (1, 100_000),
        "answers_per_person": (1, 100_000),
        "numbers_per_partner": (1, 10_000_000),
    }
    numbers = {
        name: item.whole(name, least=least, most=most, fallback=getattr(usual, name))
        for name, (least, most) in whole.items()
        if item.has(name)
    }
    noise = item.number("noise_scale", least=0, most=100) if item.has("noise_scale") else 0.0
    item.done()
    return DisclosureTerms(**numbers, noise_scale=noise)


def _check_names(root: Members, protocol: Protocol) -> None:
    """Note names that occur twice and names that nothing bears."""
    lists: Mapping[str, Iterable[str]] = {
        "sites": [site.id for site in protocol.sites],
        "variables": [variable.name for variable in protocol.variables],
        "terms": [term.name for term in protocol.terms],
        "endpoints": [endpoint.name for endpoint in protocol.endpoints],
        "analyses": [item.id for item in protocol.analyses],
    }
    for key, names in lists.items():
        _once(root, key, list(names))
    _once(root, "sites", [site.node for site in protocol.sites], what="node")
    if sum(variable.type is VariableType.PERSON for variable in protocol.variables) != 1:
        root.fault("variables", "expected exactly one variable of type person: the pseudonym that tells patients apart")
    for index, condition in enumerate(protocol.population):
        _check_condition(root, f"population/{index}", condition, protocol)
    for index, item in enumerate(protocol.analyses):
        for place, condition in enumerate(item.where):
            _check_condition(root, f"analyses/{index}/where/{place}", condition, protocol)
    _check_terms(root, protocol)
    _check_endpoints(root, protocol)
    if protocol.exposure and protocol.term(protocol.exposure) is None:
        root.fault("exposure", "expected the name of a term")


def _once(root: Members, key: str, names: list[str], *, what: str = "name") -> None:
    for index, name in enumerate(names):
        if name and name in names[:index]:
            root.fault(f"{key}/{index}", f"expected each {what} once")


def _check_condition(root: Members, pointer: str, condition: Condition, protocol: Protocol) -> None:
    variable = protocol.variable(condition.variable)
    if variable is None or variable.type in (VariableType.PERSON, VariableType.DATE):
        root.fault(pointer, "expected a variable of the dictionary that is a number, a flag or a category")
        return
    coded = variable.type is VariableType.CATEGORY
    if coded and condition.operator not in ("is", "is_not", "one_of"):
        root.fault(pointer, "a category is compared with is, is_not or one_of")
    if coded and not set(condition.values) <= set(variable.codes or ()):
        root.fault(pointer, "expected codes of the variable")
    if not coded and any(isinstance(value, str) for value in condition.values):
        root.fault(pointer, "expected a number")


def _check_terms(root: Members, protocol: Protocol) -> None:
    for index, term in enumerate(protocol.terms):
        if term.form == "product":
            plain = [protocol.term(name) for name in term.factors]
            if any(each is None or each.form == "product" for each in plain):
                root.fault(f"terms/{index}/factors", "expected names of terms that are no products themselves")
            continue
        variable = protocol.variable(term.variable)
        if variable is None or variable.type in (VariableType.PERSON, VariableType.DATE):
            root.fault(f"terms/{index}/variable", "expected a number, a flag or a category of the dictionary")
        elif variable.type is VariableType.CATEGORY and (
            term.form != "is" or term.argument not in (variable.codes or {})
        ):
            root.fault(f"terms/{index}", "a category enters by form is with one of its codes as argument")
        elif variable.type is not VariableType.CATEGORY and isinstance(term.argument, str):
            root.fault(f"terms/{index}/argument", "expected a number")


def _check_endpoints(root: Members, protocol: Protocol) -> None:
    for index, endpoint in enumerate(protocol.endpoints):
        for member, allowed in (
            ("time", (VariableType.WHOLE, VariableType.NUMBER)),
            ("entry", (VariableType.WHOLE, VariableType.NUMBER)),
            ("event", (VariableType.FLAG,)),
            ("competing", (VariableType.FLAG,)),
        ):
            name = getattr(endpoint, member)
            variable = protocol.variable(name) if name else None
            if name and (variable is None or variable.type not in allowed):
                root.fault(f"endpoints/{index}/{member}", f"expected a variable of type {' or '.join(allowed)}")


def _check_analyses(root: Members, protocol: Protocol) -> None:
    """Let each kind of analysis read its own members."""
    from corridor.pillars.research.rules.analyses import plan_of

    for index, item in enumerate(protocol.analyses):
        faults: list[Fault] = []
        plan_of(item, protocol, faults=faults, pointer=f"/analyses/{index}")
        root.faults.extend(faults)
