"""Wiring of background work."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

from corridor.accounts import texts
from corridor.accounts.roles import grant

PAGES = ((_("Background work"), "jobs:jobs", "jobs.see_jobs"),)
"""Label, address and permission of the page that the person menu offers."""


class JobsConfig(AppConfig):
    """Jobs, their leases, retries and schedules."""

    name = "corridor.jobs"
    label = "jobs"
    verbose_name = _("Background work")

    def ready(self) -> None:
        """Say who sees what runs; an app announces its tasks by importing them in its own `ready`."""
        grant("administrator", "jobs.see_jobs", "jobs.retry")
        grant("epidemiologist", "jobs.see_jobs")
        grant("auditor", "jobs.see_jobs")
        texts.announce(texts.ACTION, {"jobs.retry": _("Try failed work again")})
