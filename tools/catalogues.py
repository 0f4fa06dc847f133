"""Keep the message catalogues of every app: extract, compile, check. Needs Babel and Django, no GNU gettext.

    python tools/catalogues.py extract [app …]   merge what the code says into locale/*/LC_MESSAGES/django.po
    python tools/catalogues.py compile           write the .mo files that Django reads
    python tools/catalogues.py check [app …]     list what is missing, left in English or malformed

Words that rooms without a catalogue of their own show (the server's pages of faults), and the words of Django that
Django itself leaves untranslated in a language, stand in the catalogue of the app ``web``.
"""

from __future__ import annotations

import argparse
import io
import re
import sys
import tomllib
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import django
from babel.messages import Catalog, Message, mofile, pofile
from babel.messages.extract import extract
from django.utils.translation.template import templatize

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "corridor"
ALLOWED = ROOT / "tools" / "untranslated.toml"
SHELL = "web"

LANGUAGES = {"zh_Hans": "zh-hans", "ru": "ru", "ur": "ur"}
"""Folder of the catalogue and the language code that pages use."""

KEYWORDS: dict[str, tuple[int | tuple[int, str], ...] | None] = {
    "_": None,
    "gettext": None,
    "gettext_lazy": None,
    "gettext_noop": None,
    "_n": (1, 2),
    "ngettext": (1, 2),
    "ngettext_lazy": (1, 2),
    "pgettext": ((1, "c"), 2),
    "pgettext_lazy": ((1, "c"), 2),
    "npgettext": ((1, "c"), 2, 3),
}
BORROWED = (
    "forms/fields.py",
    "forms/models.py",
    "core/validators.py",
    "contrib/auth/password_validation.py",
)
"""Parts of Django whose messages reach the pages of a node."""

SCRIPTS = {"zh_Hans": ("CJK",), "ru": ("CYRILLIC",), "ur": ("ARABIC",)}
ARABIC_NOT_URDU = {"\u064a": "\u06cc", "\u0643": "\u06a9", "\u0647": "\u06c1", "\u0649": "\u06cc"}
"""Letters of Arabic that look like letters of Urdu and break search and joining."""

PLACEHOLDER = re.compile(r"%\(\w+\)[#0\- +]*[\d.]*[a-zA-Z]|%[ds]|\{\w*\}")
TAG = re.compile(r"</?[a-z]+[^>]*>")
CONTROLS = re.compile("[\u202a-\u202e\u2066-\u2069]")
CHANGING_HEADERS = (
    "POT-Creation-Date",
    "PO-Revision-Date",
    "Last-Translator",
    "Language-Team",
    "Generated-By",
    "Report-Msgid",
)

Key = tuple[str, str]
"""Context (or empty) and singular text."""


@dataclass(frozen=True)
class App:
    """An app with its own catalogue."""

    name: str
    folder: Path

    def catalogue(self, language: str) -> Path:
        """Return where the catalogue of a language lies."""
        return self.folder / "locale" / language / "LC_MESSAGES" / "django.po"


@dataclass(frozen=True)
class Allowed:
    """A text that may stay as it is in some languages, and why."""

    text: str
    languages: frozenset[str]
    reason: str


def apps() -> list[App]:
    """Return every app below ``src/corridor``, by name."""
    found = (App(path.parent.name, path.parent) for path in SOURCE.rglob("apps.py"))
    return sorted(found, key=lambda app: app.name)


def chosen(names: Iterable[str]) -> list[App]:
    """Return the named apps, all of them where none is named; an unknown name ends the program with the known ones."""
    known = {app.name: app for app in apps()}
    wanted = list(names) or list(known)
    if unknown := sorted(set(wanted) - set(known)):
        sys.exit(f"no app is called {', '.join(unknown)}; there are: {', '.join(known)}")
    return [known[name] for name in wanted]


def files_of(app: App) -> list[Path]:
    """Return the code and the templates whose words stand in the catalogue of an app."""
    own = [app.folder]
    if app.name == SHELL:
        own = [path for path in SOURCE.iterdir() if path.is_dir() and not any(path.rglob("apps.py"))] + own
    files = [file for folder in own for suffix in ("*.py", "*.html", "*.txt") for file in folder.rglob(suffix)]
    return sorted(file for file in files if "migrations" not in file.parts and "locale" not in file.parts)


def words_in(file: Path) -> Iterator[Message]:
    """Yield the messages of one file of code or one template."""
    text = file.read_text(encoding="utf-8")
    if file.suffix != ".py":
        # Templates become lines of calls between rows of X; indentation would mean something to a reader of Python.
        text = "\n".join(line.strip() for line in templatize(text, origin=str(file)).splitlines())
    for _line, words, _comments, context in extract("python", io.BytesIO(text.encode()), keywords=KEYWORDS):
        yield Message(words, context=context)


