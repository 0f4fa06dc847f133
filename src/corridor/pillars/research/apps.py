"""Wiring of research: what may cross, who handles it, who may do what, what runs in the background."""

from datetime import timedelta

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


class ResearchConfig(AppConfig):
    """Studies over rows that stay where they are, and care of both sides: protocols compared, patients followed up."""

    name = "corridor.pillars.research"
    label = "research"
    verbose_name = _("Research")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the messages, roles, tasks and what recurs."""
        from corridor.accounts import texts as codes
        from corridor.accounts.roles import Role, grant, register_role
        from corridor.exchange.registry import register_message
        from corridor.jobs.registry import every
        from corridor.pillars.research import handlers, messages, services, tasks, texts

        register_message(messages.StudyMessage, handler=handlers.acts_arrived, forget=handlers.bodies_deleted)
        register_message(
            messages.CareDocumentMessage,
            handler=handlers.documents_arrived,
            returned=handlers.documents_returned,
            forget=handlers.documents_deleted,
        )
        register_message(
            messages.SymposiumEntryMessage,
            handler=handlers.entries_arrived,
            returned=handlers.entries_returned,
            forget=handlers.entries_deleted,
        )
        register_role(Role("researcher", "research", _("Researcher")))
        register_role(Role("clinician", "research", _("Clinician")))
        see, care = "research.see_studies", "research.see_care"
        grant("researcher", "accounts.act", "exchange.see_agreements", see, "research.propose", "research.request")
        grant("steward", see, "research.approve", "research.hold_data", "research.release", "research.pause")
        grant("officer", see, "research.approve", "research.release", "research.pause")
        grant("auditor", see)
        for role in ("clinician", "researcher", "steward", "officer", "auditor"):
            grant(role, care)
        grant("clinician", "accounts.act", "exchange.see_agreements", see)
        for role in ("clinician", "researcher", "steward", "officer"):
            grant(role, "research.contribute")
        for role in ("clinician", "steward"):
            grant(role, "research.publish_care", "research.see_patients")
        services.register_approvals()
        every(timedelta(minutes=1), kind=tasks.ADVANCE, name="research.advance-open-runs")
        codes.announce(codes.ACTION, texts.ACTIONS)
        codes.announce(codes.DETAIL, texts.DETAILS)
        codes.announce(codes.WORK, texts.WORK)
        codes.announce(codes.APPROVAL, texts.APPROVALS)
        codes.announce_faults(texts.FAULTS, with_particulars=texts.PARTICULARS)
        _announce_pages()


def _announce_pages() -> None:
    from corridor.web.navigation import NavItem, register

    register(NavItem("research", _("Studies"), "research:studies", "research.see_studies"))
    register(NavItem("research", pgettext_lazy("page", "Care"), "research:care", "research.see_care"))
