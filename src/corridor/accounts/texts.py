"""What a page says about a fault of people's business, in the language of the page."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from corridor.base.errors import UserFault

FAULTS = {
    "wrong-password": _("The name or the password is wrong."),
    "locked-out": _("Too many failed attempts. Wait 15 minutes, or ask an administrator for a new password."),
    "bad-person-name": _(
        "A name for signing in takes 2 to 64 of a-z, 0-9, dot, dash and underscore, and begins with a letter."
    ),
    "name-taken": _("Someone of that name exists already. Choose another name."),
    "own-roles": _("People do not change their own roles or access. Another administrator can."),
    "last-administrator": _("This is the only administrator. Appoint another one first."),
    "already-decided": _("Somebody decided this request before. Ask for the step again if it is still wanted."),
    "same-person": _("You asked for this. It takes the yes of a second person."),
    "appointed-by-the-other": _(
        "One of you two appointed the other less than 7 days ago. Let another person approve, or wait."
    ),
    "administrators-approve-nothing": _("Administrators approve nothing. Let a person with the right role do it."),
    "not-permitted": _("Your roles do not allow this. Ask an administrator of this node."),
    "no-such-request": _("There is no such request any more."),
    "job-not-failed": _("Only a failed job is tried again by hand; this one waits, runs or is done."),
}


def fault_text(fault: UserFault) -> str:
    """Return the sentence for `fault` in the language of the page; in English where the fault has none of its own."""
    return str(FAULTS.get(fault.code, str(fault)))
