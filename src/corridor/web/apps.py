"""The Django app of the shell."""

from importlib import import_module

from django.apps import AppConfig


class WebConfig(AppConfig):
    """Base page, components, charts and exports; it has no tables of its own."""

    name = "corridor.web"
    label = "web"

    def ready(self) -> None:
        """Announce the work that this app does in the background."""
        import_module("corridor.web.tasks")
