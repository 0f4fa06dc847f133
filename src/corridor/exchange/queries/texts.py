"""What codes of the exchange are called on pages, in the language of the page."""

from __future__ import annotations

from collections.abc import Mapping

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from corridor.exchange.rules.agreement import Kind, State
from corridor.exchange.rules.classes import DataClass
from corridor.exchange.rules.reasons import Reason

REASONS: Mapping[Reason, Promise] = {
    Reason.NO_AGREEMENT: _("No agreement of that hash is known here."),
    Reason.NOT_SIGNED_BY_ALL: _("Not all parties have signed the agreement."),
    Reason.NOT_STARTED: _("The agreement has not started yet."),
    Reason.SUSPENDED: _("The agreement is suspended."),
    Reason.DORMANT: _("The emergency annex is dormant."),
    Reason.SUPERSEDED: _("An amendment has taken the place of the agreement."),
    Reason.EXPIRED: _("The agreement has expired."),
    Reason.TERMINATED: _("The agreement was terminated."),
    Reason.KEY_REVOKED: _("The key of one side is revoked, or exchange with the partner is paused."),
    Reason.DISPUTE: _("The logs of the two sides disagree; exchange is halted until people have looked."),
    Reason.RECOVERING: _("The node is coming back from a backup."),
    Reason.NOT_A_PARTY: _("Sender or recipient is no party to the agreement."),
    Reason.WRONG_RECIPIENT: _("The envelope is addressed to another node."),
    Reason.NO_CHANNEL: _("The agreement has no channel of that name."),
    Reason.WRONG_DIRECTION: _("The channel is not open in this direction."),
    Reason.WRONG_MESSAGE_TYPE: _("The channel carries another type of message."),
    Reason.UNKNOWN_MESSAGE_TYPE: _("This node does not know the type of message."),
    Reason.WRONG_PURPOSE: _("The purpose is not that of the channel."),
    Reason.ONWARD_TRANSFER: _("Data of a third country may not be passed on under this agreement."),
    Reason.VIEW_ONLY: _("The agreement lets data be viewed and not kept."),
    Reason.CLASS_MISLABELLED: _("The data class on the envelope is not that of its contents."),
    Reason.CLASS_ABOVE_CHANNEL: _("The data class is higher than the channel allows."),
    Reason.NOT_SEALED: _("Personal data must travel encrypted."),
    Reason.NO_LEGAL_BASIS: _("No consent or legal basis is named."),
    Reason.NO_LICENCE: _("Genetic data need a licence that the channel does not name."),
    Reason.PERSONS_MISLABELLED: _("The number of persons on the envelope is not that of its contents."),
    Reason.CELL_BELOW_RULE: _("A figure is smaller than the disclosure rule allows."),
    Reason.STRATUM_CLOSED: _("No disclosure rule opens this kind of figure."),
    Reason.PLACE_CLOSED: _("A place lies outside the agreed list of places."),
    Reason.PERIOD_CLOSED: _("The period is not the one that the channel allows."),
    Reason.LEDGER_WAITS: _("Together with figures released before, it would give away a withheld figure."),
    Reason.ENVELOPE_CAP: _("The daily number of envelopes on the channel is used up."),
    Reason.PERSON_CAP: _("The yearly number of persons on the channel is used up."),
    Reason.NO_FILING: _("The channel names neither a filing nor an exemption, and the law asks for one."),
    Reason.EXPORT_LIMIT: _("The yearly number of persons reaches a limit of the law that asks for another filing."),
    Reason.COUNTERS_CLOSED: _("A counter of persons could not be rebuilt after a restore and stays closed."),
    Reason.MALFORMED: _("The envelope does not have the form of its type."),
    Reason.BAD_SIGNATURE: _("A signature does not hold."),
    Reason.CANNOT_DECRYPT: _("The contents could not be decrypted."),
    Reason.ID_REUSED: _("The same id was used before with other contents."),
    Reason.FORBIDDEN_TRANSITION: _("The state of the agreement does not allow this statement."),
    Reason.STATEMENT_FORKED: _("The party signed two different statements under one number."),
    Reason.UNKNOWN_SUBJECT: _("What the statement is about is not known here."),
    Reason.HANDLER_REFUSED: _("The receiving service refused the contents."),
}

STATES: Mapping[State, Promise] = {
    State.DRAFT: _("draft"),
    State.PROPOSED: _("proposed"),
    State.SIGNED_BY_SOME: _("signed by some"),
    State.SIGNED_BY_ALL: _("signed by all, not started"),
    State.IN_FORCE: _("in force"),
    State.DORMANT: _("dormant"),
    State.SUSPENDED: _("suspended"),
    State.SUPERSEDED: _("superseded"),
    State.EXPIRED: _("expired"),
    State.TERMINATED: _("terminated"),
}

