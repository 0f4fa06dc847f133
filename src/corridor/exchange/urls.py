"""The addresses of the exchange: its pages, and the API that partners' nodes call."""

from django.urls import URLPattern, URLResolver, path

from corridor.accounts.access import public
from corridor.exchange.api import api

app_name = "exchange"


def _open(patterns: list[URLPattern | URLResolver]) -> list[URLPattern | URLResolver]:
    """Mark every view of the API as public: it knows partners by their signature, not by a session."""
    for pattern in patterns:
        if isinstance(pattern, URLPattern):
            public(pattern.callback)
    return patterns


_patterns, _, _namespace = api.urls

urlpatterns: list[URLPattern | URLResolver] = [path("v1/", (_open(_patterns), "ninja", _namespace))]
