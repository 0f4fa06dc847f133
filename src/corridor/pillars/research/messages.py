"""The complete list of what research sends across a border: studies, documents of care, and the symposium.

Nothing in it can hold a patient's row. A study has one message, of which each act fills its own part; the only part
with figures is the block of a round: named lists of numbers that disclosure control of the sending site let go.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, ClassVar, Literal

from pydantic import AwareDatetime, Field, model_validator

from corridor.exchange.messages import Message, Part, field_class
from corridor.exchange.rules.classes import DataClass

__all__ = [
    "MESSAGES",
    "CareDocumentMessage",
    "NamedNumbers",
    "ProtocolProposal",
    "ProtocolSignature",
    "RoundBlock",
    "RoundRefusal",
    "RunRequest",
    "SiteReady",
    "SiteStanding",
    "StudyMessage",
    "SymposiumEntryMessage",
]

_PUBLIC = field_class(DataClass.PUBLIC)
_AGGREGATE = field_class(DataClass.AGGREGATE)

LONGEST_BLOCK = 200_000
"""The most numbers that one block may hold."""

_Hash = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$"), _PUBLIC]
_Slug = Annotated[str, Field(pattern=r"^[a-z0-9](?:[a-z0-9.-]{0,60}[a-z0-9])?$"), _PUBLIC]
_Run = Annotated[str, Field(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"), _PUBLIC]
_Moment = Annotated[AwareDatetime, _PUBLIC]
_Text = Annotated[str, Field(max_length=400_000), _PUBLIC]
_Note = Annotated[str, Field(max_length=2_000), _PUBLIC]
_Round = Annotated[int, Field(ge=1, le=1_000), _PUBLIC]
_Name = Annotated[str, Field(min_length=1, max_length=200), _PUBLIC]
_SHOWN = r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]*$"
"""Text that a page and a terminal show as it is: no control characters, none that change the direction of others."""
_Finite = Annotated[float, Field(allow_inf_nan=False)]


class NamedNumbers(Part):
    """One list of numbers of a block, by the name under which the analysis knows it; withheld ones are null."""

    name: _Name
    values: Annotated[tuple[int | _Finite | None, ...], Field(max_length=LONGEST_BLOCK), _AGGREGATE]


class Parameter(Part):
    """One list of numbers that every site derived for this round, such as the coefficients."""

    name: _Name
    values: Annotated[tuple[int | _Finite, ...], Field(max_length=10_000), _PUBLIC]


class ProtocolProposal(Part):
    """The canonical bytes of a protocol, in base64url."""

    document: _Text


class ProtocolSignature(Part):
    """A site's signature over the protocol's bytes, by its agreement key, in base64url."""

    signature: _Text


class SiteReady(Part):
    """The hash of the frozen rows on which a site will compute; it tells nothing of them."""

    snapshot: _Hash


class RunRequest(Part):
    """A researcher asks for one analysis of the plan."""

    run: _Run
    analysis: _Slug


class RoundBlock(Part):
    """A site's answer of one round, with the parameters that it derived and the hash of its rows."""

    run: _Run
    analysis: _Slug
    round: _Round
    step: _Name
    snapshot: _Hash
    parameters: Annotated[tuple[Parameter, ...], Field(max_length=100), _PUBLIC]
    numbers: Annotated[tuple[NamedNumbers, ...], Field(min_length=1, max_length=2_000), _AGGREGATE]


class RoundRefusal(Part):
    """A site does not answer, and why: codes of guards with the term or cell of the protocol that is concerned."""

    run: _Run
    analysis: _Slug
    round: _Round
    code: _Name
    reasons: Annotated[tuple[_Note, ...], Field(max_length=200), _PUBLIC]


class SiteStanding(Part):
    """A site pauses, resumes, leaves or closes its part of the study; the reason is for people."""

    standing: Annotated[Literal["paused", "active", "left", "closed"], _PUBLIC]
    reason: _Note = ""


class StudyMessage(Message):
    """One act of one site in a study; exactly one part is filled."""

    schema_name: ClassVar[str] = "research.study"
    data_class: ClassVar[DataClass] = DataClass.AGGREGATE

    study: _Slug
    protocol: _Hash
    stated_at: _Moment
    simulated: Annotated[bool, _PUBLIC]
    proposal: Annotated[ProtocolProposal | None, _PUBLIC] = None
    signature: Annotated[ProtocolSignature | None, _PUBLIC] = None
    ready: Annotated[SiteReady | None, _PUBLIC] = None
    request: Annotated[RunRequest | None, _PUBLIC] = None
    block: Annotated[RoundBlock | None, _AGGREGATE] = None
    refusal: Annotated[RoundRefusal | None, _PUBLIC] = None
    standing: Annotated[SiteStanding | None, _PUBLIC] = None

    @model_validator(mode="after")
    def _one_part(self) -> StudyMessage:
        if len([part for part in self.parts() if part is not None]) != 1:
            raise ValueError("a message of a study does exactly one thing")
        return self

    def parts(self) -> tuple[Part | None, ...]:
        """Return every part, filled or not."""
        return (
            self.proposal,
            self.signature,
            self.ready,
            self.request,
            self.block,
            self.refusal,
            self.standing,
        )


class CareDocumentMessage(Message):
    """A treatment protocol, or a follow-up schedule as a FHIR R4 PlanDefinition: what a side does, of no patient.

    Attributes
    ----------
    document : str
        The canonical bytes (RFC 8785) in base64url; both kinds name their own id and version.
    """

    schema_name: ClassVar[str] = "research.care"

    kind: Annotated[Literal["treatment", "schedule"], _PUBLIC]
    document: _Text
    stated_at: _Moment
    simulated: Annotated[bool, _PUBLIC]


class SymposiumEntryMessage(Message):
    """One entry of the symposium of a study as its author states it now; a later revision replaces it.

    Attributes
    ----------
    entry : str
        Identifier, given by the site that wrote it; no other site changes it.
    run : str or None
        The run whose result a figure is taken from. The numbers do not travel: each site has them of its own.
    blocks : str
        SHA-256 of the blocks of all rounds of that run, which are the same at every site; empty for anything but a
        figure. From the same blocks comes the same result.
    """

    schema_name: ClassVar[str] = "research.symposium"

    study: _Slug
    entry: _Run
    revision: Annotated[int, Field(ge=1, le=100_000), _PUBLIC]
    year: Annotated[int, Field(ge=2000, le=2200), _PUBLIC]
    kind: Annotated[Literal["agenda", "figure", "decision", "publication"], _PUBLIC]
    text: Annotated[str, Field(min_length=1, max_length=2_000, pattern=_SHOWN), _PUBLIC]
    owner: Annotated[str, Field(max_length=300, pattern=_SHOWN), _PUBLIC]
    day: Annotated[date | None, _PUBLIC]
    standing: Annotated[Literal["open", "done", "withdrawn"], _PUBLIC]
    run: Annotated[str | None, Field(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"), _PUBLIC]
    blocks: Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$"), _PUBLIC]
    stated_at: _Moment
    simulated: Annotated[bool, _PUBLIC]

    @model_validator(mode="after")
    def _figure_has_a_run(self) -> SymposiumEntryMessage:
        if {self.run is not None, self.blocks != ""} != {self.kind == "figure"}:
            raise ValueError(
                "a figure names the run that it is taken from and the hash of its blocks; nothing else does"
            )
        return self


MESSAGES: tuple[type[Message], ...] = (StudyMessage, CareDocumentMessage, SymposiumEntryMessage)
"""Every message of the pillar."""
