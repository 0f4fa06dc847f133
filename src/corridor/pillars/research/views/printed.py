"""The report of a study on paper: what its page says, as PDF."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from corridor.accounts.access import PersonRequest
from corridor.accounts.approvals import isolated
from corridor.pillars.research.queries import StudyView
from corridor.pillars.research.views.words import plain
from corridor.web import charts
from corridor.web.cells import language
from corridor.web.charts import ChartFrame
from corridor.web.formats import moment_text
from corridor.web.pdf import Heading, Paragraph, Part, Picture, Points, to_pdf

__all__ = ["printed_report"]


def printed_report(said: Mapping[str, Any], *, request: PersonRequest, now: datetime) -> bytes:
    """Return the report as PDF in the language of the page.

    Parameters
    ----------
    said : mapping
        What the page of the report shows.

    Raises
    ------
    TypefaceMissing
        If no typeface of this node has the letters of the report.
    """
    view: StudyView = said["view"]
    foot = _("%(study)s, version %(version)d of the protocol, written on %(moment)s by the node %(node)s.") % {
        "study": view.name,
        "version": view.protocol.version,
        "moment": moment_text(now, language=language()),
        "node": next((site.node for site in view.sites if site.is_own), ""),
    }
    return to_pdf(
        _parts(said, view, request),
        title=said["title"],
        foot=foot,
        language=language(),
        made_at=now,
        watermark=_("SIMULATED") if view.protocol.simulated else "",
    )


def _parts(said: Mapping[str, Any], view: StudyView, request: PersonRequest) -> Iterator[Part]:
    yield Paragraph(said["question"], tone="strong")
    yield Paragraph(_crossed_claim(said["numbers"]), tone="strong")
    yield Heading(_("Methods"))
    yield from (Paragraph(text) for text in said["methods"])
    for part in said["parts"]:
        yield Heading(part["analysis_title"])
        yield from _found(part, request)
    yield Heading(_("Deviations from the plan"))
    if said["deviations"]:
        yield Points(said["deviations"])
    else:
        yield Paragraph(_("None: every analysis of the plan was done, under the protocol as first signed."))
    yield Heading(_("What crossed"))
    yield said["crossed"]
    yield Heading(_("What this report rests on"))
    yield Points(
        [
            f"{_('Protocol')}: {isolated(view.protocol.hash)}",
            *(
                f"{_('Frozen rows')}, {isolated(site.id)}: {isolated(site.snapshot)}"
                for site in view.sites
                if site.snapshot
            ),
        ]
    )


def _found(part: Mapping[str, Any], request: PersonRequest) -> Iterator[Part]:
    shown = part["shown"]
    if shown is None:
        yield Paragraph(f"{part['kind']}: {part['state']}.", tone="strong")
        yield Paragraph(part["ending"])
        for reason in part["reasons"]:
            subjects = " · ".join(isolated(each) for each in reason["subjects"])
            concerned = f"{_('Concerned:')} {subjects}" if reason["help"] else subjects
            yield Paragraph(f"{reason['help']} {concerned}".strip(), tone="notice")
        return
    yield Paragraph(shown.answer, tone="strong")
    yield from (_picture(each, request) for each in shown.charts)
    yield from shown.tables
    if part["precision"]:
        yield Paragraph(str(part["precision"]), tone="quiet")
    yield from (Paragraph(str(each), tone="notice") for each in part["warnings"])


def _picture(frame: ChartFrame, request: PersonRequest) -> Picture:
    record = charts.readable_chart(frame.digest, actor=request.user)
    # Half of a wide page: on paper its letters are as large as those of the text.
    drawn = charts.picture(record, frame.digest, theme="light", width="half", form="svg")
    return Picture(svg=drawn.data, description=frame.description, title=frame.title, note=frame.note)


def _crossed_claim(numbers: int) -> str:
    told = ngettext("0 rows and %(written)s number crossed.", "0 rows and %(written)s numbers crossed.", numbers)
    return told % {"written": plain(numbers, 0)}