def words_of(app: App, language: str) -> dict[Key, Message]:
    """Return every message that the catalogue of an app must hold in a language."""
    found: dict[Key, Message] = {}
    for file in files_of(app):
        for message in words_in(file):
            known = found.get(_key(message))
            if known is None or (message.pluralizable and not known.pluralizable):
                found[_key(message)] = message
    if app.name == SHELL:
        for message in borrowed(language):
            found.setdefault(_key(message), message)
    return {key: message for key, message in found.items() if key[1]}


def borrowed(language: str) -> Iterator[Message]:
    """Yield the messages of Django that reach our pages and that Django leaves untranslated in a language."""
    package = Path(django.__file__).parent
    own: set[Key] = set()
    for part in ("conf", "contrib/auth"):
        path = package / part / "locale" / language / "LC_MESSAGES" / "django.po"
        if path.is_file():
            own |= {_key(message) for message in read(path) if _is_complete(message) and not message.fuzzy}
    for name in BORROWED:
        yield from (message for message in words_in(package / name) if _key(message) not in own)


def read(path: Path) -> Catalog:
    """Return the catalogue at `path`, obsolete entries left out."""
    with path.open("rb") as stream:
        return pofile.read_po(stream, ignore_obsolete=True)


def write(path: Path, catalogue: Catalog) -> None:
    """Write a catalogue sorted, without places in the code and without dates: a change shows only what changed."""
    stream = io.BytesIO()
    pofile.write_po(stream, catalogue, width=110, no_location=True, sort_output=True, ignore_obsolete=True)
    lines = stream.getvalue().decode().splitlines(keepends=True)
    kept = (line for line in lines if not line.startswith(tuple(f'"{name}' for name in CHANGING_HEADERS)))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(kept), encoding="utf-8")


def merged(app: App, language: str) -> Catalog:
    """Return the catalogue of an app as the code asks for it, with every translation that is already known.

    A text that another app has translated is taken from there, so that one thing keeps one name.
    """
    old = _known(app, language)
    elsewhere = {key: message for other in apps() if other != app for key, message in _known(other, language).items()}
    catalogue = Catalog(locale=language, project="health-corridor", header_comment=HEADER, fuzzy=False)
    for key, message in words_of(app, language).items():
        source = old.get(key) or elsewhere.get(key)
        empty = ("",) * catalogue.num_plurals if message.pluralizable else ""
        string = source.string if source is not None and _fits(source, message) else empty
        catalogue.add(message.id, string, context=message.context)
    return catalogue


HEADER = "# Translations of Health Corridor. Terms: GLOSSARY.md. Licence: Apache-2.0."


def extract_command(names: Iterable[str]) -> int:
    """Bring the catalogues of the named apps up to date and say how many texts wait for a translation."""
    for app in chosen(names):
        for language in LANGUAGES:
            catalogue = merged(app, language)
            if not len(catalogue):
                continue
            write(app.catalogue(language), catalogue)
            waiting = sum(not _is_complete(message) for message in catalogue if message.id)
            print(f"{app.name} {language}: {len(catalogue)} texts, {waiting} to translate")
    return 0


def compile_command() -> int:
    """Write the ``.mo`` file beside every catalogue."""
    for path in sorted(SOURCE.rglob("LC_MESSAGES/*.po")):
        with path.with_suffix(".mo").open("wb") as stream:
            mofile.write_mo(stream, read(path))
        print(path.relative_to(ROOT).with_suffix(".mo"))
    return 0


def check_command(names: Iterable[str]) -> int:
    """Print every fault of the catalogues of the named apps; the exit code says whether there was one."""
    found = [fault for app in chosen(names) for fault in faults(app)] + disagreements()
    print("\n".join([*found, f"{len(found)} faults in the catalogues"]))
    return 1 if found else 0


def faults(app: App) -> list[str]:
    """Return what is wrong with the catalogues of an app, one line each; empty when all is well."""
    allowed = allowances()
    return [fault for language in LANGUAGES for fault in _faults_in(app, language, allowed)]


def disagreements(names: Iterable[str] = ()) -> list[str]:
    """Return texts that two apps translate differently: Django shows one of them everywhere."""
    found = []
    for language in LANGUAGES:
        seen: dict[Key, tuple[str, list[str]]] = {}
        for app in chosen(names):
            for key, message in _known(app, language).items():
                first, strings = seen.setdefault(key, (app.name, _strings(message)))
                if strings[0] != _strings(message)[0]:
                    found.append(f"{first} and {app.name} {language}: translated differently: {key[1]!r}")
    return found


def allowances(path: Path = ALLOWED) -> dict[str, Allowed]:
    """Return the texts that may stay in English, by text."""
    entries = tomllib.loads(path.read_text(encoding="utf-8")).get("text", [])
    return {
        entry["english"]: Allowed(entry["english"], frozenset(entry["languages"]), entry["reason"]) for entry in entries
    }


