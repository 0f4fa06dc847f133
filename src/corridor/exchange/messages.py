"""The base class of every message, the class of each field, and the control messages between pinned peers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from corridor.base.errors import InputFault
from corridor.exchange.rules.classes import DataClass, highest
from corridor.exchange.rules.retention import Why

if TYPE_CHECKING:
    from corridor.base.disclosure import Cell

CONTROL_CHANNEL = "control"
"""The channel of messages that pass between pinned peers without an agreement."""


class MalformedMessage(InputFault):
    """Bytes are not a message of the type that their envelope names."""

    code = "malformed-message"


class FieldClass:
    """The class of one field, carried in its annotation."""

    __slots__ = ("data_class",)

    def __init__(self, data_class: DataClass) -> None:
        self.data_class = data_class


def field_class(data_class: DataClass) -> FieldClass:
    """Return the mark that classifies a field: ``Annotated[int, field_class(DataClass.AGGREGATE)]``."""
    return FieldClass(data_class)


class Part(BaseModel):
    """A frozen, validated, wholly classified piece of a message.

    Raises
    ------
    TypeError
        At the definition of a class with a field that has no class.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    field_classes: ClassVar[dict[str, DataClass]] = {}

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        """Refuse a field without a class."""
        super().__pydantic_init_subclass__(**kwargs)
        cls.field_classes = {}
        for name, info in cls.model_fields.items():
            marks = [mark.data_class for mark in info.metadata if isinstance(mark, FieldClass)]
            if len(marks) != 1:
                raise TypeError(f"{cls.__name__}.{name} needs exactly one field_class; it has {len(marks)}")
            cls.field_classes[name] = marks[0]

    def computed_class(self) -> DataClass:
        """Return the highest class among the fields that hold something, nested parts included."""
        classes = []
        for name, declared in self.field_classes.items():
            value = getattr(self, name)
            if value is None or value in ((), [], {}, ""):
                continue
            classes.append(declared)
            for part in value if isinstance(value, list | tuple) else (value,):
                if isinstance(part, Part):
                    classes.append(part.computed_class())
        return highest(*classes)


class Message(Part):
    """What may cross the border: frozen, versioned, every field classified.

    Attributes
    ----------
    schema_name : str, such as ``surveillance.period-counts``
    version : int
    data_class : DataClass
        The highest class that any field of it may have.
    """

    schema_name: ClassVar[str] = ""
    version: ClassVar[int] = 1
    data_class: ClassVar[DataClass] = DataClass.PUBLIC

    @classmethod
    def schema_id(cls) -> str:
        """Return name and version as envelopes carry them: ``surveillance.period-counts/1``."""
        return f"{cls.schema_name}/{cls.version}"

    def persons(self) -> int:
        """Return how many single persons the body concerns."""
        return 0

    def cells(self) -> list[Cell]:
        """Return the figures that disclosure control judges."""
        return []

    def released(self) -> list[Cell]:
        """Return what a reader learns of withheld figures, for the release ledger; by default the cells."""
        return self.cells()

    def named_places(self) -> list[str]:
        """Return every place that the body is about, whether or not it shows a figure of it."""
        return [cell.place for cell in self.cells()]

    def person_identifiers(self) -> list[str]:
        """Return one normalised identifier per person that has a stable one."""
        return []

    def to_bytes(self) -> bytes:
        """Return compact JSON with sorted members, in UTF-8: the bytes that are signed."""
        return json.dumps(
            self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
        ).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Return the message that `data` spells.

        Raises
        ------
        MalformedMessage
            If `data` does not validate or is spelled otherwise than `to_bytes` does. Values are not repeated in the
            text.
        """
        try:
            message = cls.model_validate_json(data)
        except ValidationError as fault:
            places = ", ".join(".".join(map(str, each["loc"])) or "body" for each in fault.errors(include_input=False))
            raise MalformedMessage(f"{cls.schema_id()} does not validate at: {places[:300]}") from None
        if message.to_bytes() != data:
            raise MalformedMessage(f"{cls.schema_id()} is not in its one spelling: compact JSON, members sorted")
        return message


_Text = Annotated[str, Field(max_length=2_000_000), FieldClass(DataClass.PUBLIC)]
_Name = Annotated[str, Field(max_length=300), FieldClass(DataClass.PUBLIC)]
_Hash = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$"), FieldClass(DataClass.PUBLIC)]
_HashOrNone = Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$"), FieldClass(DataClass.PUBLIC)]
_Number = Annotated[int, Field(ge=0), FieldClass(DataClass.PUBLIC)]


class CardAnnouncement(Message):
    """A new card of the sender, successor of the one that is pinned; the signed document in base64url."""

    schema_name: ClassVar[str] = "exchange.card"
    card: _Text


class KeyRevocationNotice(Message):
    """A signed revocation of one of the sender's cards, or the reinstatement after one; the document in base64url."""

    schema_name: ClassVar[str] = "exchange.revocation"
    revocation: _Text


class AgreementProposal(Message):
    """The bytes of a proposed agreement, in base64url; its hash is its name."""

    schema_name: ClassVar[str] = "exchange.proposal"
    document: _Text


class AgreementSignatureNotice(Message):
    """A party's signature over an agreement's bytes, in base64url, with the hash that it signs."""

    schema_name: ClassVar[str] = "exchange.signature"
    agreement: _Hash
    signature: _Text


class _Statement(Message):
    """A signed statement of one party about an agreement: its place in that party's sequence, and the signed bytes."""

    agreement: _Hash
    sequence: _Number
    previous: _HashOrNone
    statement: _Text


