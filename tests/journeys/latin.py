"""Find what a page in Urdu, Chinese or Russian leaves in Latin letters: English that nobody translated."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from pathlib import Path

from playwright.sync_api import Page

LIST = Path(__file__).with_name("latin.toml")
RUN = re.compile(r"[A-Za-z]{2,}")
_READ = """() => {
  const skipped = new Set(['SCRIPT', 'STYLE', 'NOSCRIPT', 'CODE', 'PRE', 'KBD', 'TEXTAREA']);
  const named = ['aria-label', 'title', 'placeholder', 'alt', 'data-label'];
  const found = [document.title];
  const read = (node) => {
    if (node.nodeType === Node.TEXT_NODE) { found.push(node.data); return; }
    if (node.nodeType !== Node.ELEMENT_NODE || skipped.has(node.tagName)) return;
    // What is declared to be English is the words of a source, of the software's errors, or the name of a language.
    if (node.lang && node.lang !== document.documentElement.lang && ['BDI', 'BUTTON'].includes(node.tagName)) return;
    for (const name of named) if (node.hasAttribute(name)) found.push(node.getAttribute(name));
    if (node.tagName === 'INPUT' && ['submit', 'button'].includes(node.type)) found.push(node.value);
    node.childNodes.forEach(read);
  };
  read(document.body);
  return [...new Set(found.map((text) => text.trim()))];
}"""


def allowed() -> dict[str, str]:
    """Return each pattern of the list with its reason."""
    return {entry["pattern"]: entry["reason"] for entry in tomllib.loads(LIST.read_text("utf-8"))["run"]}


def left_in_latin(texts: Iterable[str], *, signed: Iterable[str] = ()) -> list[str]:
    """Return the texts in which a run of Latin letters stays that no pattern of the list covers.

    Parameters
    ----------
    texts : iterable of str
    signed : iterable of str
        Words of an agreement, which stand on every page as the parties signed them. A plain word, such as the name of
        a channel, is covered where it stands alone, so that it hides no English word in a sentence.
    """
    words = sorted(set(signed), key=len, reverse=True)
    covered = [re.escape(text) if not text.isalpha() else rf"^{re.escape(text)}$" for text in words]
    cover = re.compile("|".join([*covered, *(f"(?:{pattern})" for pattern in allowed())]), re.ASCII)
    return [text for text in texts if RUN.search(cover.sub(" ", text))]


def english_on(page: Page, *, signed: Iterable[str] = ()) -> list[str]:
    """Return what of the page as it stands is left in Latin letters: texts, labels, titles, the page's own title."""
    return left_in_latin(page.evaluate(_READ), signed=signed)