def _faults_in(app: App, language: str, allowed: dict[str, Allowed]) -> Iterator[str]:
    wanted = words_of(app, language)
    path = app.catalogue(language)
    if not wanted and not path.exists():
        return
    where = f"{app.name} {language}"
    if not path.exists():
        yield f"{where}: no catalogue; run: python tools/catalogues.py extract {app.name}"
        return
    raw = path.read_text(encoding="utf-8")
    if re.search(r"^#~", raw, re.MULTILINE):
        yield f"{where}: holds obsolete entries; run extract"
    catalogue = read(path)
    held = {_key(message): message for message in catalogue if message.id}
    yield from (
        f"{where}: not in the catalogue, run extract: {key[1]!r}" for key in sorted(wanted.keys() - held.keys())
    )
    yield from (
        f"{where}: no longer in the code, run extract: {key[1]!r}" for key in sorted(held.keys() - wanted.keys())
    )
    for key in sorted(wanted.keys() & held.keys()):
        yield from (
            f"{where}: {fault}: {key[1]!r}"
            for fault in message_faults(held[key], language, catalogue.num_plurals, allowed)
        )


def message_faults(message: Message, language: str, plurals: int, allowed: dict[str, Allowed]) -> Iterator[str]:
    """Yield what is wrong with one translated message."""
    strings = _strings(message)
    english = _ids(message)
    if message.fuzzy:
        yield "marked as fuzzy"
    if message.pluralizable and len(strings) != plurals:
        yield f"has {len(strings)} plural forms, the language has {plurals}"
    if not all(strings):
        yield "not translated"
        return
    entry = allowed.get(english[0])
    may_stay = entry is not None and LANGUAGES[language] in entry.languages
    for string in strings:
        if not may_stay and string in english:
            yield "left in English"
        elif not may_stay:
            yield from _script_faults(string, language)
        if CONTROLS.search(string):
            yield "holds a control of writing direction; isolate in the template instead"
        if TAG.findall(string) != TAG.findall(english[-1]):
            yield "tags differ from the English"
        if (string[:1].isspace(), string[-1:].isspace()) != (english[-1][:1].isspace(), english[-1][-1:].isspace()):
            yield "begins or ends with a space where the English does not, or the other way round"
    yield from _placeholder_faults(english, strings, language)


def _placeholder_faults(english: list[str], strings: list[str], language: str) -> Iterator[str]:
    singular, plural = _placeholders(english[0]), _placeholders(english[-1])
    for index, string in enumerate(strings):
        # A form that serves one alone may leave the number out where English does; a form for 21 or 31 may not.
        fitting = [plural, singular] if index == 0 and len(strings) > 1 and language != "ru" else [plural]
        if _placeholders(string) not in fitting:
            yield f"places {sorted(_placeholders(string))} differ from {sorted(plural)}"


def _script_faults(text: str, language: str) -> Iterator[str]:
    bare = TAG.sub("", PLACEHOLDER.sub("", text))
    scripts = {unicodedata.name(letter, "").split(" ")[0] for letter in bare if letter.isalpha()}
    own = set(SCRIPTS[language])
    if scripts and not scripts & own:
        yield f"not written in {SCRIPTS[language][0].lower()}"
    if foreign := scripts - own - {"LATIN", "GREEK", "MICRO", "MODIFIER", "SUPERSCRIPT"}:
        yield f"holds letters of {', '.join(sorted(foreign)).lower()}"
    if language == "ur" and (wrong := sorted(set(bare) & ARABIC_NOT_URDU.keys())):
        yield f"holds the Arabic letter {wrong[0]} where Urdu has {ARABIC_NOT_URDU[wrong[0]]}"
    if language == "ru" and re.search(r"[a-zA-Z][а-яА-ЯёЁ]|[а-яА-ЯёЁ][a-zA-Z]", bare):
        yield "mixes Latin and Cyrillic letters in one word"


def _placeholders(text: str) -> frozenset[str]:
    return frozenset(match.group(0) for match in PLACEHOLDER.finditer(text.replace("%%", "")))


def _known(app: App, language: str) -> dict[Key, Message]:
    path = app.catalogue(language)
    if not path.exists():
        return {}
    return {_key(message): message for message in read(path) if message.id and _is_complete(message)}


def _key(message: Message) -> Key:
    return (message.context or "", _ids(message)[0])


def _ids(message: Message) -> list[str]:
    return [message.id] if isinstance(message.id, str) else list(message.id)


def _strings(message: Message) -> list[str]:
    return [message.string] if isinstance(message.string, str) else list(message.string)


def _is_complete(message: Message) -> bool:
    return all(_strings(message))


def _fits(known: Message, wanted: Message) -> bool:
    return bool(known.pluralizable) == bool(wanted.pluralizable)


def main() -> int:
    """Run the command that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=("extract", "compile", "check"))
    parser.add_argument("apps", nargs="*", help="names of apps; all of them when left out")
    given = parser.parse_args()
    if given.command == "compile":
        return compile_command()
    return extract_command(given.apps) if given.command == "extract" else check_command(given.apps)


if __name__ == "__main__":
    sys.exit(main())
