"""Wiring of surveillance: what may cross, who handles it, who may do what, what runs in the background."""

from datetime import timedelta
from pathlib import Path

from django.apps import AppConfig
from django.conf import settings
from django.utils.translation import gettext_lazy as _


class SurveillanceConfig(AppConfig):
    """Line lists and counts, signals, sharing."""

    name = "corridor.pillars.surveillance"
    label = "surveillance"
    verbose_name = _("Surveillance")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register messages, permissions, tasks and what recurs; add the places that the home names."""
        from corridor.accounts import texts as codes
        from corridor.accounts.approvals import register_approval
        from corridor.accounts.roles import grant
        from corridor.exchange.registry import after_returns, register_message
        from corridor.jobs.registry import every
        from corridor.pillars.surveillance import handlers, messages, services, tasks, texts

        for message, handler, returned in (
            (messages.PeriodCounts, handlers.counts_arrived, handlers.counts_returned),
            (messages.Alert, handlers.alerts_arrived, handlers.events_returned),
            (messages.AlertWithdrawal, handlers.withdrawals_arrived, handlers.events_returned),
            (messages.CaseNotification, handlers.notifications_arrived, handlers.events_returned),
        ):
            register_message(message, handler=handler, returned=returned, forget=handlers.bodies_deleted)
        after_returns(handlers.returns_ended)
        see = ("surveillance.see_board",)
        grant("epidemiologist", *see, "surveillance.see_cases", "surveillance.ingest", "surveillance.work_signals")
        grant("epidemiologist", "surveillance.detect")
        grant("epidemiologist", "surveillance.share", "surveillance.accept", "surveillance.see_crossed")
        grant("steward", *see, "surveillance.see_cases", "surveillance.ingest", "surveillance.share")
        grant("steward", "surveillance.accept", "surveillance.see_crossed")
        grant("officer", *see, "surveillance.see_crossed")
        for role in ("epidemiologist", "steward", "officer"):
            grant(role, services.RELEASE)
        register_approval(
            services.BY_HAND,
            permission=services.RELEASE,
            execute=services.release_by_hand,
            describe=texts.release_text,
            answers_for=texts.release_answers,
        )
        grant("auditor", *see, "surveillance.see_crossed")
        every(timedelta(days=1), kind=tasks.DETECT, name="surveillance.detect-daily")
        codes.announce(codes.ACTION, texts.ACTIONS)
        codes.announce(codes.DETAIL, texts.DETAILS)
        codes.announce(codes.WORK, texts.WORK)
        codes.announce(codes.APPROVAL, texts.APPROVALS)
        codes.announce_faults(texts.FAULTS, with_particulars=texts.PARTICULARS)
        codes.announce("to", texts.STATUSES)
        _load_places(settings.CORRIDOR_HOME)
        _announce_pages()


def _announce_pages() -> None:
    from corridor.web.navigation import NavItem, register

    for label, name, permission in (
        (_("Board"), "board", "surveillance.see_board"),
        (_("Signals"), "signals", "surveillance.see_board"),
        (_("Counts"), "counts", "surveillance.see_board"),
        (_("Partners"), "partners", "surveillance.see_crossed"),
        (_("Ingest"), "ingest", "surveillance.ingest"),
    ):
        register(NavItem("surveillance", label, f"surveillance:{name}", permission))


def _load_places(home: Path | None) -> None:
    """Add the files of ``HOME/places`` (districts, other countries) to the places of the reference data."""
    from corridor.base.reference import places

    for file in sorted((home / "places").glob("*.csv")) if home is not None else ():
        places().load(file)
