"""Why something did not cross: one enumeration for both gates, for receipts, pages and evidence.

A reason is a stable code. Its sentence in four languages is in the catalogues of the exchange app
(`corridor.exchange.queries.texts`), because a receipt is read by people of another language than its writer's.
"""

from enum import StrEnum
from typing import ClassVar

from corridor.base import errors


class Reason(StrEnum):
    """Code of a refusal, a deferral or a wait, as receipts and log leaves carry it."""

    # the state of the agreement
    NO_AGREEMENT = "no_agreement"
    NOT_SIGNED_BY_ALL = "not_signed_by_all"
    NOT_STARTED = "not_started"
    SUSPENDED = "suspended"
    DORMANT = "dormant"
    SUPERSEDED = "superseded"
    EXPIRED = "expired"
    TERMINATED = "terminated"

    # trust in the partner
    KEY_REVOKED = "key_revoked"
    DISPUTE = "dispute"
    RECOVERING = "recovering"

    # who, where, what for
    NOT_A_PARTY = "not_a_party"
    WRONG_RECIPIENT = "wrong_recipient"
    NO_CHANNEL = "no_channel"
    WRONG_DIRECTION = "wrong_direction"
    WRONG_MESSAGE_TYPE = "wrong_message_type"
    UNKNOWN_MESSAGE_TYPE = "unknown_message_type"
    WRONG_PURPOSE = "wrong_purpose"
    ONWARD_TRANSFER = "onward_transfer"
    VIEW_ONLY = "view_only"
    WITHDRAWN = "withdrawn"

    # class, persons, cells
    CLASS_MISLABELLED = "class_mislabelled"
    CLASS_ABOVE_CHANNEL = "class_above_channel"
    NOT_SEALED = "not_sealed"
    NO_LEGAL_BASIS = "no_legal_basis"
    NO_LICENCE = "no_licence"
    PERSONS_MISLABELLED = "persons_mislabelled"
    CELL_BELOW_RULE = "cell_below_rule"
    STRATUM_CLOSED = "stratum_closed"
    PLACE_CLOSED = "place_closed"
    PERIOD_CLOSED = "period_closed"
    LEDGER_WAITS = "ledger_waits"
    RETURNS_OWED = "returns_owed"

    # how much
    ENVELOPE_CAP = "envelope_cap"
    PERSON_CAP = "person_cap"
    NO_FILING = "no_filing"
    EXPORT_LIMIT = "export_limit"
    COUNTERS_CLOSED = "counters_closed"

    # form of the envelope and of its body
    MALFORMED = "malformed"
    BAD_SIGNATURE = "bad_signature"
    CANNOT_DECRYPT = "cannot_decrypt"
    ID_REUSED = "id_reused"

    # agreement statements and handlers
    FORBIDDEN_TRANSITION = "forbidden_transition"
    STATEMENT_FORKED = "statement_forked"
    UNKNOWN_SUBJECT = "unknown_subject"
    HANDLER_REFUSED = "handler_refused"


class Refused(errors.Refused):
    """Raised where one envelope must be refused: by a handler, or by what a handler calls.

    Attributes
    ----------
    reason : Reason
        The code that the receipt carries.
    """

    code: ClassVar[str] = "refused-at-the-gate"

    def __init__(self, reason: Reason, detail: str = "") -> None:
        self.reason = reason
        super().__init__(f"refused: {reason.value}" + (f" ({detail})" if detail else ""))
