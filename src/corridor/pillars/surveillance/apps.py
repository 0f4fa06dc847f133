"""Wiring of surveillance: what may cross, who handles it, who may do what, what runs in the background."""

from datetime import timedelta

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class SurveillanceConfig(AppConfig):
    """Line lists and counts, signals, sharing."""

    name = "corridor.pillars.surveillance"
    label = "surveillance"
    verbose_name = _("Surveillance")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register messages, permissions, tasks and what recurs."""
        from corridor.accounts.roles import grant
        from corridor.exchange.registry import register_message
        from corridor.jobs.registry import every
        from corridor.pillars.surveillance import handlers, messages, tasks

        register_message(messages.PeriodCounts, handler=handlers.counts_arrived)
        register_message(messages.Alert, handler=handlers.alerts_arrived)
        register_message(messages.AlertWithdrawal, handler=handlers.withdrawals_arrived)
        register_message(messages.CaseNotification, handler=handlers.notifications_arrived)
        see = ("surveillance.see_board",)
        grant("epidemiologist", *see, "surveillance.see_cases", "surveillance.ingest", "surveillance.work_signals")
        grant("epidemiologist", "surveillance.detect")
        grant("epidemiologist", "surveillance.share", "surveillance.accept", "surveillance.see_crossed")
        grant("steward", *see, "surveillance.see_cases", "surveillance.ingest", "surveillance.share")
        grant("steward", "surveillance.accept", "surveillance.see_crossed")
        grant("officer", *see, "surveillance.see_crossed")
        grant("auditor", *see, "surveillance.see_crossed")
        every(timedelta(days=1), kind=tasks.DETECT, name="surveillance.detect-daily")
