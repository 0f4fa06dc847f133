"""Template tags of the pages about people: ``{% load accounts %}``."""

from __future__ import annotations

import re

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from corridor.accounts import texts

register = template.Library()

HASH = re.compile(r"[0-9a-f]{40,}")
BROWSERS = (
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("YaBrowser/", "Yandex"),
    ("Firefox/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iOS"),
    ("iPad", "iOS"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)
"""What a browser says of itself and what people call it; an earlier row wins, since later ones are claimed by all."""


@register.simple_tag
def browser(said: str) -> SafeString:
    """Write a browser and its system by name, with what it said of itself on hover; unknown ones as unknown."""
    parts = [next((name for mark, name in known if mark in said), "") for known in (BROWSERS, SYSTEMS)]
    name = " · ".join(part for part in parts if part)
    return format_html('<bdi title="{}">{}</bdi>', said, name or _("unknown browser"))


@register.filter
def is_hash(value: object) -> bool:
    """Tell whether a value of the audit trail is a hash, which is shown in short."""
    return HASH.fullmatch(str(value)) is not None


register.simple_tag(texts.code_text)
register.simple_tag(texts.value_text)
