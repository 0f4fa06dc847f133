"""What of a study needs two persons."""

from typing import Any

from django.utils.translation import gettext as _

from corridor.accounts.approvals import isolated, register_approval
from corridor.pillars.research.models import ProtocolVersion, Run
from corridor.pillars.research.rules.protocol import read_protocol
from corridor.pillars.research.services.by_hand import RELEASE_UNSEEN, release_unseen
from corridor.pillars.research.services.reopening import REOPEN, reopen_ledger
from corridor.pillars.research.services.runs import RELEASE, RELEASE_ANSWER, release_answer
from corridor.pillars.research.services.studies import APPROVE, SIGN, sign_protocol

__all__ = ["register_approvals"]


def register_approvals() -> None:
    """Announce the steps that two persons decide."""
    register_approval(SIGN, permission=APPROVE, execute=sign_protocol, describe=_describe_signing)
    register_approval(RELEASE_ANSWER, permission=RELEASE, execute=release_answer, describe=_describe_release)
    register_approval(RELEASE_UNSEEN, permission=RELEASE, execute=release_unseen, describe=_describe_unseen)
    register_approval(REOPEN, permission=RELEASE, execute=reopen_ledger, describe=_describe_reopening)


def _describe_signing(arguments: dict[str, Any]) -> str:
    version = ProtocolVersion.objects.get(hash=arguments["protocol"])
    protocol = read_protocol(bytes(version.document))
    return _("Sign version %(version)d of the protocol “%(title)s” (%(hash)s)") % {
        "version": protocol.version,
        "title": isolated(protocol.title_in("en")),
        "hash": protocol.hash[:12],
    }


def _describe_release(arguments: dict[str, Any]) -> str:
    run = Run.objects.select_related("version__study").get(pk=arguments["run"])
    return _("Release this site’s answer of round %(round)d of “%(analysis)s” in the study %(study)s") % {
        "round": arguments["round"],
        "analysis": isolated(run.analysis),
        "study": isolated(run.version.study.name),
    }


def _describe_unseen(arguments: dict[str, Any]) -> str:
    return _("Let this site’s answers in the study %(study)s leave without two persons") % {
        "study": isolated(arguments["study"])
    }


def _describe_reopening(arguments: dict[str, Any]) -> str:
    return _("Bring the answers back that the disclosure ledger lost, and open it again: %(reason)s") % {
        "reason": isolated(arguments["reason"])
    }
