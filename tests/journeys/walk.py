"""Find every page by its links: one address for each page of the node, as a person of a role sees it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urldefrag, urljoin, urlsplit

from playwright.sync_api import Page

FILES = re.compile(r"\.(csv|json|jws|svg|png|js|pdf|toml)$")
NAMES = (
    (re.compile(r"/[0-9a-f]{64}(?=/|$)"), "/<hash>"),
    (re.compile(r"/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}(?=/|$)"), "/<uuid>"),
    (re.compile(r"/[0-9a-f]{32}(?=/|$)"), "/<token>"),
    (re.compile(r"/[0-9]+(?=/|$)"), "/<number>"),
    (re.compile(r"/(?:pk|cn|ru)\.[a-z]+(?=/|$)"), "/<node>"),
    (re.compile(r"/[0-9]{4}-[0-9]{2}-[0-9]{2}(?=/|$)"), "/<day>"),
    (re.compile(r"/charts/[^/]+/table"), "/charts/<digest>/table"),
)
UNLINKED = ("/accounts/password", "/accounts/again", "/accounts/sessions", "/web/components", "/nowhere")
"""Pages that no link of another page needs to lead to, and one that is not there."""


def kind_of(path: str) -> str:
    """Return the address with ids replaced, the same for two pages of one kind."""
    for pattern, name in NAMES:
        path = pattern.sub(name, path)
    return path


def walk(
    page: Page, base: str, *, start: tuple[str, ...] = ("/", *UNLINKED), most: int = 80, below: str = "/"
) -> Iterator[str]:
    """Yield one address of each kind of page that links lead to; the page stands at it while it is looked at.

    Parameters
    ----------
    page : Page
        Of someone who has signed in.
    base : str
        Address of the node.
    start : tuple of str
        Paths to begin with.
    most : int
        How many pages at most.
    below : str
        Links to other parts of the node are not followed.
    """
    waiting, known = list(start), {kind_of(path) for path in start}
    for _ in range(most):
        if not waiting:
            return
        path = waiting.pop(0)
        page.goto(urljoin(base, path))
        yield path
        for link in page.eval_on_selector_all("a[href]:not([download])", "all => all.map((a) => a.href)"):
            found = urlsplit(urldefrag(link).url)
            kind = kind_of(found.path)
            is_here = link.startswith(base) and found.path.startswith(below)
            if is_here and kind not in known and not FILES.search(found.path):
                known.add(kind)
                waiting.append(found.path)
