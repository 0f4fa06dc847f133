"""The Django app of the shell."""

from importlib import import_module

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

from corridor.accounts import texts

WORK = {
    "web.render_chart": _("Draw a chart"),
    "web.sweep_charts": _("Clear away old charts"),
    "web.sweep_uploads": _("Clear away uploaded files that nobody came back for"),
}


class WebConfig(AppConfig):
    """Base page, components, charts and exports; it has no tables of its own."""

    name = "corridor.web"
    label = "web"

    def ready(self) -> None:
        """Announce the work that this app does in the background."""
        import_module("corridor.web.tasks")
        texts.announce(texts.ACTION, {"web.choose_language": _("Choose the language of the pages")})
        texts.announce(texts.WORK, WORK)
