"""What codes of the exchange are called on pages, in the language of the page."""

from __future__ import annotations

from collections.abc import Mapping

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from corridor.exchange.rules.agreement import Kind, State
from corridor.exchange.rules.classes import DataClass
from corridor.exchange.rules.jurisdictions import Verified
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
    Reason.UNKNOWN_MESSAGE_TYPE: _(
        "The receiving node does not know this type of message, or not this version of it. Upgrade that node, "
        "then send it anew."
    ),
    Reason.WRONG_PURPOSE: _("The purpose is not that of the channel."),
    Reason.ONWARD_TRANSFER: _("Data of a third country may not be passed on under this agreement."),
    Reason.VIEW_ONLY: _("The agreement lets data be viewed and not kept, and this body did not travel sealed."),
    Reason.WITHDRAWN: _("The sender took it back before it arrived."),
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
    Reason.RETURNS_OWED: _("Figures wait until the partners have returned what was lost with a restore."),
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
    "exchange.leaves": _("Leaves of a partner’s log"),
    "exchange.withdrawal": _("Withdrawal of an envelope"),
    "exchange.receipt": _("Receipt, sent once more"),
    "exchange.restore": _("Notice of a restore"),
    "exchange.returned": _("Returned envelope"),
    "exchange.return-complete": _("End of a return"),
    "exchange.body-deletion": _("Statement that bodies were deleted"),
}

STATUSES: Mapping[str, Promise] = {
    "queued": pgettext_lazy("envelope", "waiting"),
    "accepted": pgettext_lazy("envelope", "accepted"),
    "refused": pgettext_lazy("envelope", "refused"),
    "undeliverable": pgettext_lazy("envelope", "undeliverable"),
}

