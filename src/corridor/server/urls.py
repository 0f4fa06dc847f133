"""Every address of a node, by the app that answers there."""

from importlib.util import find_spec

from django.conf import settings
from django.urls import URLPattern, URLResolver, include, path

from corridor.accounts.apps import PAGES as ACCOUNT_PAGES
from corridor.exchange.apps import PAGES as EXCHANGE_PAGES
from corridor.jobs.apps import PAGES as JOB_PAGES
from corridor.web.views import home

_PLACES = {
    "corridor.accounts": "accounts/",
    "corridor.jobs": "jobs/",
    "corridor.exchange": "exchange/",
    "corridor.web": "web/",
    "corridor.pillars.surveillance": "surveillance/",
    "corridor.pillars.research": "research/",
}

urlpatterns: list[URLPattern | URLResolver] = [
    path("", home, name="home"),
    *(
        path(place, include(f"{app}.urls"))
        for app, place in _PLACES.items()
        if app in settings.INSTALLED_APPS and find_spec(f"{app}.urls") is not None
    ),
]

# People, jobs and the exchange lie below the shell and cannot announce their pages to it; the composition root does it
# for them.
if "corridor.web" in settings.INSTALLED_APPS:
    from corridor.web.navigation import NavItem, register

    for label, url_name, permission in (*ACCOUNT_PAGES, *JOB_PAGES):
        register(NavItem("person", label, url_name, permission))
    for label, url_name, permission in EXCHANGE_PAGES:
        register(NavItem("exchange", label, url_name, permission))
