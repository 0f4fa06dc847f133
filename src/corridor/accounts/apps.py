"""Wiring of people and roles."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

from corridor.accounts import texts
from corridor.accounts.roles import ACT, Role, grant, register_role, roles

PAGES = (
    (_("Approvals"), "accounts:approvals", "accounts.see_approvals"),
    (_("Audit trail"), "accounts:audit", "accounts.see_audit"),
    (_("People"), "accounts:people", "accounts.manage_people"),
    (_("My sessions"), "accounts:sessions", ACT),
)
"""Label, address and permission of the pages that the person menu offers."""


class AccountsConfig(AppConfig):
    """People, roles, tokens, audit trail, approvals."""

    name = "corridor.accounts"
    label = "accounts"
    verbose_name = _("People")

    def ready(self) -> None:
        """Register the roles to begin with; a pillar adds its own and grants its permissions to them."""
        for name, label in (
            ("officer", _("Officer")),
            ("epidemiologist", _("Epidemiologist")),
            ("steward", _("Data steward")),
            ("auditor", _("Auditor")),
            ("administrator", _("Administrator")),
        ):
            register_role(Role(name=name, pillar="accounts", label=label))
            grant(name, ACT)
        grant("administrator", "accounts.manage_people")
        grant("auditor", "accounts.see_audit")
        grant("officer", "accounts.see_approvals", "accounts.approve")
        grant("steward", "accounts.see_approvals", "accounts.approve")
        grant("auditor", "accounts.see_approvals")
        texts.announce(texts.ACTION, texts.ACTIONS)
        texts.announce(texts.DETAIL, texts.DETAILS)
        texts.announce(texts.SYSTEM, texts.SYSTEMS)
        texts.announce("actor", texts.SYSTEMS)
        texts.announce_faults(texts.FAULTS)
        for detail in ("roles", "given", "taken"):
            texts.announce(detail, {role.name: role.label for role in roles()})