WHY_DELETED: Mapping[str, Promise] = {
    "request": _("two persons decided it"),
    "retention": _("the retention agreed on was over"),
    "view-ended": _("the time to view it was over"),
    "agreement-ended": _("the agreement had ended"),
    "restore": _("stated again after a restore"),
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

# Members of an envelope and of a receipt, as they were signed.
SIGNED: Mapping[str, Promise] = {
    "agreement": _("Agreement"),
    "at": _("Signed at"),
    "body": _("Contents"),
    "channel": _("Channel"),
    "class": _("Data class"),
    "created_at": _("Made at"),
    "envelope": _("Envelope"),
    "epoch": _("Epoch of the log"),
    "from": _("Sent by"),
    "id": _("Id"),
    "index": _("Place in the log"),
    "leaf_hash": _("Hash of the entry in the log"),
    "origin": _("Log"),
    "outcome": _("Outcome"),
    "persons": _("Persons"),
    "purpose": _("Purpose"),
    "reason": _("Reason"),
    "schema": _("Message type"),
    "sealed": _("Sealed contents"),
    "to": _("Received by"),
}

VERIFIED: Mapping[Verified, Promise] = {
    Verified.TEXT: _("Read in the text"),
    Verified.SECONDARY: _("From a secondary source"),
    Verified.NOT_VERIFIED: _("Not verified"),
}
SENSITIVITIES: Mapping[str, Promise] = {
    "sensitive": _("sensitive personal information"),
    "personal data": _("personal data"),
    "health": _("health data"),
}
"""Classes of sensitivity that the rules of the countries name."""

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

# What the audit trail records, as the page of the trail calls it.
ACTIONS: Mapping[str, Promise] = {
    "exchange.found_node": _("Found the node"),
    "exchange.pin_partner": _("Pin a partner"),
    "exchange.pin_partner_anew": _("Pin a partner anew"),
    "exchange.take_partner_file": _("Take what a partner says of its keys"),
    "exchange.bring_partner_back": _("Bring a revoked partner back"),
    "exchange.change_partner_url": _("Change a partner’s address"),
    "exchange.pause_partner": _("Pause exchange with a partner"),
    "exchange.resume_partner": _("Resume exchange with a partner"),
    "exchange.draft_agreement": _("Draft an agreement"),
    "exchange.propose_agreement": _("Propose an agreement"),
    "exchange.sign_agreement": _("Sign an agreement"),
    "exchange.activate_agreement": _("Open an emergency annex"),
    "exchange.suspend_agreement": _("Suspend an agreement"),
    "exchange.resume_agreement": _("Lift the suspension of an agreement"),
    "exchange.terminate_agreement": _("Terminate an agreement"),
    "exchange.discard_draft": _("Discard a draft"),
    "exchange.claim": _("Take envelopes for a round of delivery"),
    "exchange.greet": _("Greet a partner"),
    "exchange.deliver": _("Deliver envelopes"),
    "exchange.conclude": _("Conclude a round of delivery"),
    "exchange.delivery_failed": _("Note a failed delivery"),
    "exchange.settle": _("Record receipts"),
    "exchange.release_claim": _("Put envelopes back into the queue"),
    "exchange.retry": _("Send a refused envelope again"),
    "exchange.give_up": _("Give up envelopes that waited too long"),
    "exchange.receive": _("Receive envelopes"),
    "exchange.prove": _("Ask a partner for a proof"),
    "exchange.judge_demands": _("Judge demands for proofs"),
    "exchange.close_dispute": _("Close a dispute"),
    "exchange.verify_log": _("Verify the log"),
    "exchange.write_audit_roots": _("Write the daily root of the audit trail"),
    "exchange.retire_counters": _("Retire the counters of a past year"),
    "exchange.rotate_keys": _("Rotate keys"),
    "exchange.revoke_keys": _("Revoke keys"),
    "exchange.reinstate_keys": _("Reinstate keys"),
    "exchange.backup": _("Make a backup"),
    "exchange.open_epoch": _("Open a new epoch after a restore"),
    "exchange.confirm_restore": _("Confirm a partner’s restore"),
    "exchange.forgo_returns": _("Go on without a partner’s return"),
    "exchange.reopen_counter": _("Open a counter of persons again"),
    "exchange.delete_body": _("Delete the body of an envelope"),
    "exchange.hold_body": _("Lay a legal hold on the body of an envelope"),
    "exchange.release_body": _("Lift the legal hold on the body of an envelope"),
    "exchange.enforce_retention": _("Delete bodies whose time is over"),
    "exchange.lay_holds_again": _("Lay legal holds again after a restore"),
    "exchange.acknowledge_lost_bodies": _("State again that bodies were deleted, after a restore"),
    "exchange.look_at_body": _("Look at a body that may be viewed and not kept"),
}
DETAILS: Mapping[str, Promise] = {
    "narrowed": _("withheld figures narrowed"),
    "released_by_hand": _("released by hand"),
    "accepted": _("accepted"),
    "again": _("once more"),
    "agreement": _("agreement"),
    "before": _("former fingerprint"),
    "bodies": _("contents"),
    "cards": _("cards"),
    "channel": _("channel"),
    "channels": _("channels"),
    "counter": _("counter"),
    "counters": _("counters"),
    "crossing": _("crossing"),
    "deferred": _("deferred"),
    "withdrawn": _("taken back"),
    "disputes": _("disputes"),
    "envelopes": _("envelopes"),
    "epoch": _("epoch"),
    "persons": _("persons"),
    "fingerprint": _("fingerprint"),
    "keys": _("keys"),
    "node": _("node"),
    "owing": _("partners who still owe what was lost"),
    "refused": pgettext_lazy("envelope", "refused"),
    "returned": _("returned"),
    "schema": _("message type"),
    "sequence": _("sequence number"),
    "serial": _("serial number of the card"),
    "stated": _("statement"),
    "trees": _("trees"),
    "undeliverable": pgettext_lazy("envelope", "undeliverable"),
    "why": _("why"),
}
APPROVALS: Mapping[str, Promise] = {
    "exchange.pin-partner": _("Pin a partner"),
    "exchange.pin-partner-anew": _("Pin a partner anew"),
    "exchange.resume-partner": _("Resume exchange with a partner"),
    "exchange.bring-partner-back": _("Bring a revoked partner back"),
    "exchange.change-partner-url": _("Change a partner’s address"),
    "exchange.sign-agreement": _("Sign an agreement"),
    "exchange.resume-agreement": _("Lift the suspension of an agreement"),
    "exchange.terminate-agreement": _("Terminate an agreement"),
    "exchange.close-dispute": _("Close a dispute"),
    "exchange.open-epoch": _("Open a new epoch after a restore"),
    "exchange.forgo-returns": _("Go on without a partner’s return"),
    "exchange.reopen-counter": _("Open a counter of persons again"),
    "exchange.delete-body": _("Delete the body of an envelope"),
    "exchange.release-body": _("Lift the legal hold on the body of an envelope"),
}
FAULTS: Mapping[str, Promise] = {
    "unknown-message": _(
        "This node does not know a message that the agreement names, or not in that version. Upgrade it."
    ),
    "address-refused": _("The partner’s address is one that this node must not connect to."),
    "body-held": _("A legal hold keeps this body. If it is over, two persons lift it first."),
    "body-not-held": _("No legal hold lies on this body."),
    "body-waits": _(
        "There is no receipt for this envelope; its body is needed to deliver it, or as the only evidence."
    ),
    "cannot-open": _("The contents could not be decrypted."),
    "ciphertext-mismatch": _("The sealed contents are not those that were signed."),
    "clock-too-far-off": _("The clocks of the two nodes differ too much. Set them by a time server."),
    "digest-mismatch": _("What arrived is not what was signed."),
    "foreign-type": _("The document is of another kind than the one expected here."),
    "forbidden-transition": _("The state of the agreement does not allow this statement."),
    "no-body": _("This envelope has no body here: it is a control message, was refused, or its body was deleted."),
    "not-viewable": _(
        "This did not come to be viewed only. What its pillar took from it stands on the pillar’s pages."
    ),
    "view-ended": _("The time in which this body could be viewed is over."),
    "not-for-me": _("The envelope is addressed to another node."),
    "note-unsigned": _("The checkpoint is not signed by its node."),
    "refused-at-the-gate": _("The gate refused the envelope."),
    "unknown-suite": _("The card names a method of encryption that is not known here."),
    "bad-signature": _("A signature does not hold."),
    "amendment-unfit": _("The amendment does not fit the agreement that it changes."),
    "bad-fingerprint": _(
        "A fingerprint is eight groups of four letters and digits, such as AB12-CD34-…. "
        "Copy it from the partner’s card."
    ),
    "broken-chain": _("The card does not follow from the one before it. Ask the partner for the card."),
    "card-unfit": _("The card cannot be pinned here."),
    "keys-revoked": _(
        "The keys of this node are revoked, and partners count nothing that they sign. An administrator replaces them "
        "or takes the revocation back, with the recovery key."
    ),
    "keys-unreadable": _("The keys of this node cannot be read."),
    "malformed": _("The document does not have the expected form. Ask for it again."),
    "malformed-agreement": _("The agreement does not have the expected form."),
    "malformed-key": _("A key on the card does not have the expected form. Ask the partner for the card again."),
    "no-such-agreement": _("No agreement of that hash is known here."),
    "no-such-crossing": _("There is no such crossing."),
    "no-such-dispute": _("No open dispute has this number. The page of partners lists those that are open."),
    "no-such-partner": _("No partner of that name is pinned here."),
    "not-a-party": _("This node is no party to the agreement."),
    "not-amendable": _(
        "Only an agreement that all parties signed and that has not ended can be amended. Propose a new one instead."
    ),
    "not-base64url": _("The card is damaged. Ask the partner for it again."),
    "not-canonical": _("The document does not have the expected form. Ask for it again."),
    "not-paused": _("Exchange with this partner is not paused."),
    "not-recovering": _("There is nothing to recover from, or it was done already."),
    "nothing-owed": _("Nothing is waited for from this partner."),
    "returns-owed": _("Figures wait until the partners have returned what was lost with a restore."),
    "counter-not-closed": _("This counter is not closed, or partners still have to return what they hold."),
    "too-few-persons": _("Fewer persons than the counter has counted cannot be stated."),
    "nothing-new": _("What this file says is recorded here already."),
    "nothing-to-confirm": _("The partner told of no restore that waits for a yes."),
    "nothing-to-retry": _("This envelope cannot be sent again: it still waits, or its contents were deleted."),
    "partner-not-heard": _(
        "The partner has not shown since this node started which checkpoints it holds. Wait until it is reached."
    ),
    "unknown-key": _("The document is signed with a key that is not known here."),
    "weak-key": _("A key on the card is not safe. Ask the partner for another card."),
    "wrong-fingerprint": _(
        "The card does not have this fingerprint. Do not pin it: ask the partner again, by telephone, for the "
        "fingerprint and for the card."
    ),
}
PARTICULARS = (
    "amendment-unfit",
    "broken-chain",
    "card-unfit",
    "keys-unreadable",
    "malformed",
    "malformed-agreement",
    "not-canonical",
    "unknown-key",
    "wrong-fingerprint",
)
"""Faults whose words name a row, a column or a member that their text here does not."""
WORK: Mapping[str, Promise] = {
    "exchange.hourly": _("Hourly care of log, agreements and counters"),
    "exchange.retention": _("Delete bodies whose time is over"),
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
