"""What pages call the codes that the node keeps: actions of the audit trail, kinds of work, faults, in four languages.

A code is stable and stored; its text belongs to the app that made the code, which announces it here. So the pages of
people, audit and work speak of every app without importing one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from django.utils.functional import Promise
from django.utils.translation import get_language, gettext
from django.utils.translation import gettext_lazy as _

from corridor.base.errors import UserFault

ACTION, DETAIL, WORK, APPROVAL, FAULT, SYSTEM = "action", "detail", "work", "kind", "reason", "system"
"""Families of codes. The values of a detail of the audit trail are a family of the detail's own name."""

_families: dict[str, dict[str, str | Promise]] = {}
_with_particulars: set[str] = set()

FAULTS: Mapping[str, Promise] = {
    "wrong-password": _("The name or the password is wrong."),
    "locked-out": _("Too many failed attempts. Wait 15 minutes, or ask an administrator for a new password."),
    "bad-person-name": _(
        "A name for signing in takes 2 to 64 of a-z, 0-9, dot, dash and underscore, and begins with a letter."
    ),
    "name-taken": _("Someone of that name exists already. Choose another name."),
    "own-roles": _("People do not change their own roles or access. Another administrator can."),
    "last-administrator": _("This is the only administrator. Appoint another one first."),
    "already-decided": _("Somebody decided this request before. Ask for the step again if it is still wanted."),
    "request-expired": _("This request has expired. Ask for the step again if it is still wanted."),
    "not-reauthenticated": _("Give your password once more."),
    "same-person": _("You asked for this. It takes the yes of a second person."),
    "appointed-by-the-other": _(
        "One of you two appointed the other less than 7 days ago. Let another person approve, or wait."
    ),
    "administrators-approve-nothing": _("Administrators approve nothing. Let a person with the right role do it."),
    "not-permitted": _("Your roles do not allow this. Ask an administrator of this node."),
    "no-such-person": _("There is no such person."),
    "only-persons-approve": _("Only persons can ask for this step and allow it."),
    "token-refused": _("The token is not accepted any more. Get a new one."),
    "unknown-language": _("This language is not one of the four of the pages."),
    "unknown-role": _("There is no such role."),
    "no-such-request": _("There is no such request any more."),
    "job-not-failed": _("Only a failed job is tried again by hand; this one waits, runs or is done."),
}

ACTIONS: Mapping[str, Promise] = {
    "accounts.add_person": _("Add a person"),
    "accounts.give_password": _("Give a one-time password"),
    "accounts.change_password": _("Change one’s password"),
    "accounts.set_roles": _("Change a person’s roles"),
    "accounts.close_person": _("Close a person’s access"),
    "accounts.reopen_person": _("Open a person’s access again"),
    "accounts.end_session": _("End a session"),
    "accounts.issue_token": _("Issue a token"),
    "accounts.revoke_token": _("Revoke a token"),
    "accounts.login": _("Sign in"),
    "accounts.login_failed": _("Attempt to sign in"),
    "accounts.ask_approval": _("Ask for a second person’s yes"),
    "accounts.approve": _("Approve"),
    "accounts.decline": _("Decline"),
}
DETAILS: Mapping[str, Promise] = {
    "actor": _("done by"),
    "address": _("address"),
    "already_waiting": _("waited already"),
    "first": _("asked by"),
    "given": _("roles given"),
    "kind": _("kind"),
    "one_person": _("one person alone"),
    "reason": _("reason"),
    "request": _("request"),
    "roles": _("roles"),
    "second": _("allowed by"),
    "sessions_ended": _("sessions ended"),
    "taken": _("roles taken away"),
    "token": _("token"),
    "tokens_ended": _("tokens ended"),
}

SYSTEMS: Mapping[str, Promise] = {
    "delivery": _("The node: delivery"),
    "hourly": _("The node: hourly care"),
    "init": _("The node: its founding"),
    "jobs": _("The node: background work"),
    "log verify": _("The node: verifying the log"),
    "login": _("The node: signing in"),
    "node backup": _("The node: backup"),
    "research": _("The node: research"),
    "retention": _("The node: periods of retention"),
    "surveillance": _("The node: surveillance"),
}
"""Which part of the node acted, where no person and no partner did (`System`)."""


def announce(family: str, texts: Mapping[str, str | Promise]) -> None:
    """Let pages call the codes of a family by `texts`; an app does so once, when it is made ready."""
    _families.setdefault(family, {}).update(texts)


def code_text(family: str, code: str) -> str:
    """Return what a code of a family is called in the language of the page; one without a text stands as it is."""
    return str(_families.get(family, {}).get(code, code))


def is_named(family: str, code: str) -> bool:
    """Tell whether an app announced a text for a code."""
    return code in _families.get(family, {})


def value_text(name: str, value: object) -> str:
    """Return the value of a detail of the audit trail in words, the entries of a list one after the other."""
    if isinstance(value, bool):
        return str(_("yes") if value else _("no"))
    if isinstance(value, list | tuple):
        return ", ".join(value_text(name, each) for each in value)
    return code_text(name, str(value))


def announce_faults(texts: Mapping[str, str | Promise], *, with_particulars: Iterable[str] = ()) -> None:
    """Let pages say faults by these sentences; of some, only the fault's own English words hold the particulars."""
    announce(FAULT, texts)
    _with_particulars.update(with_particulars)


def fault_text(fault: UserFault) -> str:
    """Return the sentence for `fault` in the language of the page; in English where the fault has none of its own.

    Where the fault's own words name a row or a column, they follow the sentence.
    """
    text, said = code_text(FAULT, fault.code), f"\u2068{fault}\u2069"
    if not is_named(FAULT, fault.code):
        return str(fault)
    if fault.code not in _with_particulars:
        return text
    is_english = (get_language() or "en").startswith("en")
    return str(fault) if is_english else gettext("%(text)s In detail: %(said)s") % {"text": text, "said": said}
