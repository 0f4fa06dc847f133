"""Every text of every app is there in four languages, in the right script; and the check notices faults."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest
from babel.messages import Catalog, Message

ROOT = Path(__file__).resolve().parents[2]


def _tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("catalogues", ROOT / "tools" / "catalogues.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["catalogues"] = module
    spec.loader.exec_module(module)
    return module


catalogues = _tool()


@pytest.mark.parametrize("app", catalogues.apps(), ids=lambda app: app.name)
def test_app_says_everything_in_four_languages(app):
    assert catalogues.faults(app) == []


def test_one_text_has_one_translation_in_every_app():
    assert catalogues.disagreements() == []


def test_every_allowance_names_a_reason_and_a_text_that_exists():
    texts = {
        key[1]
        for app in catalogues.apps()
        for language in catalogues.LANGUAGES
        for key in catalogues.words_of(app, language)
    }

    for entry in catalogues.allowances().values():
        assert len(entry.reason) > 5
        assert entry.text in texts


@pytest.mark.parametrize(
    ("english", "translated", "language", "fault"),
    [
        ("Sign out", "", "ru", "not translated"),
        ("Sign out", "Sign out", "ru", "left in English"),
        ("Sign out", "Logout", "ur", "not written in arabic"),
        ("Sign out", "Выйти", "zh_Hans", "not written in cjk"),
        ("Sign out", "سائن آؤٹ 退出", "ur", "holds letters of cjk"),
        ("Sign out", "كل", "ur", "holds the Arabic letter"),
        ("Sign out", "Выйтu", "ru", "mixes Latin and Cyrillic"),
        ("%(count)d rows", "%(number)d строк", "ru", "places"),
        ("At most %d rows", "Не больше строк", "ru", "places"),
        ("from {name}", "от {имя}", "ru", "places"),
        ("<b>Sign</b> out", "Выйти", "ru", "tags differ"),
        ("Sign out ", "Выйти", "ru", "begins or ends with a space"),
        ("Sign out", "سائن \u202aآؤٹ", "ur", "control of writing direction"),
    ],
)
def test_fault_of_a_translation_is_noticed(english, translated, language, fault):
    message = Message(english, translated)

    found = list(catalogues.message_faults(message, language, 3, {}))

    assert any(text.startswith(fault) or fault in text for text in found), found


def test_fuzzy_translation_is_noticed():
    message = Message("Sign out", "Выйти", flags={"fuzzy"})

    assert "marked as fuzzy" in list(catalogues.message_faults(message, "ru", 3, {}))


def test_missing_plural_form_is_noticed():
    message = Message(("%(n)d row", "%(n)d rows"), ("%(n)d строка", "%(n)d строки"))

    assert any("plural forms" in text for text in catalogues.message_faults(message, "ru", 3, {}))


def test_allowed_text_may_stay_in_the_languages_that_are_named():
    allowed = {"IPv4": catalogues.Allowed("IPv4", frozenset({"ur"}), "the name of a protocol")}

    assert list(catalogues.message_faults(Message("IPv4", "IPv4"), "ur", 2, allowed)) == []
    assert list(catalogues.message_faults(Message("IPv4", "IPv4"), "ru", 3, allowed)) != []


def test_words_of_templates_and_code_are_found(tmp_path):
    page = tmp_path / "page.html"
    page.write_text(
        '{% load i18n %}{% translate "Sign out" %}\n  {% blocktranslate count n=n %}{{ n }} row{% plural %}{{ n }} rows'
        '{% endblocktranslate %}{% translate "new" context "signal" %}',
        encoding="utf-8",
    )
    code = tmp_path / "code.py"
    code.write_text('_("Saved")\nngettext("one", "many", 3)\n', encoding="utf-8")

    found = [(message.context, message.id) for file in (page, code) for message in catalogues.words_in(file)]

    assert found == [
        (None, "Sign out"),
        (None, ("%(n)s row", "%(n)s rows")),
        ("signal", "new"),
        (None, "Saved"),
        (None, ("one", "many")),
    ]


def test_catalogue_is_written_without_dates_and_places(tmp_path):
    catalogue = Catalog(locale="ru", fuzzy=False)
    catalogue.add("Sign out", "Выйти", locations=[("views.py", 3)])

    catalogues.write(tmp_path / "django.po", catalogue)

    text = (tmp_path / "django.po").read_text(encoding="utf-8")
    assert "views.py" not in text
    assert "Date" not in text
    assert "nplurals=3" in text