class AgreementSuspension(_Statement):
    """The sender suspends the agreement."""

    schema_name: ClassVar[str] = "exchange.suspension"


class AgreementResumption(_Statement):
    """The sender lifts its own suspension."""

    schema_name: ClassVar[str] = "exchange.resumption"


class AgreementActivation(_Statement):
    """The sender opens a dormant agreement."""

    schema_name: ClassVar[str] = "exchange.activation"


class AgreementTermination(_Statement):
    """The sender terminates the agreement."""

    schema_name: ClassVar[str] = "exchange.termination"


class CheckpointForward(Message):
    """A checkpoint that another party of the same agreement signed, byte for byte in base64url."""

    schema_name: ClassVar[str] = "exchange.checkpoint"
    node: _Name
    origin: _Name
    checkpoint: _Text


class ConsistencyProofNotice(Message):
    """Proof that the checkpoint of `size` extends the one of `from_size`; hashes in base64url."""

    schema_name: ClassVar[str] = "exchange.proof"
    origin: _Name
    from_size: _Number
    size: _Number
    proof: Annotated[tuple[str, ...], Field(max_length=128), FieldClass(DataClass.PUBLIC)]


class ConsistencyDemand(Message):
    """The sender asks for the proof that the recipient's checkpoint of `size` extends its one of `from_size`."""

    schema_name: ClassVar[str] = "exchange.proof-demand"
    origin: _Name
    from_size: _Number
    size: _Number


class EnvelopeWithdrawal(Message):
    """The sender takes back an envelope of its own, of which it does not know whether the recipient has it.

    Who has it answers with the receipt that it gave; who has it not refuses it for good, and answers with that.
    """

    schema_name: ClassVar[str] = "exchange.withdrawal"
    envelope: _Hash
    envelope_id: Annotated[str, Field(pattern=r"^[0-9a-f-]{36}$"), FieldClass(DataClass.PUBLIC)]
    agreement: _HashOrNone
    channel: Annotated[str, Field(max_length=120), FieldClass(DataClass.PUBLIC)]
    message_type: Annotated[str, Field(max_length=120), FieldClass(DataClass.PUBLIC)]
    data_class_of: Annotated[DataClass, FieldClass(DataClass.PUBLIC)]
    created_at: Annotated[AwareDatetime, FieldClass(DataClass.PUBLIC)]


class ReceiptNotice(Message):
    """The receipt for an envelope of the recipient's that it took back; signed bytes."""

    schema_name: ClassVar[str] = "exchange.receipt"
    receipt: _Text


class RestoreNotice(Message):
    """The sender came back from a backup and opened a new epoch.

    `origins`, `restored` and `lost` run in parallel, one tree each: its last checkpoint, and the one that was lost; a
    checkpoint is signed bytes in base64url, empty where there is none.
    """

    schema_name: ClassVar[str] = "exchange.restore"
    epoch: _Number
    origins: Annotated[tuple[str, ...], Field(max_length=10_000), FieldClass(DataClass.PUBLIC)]
    restored: Annotated[tuple[str, ...], Field(max_length=10_000), FieldClass(DataClass.PUBLIC)]
    lost: Annotated[tuple[str, ...], Field(max_length=10_000), FieldClass(DataClass.PUBLIC)]


class ReturnedCrossing(Message):
    """An envelope of the recipient's own that it lost, and the receipt that the sender had given for it."""

    schema_name: ClassVar[str] = "exchange.returned"
    token: _Text
    receipt: _Text


class ReturnComplete(Message):
    """Everything that the sender held of the recipient's, and the recipient lost before `epoch`, was returned."""

    schema_name: ClassVar[str] = "exchange.return-complete"
    epoch: _Number


class BodyDeletion(Message):
    """The sender deleted its copies of the bodies of these envelopes, each named by its hash, and says why."""

    schema_name: ClassVar[str] = "exchange.body-deletion"
    envelopes: Annotated[
        tuple[Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")], ...],
        Field(min_length=1, max_length=10_000),
        FieldClass(DataClass.PUBLIC),
    ]
    why: Annotated[Why, FieldClass(DataClass.PUBLIC)]
    deleted_at: Annotated[AwareDatetime, FieldClass(DataClass.PUBLIC)]


class ShownLeafPart(Part):
    """A leaf of a log, with its audit path to a signed checkpoint; hashes and the checkpoint in base64url."""

    index: _Number
    leaf_hash: _Name
    path: Annotated[tuple[str, ...], Field(max_length=64), FieldClass(DataClass.PUBLIC)]
    checkpoint: _Text


class LeavesForward(Message):
    """Leaves of the log of another party of the same agreement, as that party showed them to the sender."""

    schema_name: ClassVar[str] = "exchange.leaves"
    node: _Name
    origin: _Name
    leaves: Annotated[tuple[ShownLeafPart, ...], Field(min_length=1, max_length=100), FieldClass(DataClass.PUBLIC)]


CONTROL_MESSAGES: tuple[type[Message], ...] = (
    CardAnnouncement,
    KeyRevocationNotice,
    AgreementProposal,
    AgreementSignatureNotice,
    AgreementSuspension,
    AgreementResumption,
    AgreementActivation,
    AgreementTermination,
    CheckpointForward,
    ConsistencyProofNotice,
    ConsistencyDemand,
    LeavesForward,
    EnvelopeWithdrawal,
    ReceiptNotice,
    RestoreNotice,
    ReturnedCrossing,
    ReturnComplete,
    BodyDeletion,
)
"""Every control message: passes between pinned peers without an agreement, logged."""