STATEMENTS: Mapping[Kind, Promise] = {
    Kind.PROPOSAL: _("proposed the agreement"),
    Kind.SIGNATURE: _("signed"),
    Kind.ACTIVATION: _("opened the emergency annex"),
    Kind.SUSPENSION: _("suspended"),
    Kind.RESUMPTION: _("lifted its suspension"),
    Kind.TERMINATION: _("terminated"),
}

CLASSES: Mapping[DataClass, Promise] = {
    DataClass.PUBLIC: _("public"),
    DataClass.AGGREGATE: _("aggregate"),
    DataClass.DEIDENTIFIED: _("de-identified"),
    DataClass.PERSONAL: _("personal"),
    DataClass.GENETIC: _("genetic"),
}

MESSAGES: Mapping[str, Promise] = {
    "surveillance.period-counts/1": _("Counts by period"),
    "surveillance.alert/1": _("Outbreak alerts"),
    "surveillance.alert-withdrawal/1": _("Withdrawals of alerts"),
    "surveillance.case-notification/1": _("Single cases of immediately notifiable diseases"),
    "exchange.card": _("Node card"),
    "exchange.revocation": _("Key revocation"),
    "exchange.proposal": _("Proposal of an agreement"),
    "exchange.signature": _("Signature of an agreement"),
    "exchange.suspension": _("Suspension of an agreement"),
    "exchange.resumption": _("Resumption of an agreement"),
    "exchange.activation": _("Opening of an emergency annex"),
    "exchange.termination": _("Termination of an agreement"),
    "exchange.checkpoint": _("Checkpoint"),
    "exchange.proof": _("Consistency proof"),
    "exchange.proof-demand": _("Demand for a consistency proof"),
    "exchange.restore": _("Notice of a restore"),
}

STATUSES: Mapping[str, Promise] = {
    "queued": pgettext_lazy("envelope", "waiting"),
    "accepted": pgettext_lazy("envelope", "accepted"),
    "refused": pgettext_lazy("envelope", "refused"),
    "undeliverable": pgettext_lazy("envelope", "undeliverable"),
}

DIRECTIONS: Mapping[str, Promise] = {"in": _("received"), "out": _("sent")}

LEVELS: Mapping[str, Promise] = {
    "country": _("country"),
    "admin1": _("province"),
    "admin2": _("district"),
    "": _("any place"),
}

PERIODS: Mapping[str, Promise] = {
    "day": _("day"),
    "week": _("week"),
    "month": _("month"),
    "year": _("year"),
    "": _("any period"),
}

ACCEPTANCE: Mapping[str, Promise] = {"automatic": _("automatically"), "preview": _("after a person’s preview")}

# Members of an agreement's document, as a difference calls them.
MEMBERS: Mapping[str, Promise] = {
    "acceptance": _("Acceptance"),
    "benefit_sharing": _("Benefit sharing"),
    "caps": _("Limits"),
    "channels": _("Channel"),
    "clause": _("Clause"),
    "data_class": _("Data class"),
    "disclosure": _("Disclosure rules"),
    "disputes": _("Disputes"),
    "emergency": _("Emergency annex"),
    "end_at": _("End of the agreement"),
    "envelopes_per_day": _("Envelopes a day"),
    "exemption": _("Exemption claimed"),
    "filing": _("Filing"),
    "from": _("Senders"),
    "governing_language": _("Governing language"),
    "incident_notice_hours": _("Hours to give notice of an incident"),
    "instrument": _("Instrument"),
    "legal_basis": _("Legal basis"),
    "licence": _("Licence"),
    "message": _("Message type"),
    "notice_days": _("Days of notice"),
    "onward_transfer": _("Onward transfer"),
    "parties": _("Party"),
    "period": _("Period"),
    "persons_per_year": _("Persons a year"),
    "place_level": _("Level of places"),
    "places": _("Places"),
    "purpose": _("Purpose"),
    "renewal": _("Renewal"),
    "retention_days": _("Days of retention"),
    "start_at": _("Start of the agreement"),
    "storage": _("Storage"),
    "survives": _("What survives the end"),
    "suspension": _("Suspension"),
    "termination": _("Termination"),
    "texts": _("Hashes of the texts"),
    "title": _("Title"),
    "to": _("Receivers"),
    "witnesses": _("Witnesses"),
}


def reason_text(code: str) -> str:
    """Return the sentence for a reason's code, in the language of the page; an unknown code stands as it is."""
    try:
        return str(REASONS[Reason(code)])
    except ValueError:
        return code


def message_text(schema: str) -> str:
    """Return what people call a message type; a type that no one named here stands as it is."""
    named = MESSAGES.get(schema) or MESSAGES.get(schema.partition("/")[0])
    return str(named) if named else schema


def path_text(path: tuple[str, ...]) -> str:
    """Return the place of a clause in the document in words: ``Channel counts: Limits: Envelopes a day``."""
    words = [str(MEMBERS[part]) if part in MEMBERS else part for part in path]
    return " › ".join(words)
