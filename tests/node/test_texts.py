"""Every code that a page shows has a text of its app: actions of the trail, their details, kinds of work, refusals."""

import ast
import inspect
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages

import pytest
from django.utils import translation

import corridor
from corridor import science
from corridor.accounts import approvals, texts
from corridor.base.encodings import NotATable
from corridor.base.errors import Refused, UserFault
from corridor.jobs import registry
from corridor.pillars.research.rules.analyses import Caution
from corridor.pillars.research.texts import WARNINGS
from corridor.pillars.surveillance.texts import SETTINGS

SOURCE = Path(corridor.__file__).parent
NEVER_ON_A_PAGE = ("corridor.base", "corridor.cli", "corridor.demo", "corridor.server", "corridor.science")


def nodes(kind: type[ast.AST]) -> Iterator[ast.AST]:
    """Yield every piece of one kind of the code of the node."""
    for file in sorted(SOURCE.rglob("*.py")):
        yield from (node for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))) if isinstance(node, kind))


def is_call_of(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name


def actions() -> list[str]:
    decorators = [each for function in nodes(ast.FunctionDef) for each in function.decorator_list]
    return sorted({ast.literal_eval(each.args[0]) for each in decorators if is_call_of(each, "write")})


def details() -> list[str]:
    return sorted({word.arg for call in nodes(ast.Call) if is_call_of(call, "note") for word in call.keywords})


def refusals() -> list[str]:
    for module in walk_packages([str(SOURCE)], "corridor."):
        if not module.name.startswith(NEVER_ON_A_PAGE) and ".migrations" not in module.name:
            import_module(module.name)
    found, waiting = set(), [Refused]
    while waiting:
        each = waiting.pop()
        waiting += each.__subclasses__()
        if each.__module__.startswith("corridor.") and not each.__module__.startswith(NEVER_ON_A_PAGE):
            found.add(each.code)
    return sorted(found)


@pytest.mark.parametrize("action", actions())
def test_every_action_of_the_audit_trail_has_a_text(action: str) -> None:
    assert texts.is_named(texts.ACTION, action)


@pytest.mark.parametrize("detail", details())
def test_every_detail_of_the_audit_trail_has_a_text(detail: str) -> None:
    assert texts.is_named(texts.DETAIL, detail)


def test_every_part_of_the_node_that_acts_has_a_text() -> None:
    calls = [call for call in nodes(ast.Call) if is_call_of(call, "System") and isinstance(call.args[0], ast.Constant)]
    parts = {ast.literal_eval(call.args[0]) for call in calls} - {"demo"}

    assert len(parts) > 5
    assert [part for part in sorted(parts) if not texts.is_named(texts.SYSTEM, part)] == []


def test_every_kind_of_work_and_all_that_recurs_has_a_text() -> None:
    own = {kind for kind, task in registry.tasks().items() if task.run.__module__.startswith("corridor.")}
    recurring = {each.name for each in registry.recurrences() if each.kind in own}

    assert len(own) >= 5
    assert [name for name in sorted(own | recurring) if not texts.is_named(texts.WORK, name)] == []


def test_every_step_for_two_persons_has_a_text() -> None:
    own = [kind.name for kind in approvals.kinds() if kind.execute.__module__.startswith("corridor.")]

    assert len(own) >= 7
    assert [name for name in own if not texts.is_named(texts.APPROVAL, name)] == []


def test_every_refusal_has_a_text() -> None:
    codes = refusals()

    assert len(codes) > 20
    assert [code for code in codes if not texts.is_named(texts.FAULT, code)] == []


def test_a_code_without_a_text_is_noticed_and_stands_as_it_is() -> None:
    assert not texts.is_named(texts.ACTION, "exchange.sing")
    assert texts.code_text(texts.ACTION, "exchange.sing") == "exchange.sing"


def test_no_view_shows_the_english_words_of_a_fault() -> None:
    """A page says a fault by `fault_text`, never by the fault's own words, which are English."""
    views = [file for name in ("views", "forms.py", "office.py") for file in SOURCE.rglob(name)]
    files = [file for each in views for file in (sorted(each.rglob("*.py")) if each.is_dir() else [each])]

    assert len(files) > 15
    assert [file.name for file in files if "str(fault)" in file.read_text(encoding="utf-8")] == []


def test_particulars_of_a_fault_follow_the_sentence_in_other_languages() -> None:
    fault: UserFault = NotATable("cases.csv: expected CSV or Parquet, found binary data.")

    with translation.override("ru"):
        told = texts.fault_text(fault)
    with translation.override("en"):
        english = texts.fault_text(fault)

    assert english == str(fault)
    assert told.startswith("Файл не является таблицей.")
    assert str(fault) in told


def test_values_of_a_detail_are_said_in_words() -> None:
    with translation.override("ru"):
        assert texts.value_text("already_waiting", value=True) == "да"
        assert texts.value_text("roles", ["officer", "auditor"]) == "Ответственное лицо, Аудитор"
        assert texts.value_text("reason", "no-such-role-here") == "no-such-role-here"
        assert texts.value_text("envelopes", 3) == "3"


def test_every_option_of_a_method_of_detection_has_a_text() -> None:
    functions = (science.farrington_flexible, science.farrington, science.ears)
    given = {"counts", "dates", "evaluate", "population", "exclude", "method"}
    options = {name for function in functions for name in inspect.signature(function).parameters} - given

    assert len(options) > 15
    assert sorted(options - SETTINGS.keys()) == []


def test_every_warning_of_an_analysis_has_a_text() -> None:
    assert sorted(WARNINGS) == sorted(Caution)
