"""Wiring of the exchange: roles and permissions, control messages, approvals, the audit leaf, what recurs."""

from datetime import timedelta

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

SEE = ("exchange.see_crossings", "exchange.see_partners", "exchange.see_agreements")
GRANTS = {
    "officer": (
        *SEE,
        "exchange.sign_agreement",
        "exchange.pin_partner",
        "exchange.restore",
        "exchange.confirm_restore",
        "exchange.close_dispute",
        "exchange.retry",
        "exchange.delete_body",
    ),
    "epidemiologist": (*SEE, "exchange.view_body"),
    "steward": (*SEE, "exchange.retry", "exchange.delete_body", "exchange.view_body"),
    "auditor": SEE,
    "administrator": ("exchange.see_partners", "exchange.manage_node"),
}
"""Which role may do what; the officer's steps that need two persons go through approvals."""

PAGES = (
    (_("Agreements"), "exchange:agreements", "exchange.see_agreements"),
    (_("Partners"), "exchange:partners", "exchange.see_partners"),
    (_("Crossings"), "exchange:crossings", "exchange.see_crossings"),
    (_("Export counters"), "exchange:counters", "exchange.see_crossings"),
)
"""Label, address and permission of the pages that the header shows; the composition root announces them."""


class ExchangeConfig(AppConfig):
    """The Django app of the exchange."""

    name = "corridor.exchange"
    label = "exchange"
    default_auto_field = "django.db.models.BigAutoField"
    verbose_name = _("Exchange")

    def ready(self) -> None:
        """Announce what other apps ask for by name."""
        from corridor.accounts import texts as codes
        from corridor.accounts.roles import grant
        from corridor.accounts.transactions import on_audit
        from corridor.exchange import handlers, tasks
        from corridor.exchange.queries import texts
        from corridor.exchange.services import (
            agreement_acts,
            counters,
            deletion,
            disputes,
            log,
            partners,
            restore,
            returns,
        )
        from corridor.jobs.registry import every

        for role, permissions in GRANTS.items():
            grant(role, *permissions)
        handlers.register()
        partners.register_approvals()
        restore.register_approvals()
        returns.register_approvals()
        counters.register_approvals()
        disputes.register_approvals()
        agreement_acts.register_approvals()
        deletion.register_approvals()
        on_audit(log.append_audit)
        every(timedelta(hours=1), kind=tasks.HOURLY)
        every(timedelta(hours=1), kind=tasks.RETENTION)
        codes.announce(codes.ACTION, texts.ACTIONS)
        codes.announce(codes.DETAIL, texts.DETAILS)
        codes.announce(codes.APPROVAL, texts.APPROVALS)
        codes.announce(codes.WORK, texts.WORK)
        codes.announce_faults(texts.FAULTS, with_particulars=texts.PARTICULARS)
        codes.announce("why", texts.WHY_DELETED)
        codes.announce("stated", {kind.value: text for kind, text in texts.STATEMENTS.items()})
