"""The audit trail as text, CSV and JSON."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterable

from corridor.accounts.models import AuditEntry

COLUMNS = ("id", "at", "actor_kind", "actor", "action", "subject", "outcome", "detail")
# Blanks and invisible marks may stand before the mark; its full-width form counts where spreadsheets speak Chinese.
_FORMULA = re.compile(r" *[\t\r\n]|[\s\u200b-\u200d\u2060\ufeff]*[=+\-@\uff1d\uff0b\uff0d\uff20]")


def quoted(cell: str) -> str:
    """Return `cell` so that a spreadsheet shows it and never runs it.

    A text that begins, after any blanks or invisible marks, with ``=``, ``+``, ``-``, ``@`` or their full-width forms,
    or after any spaces with a tab or the end of a line, gets an apostrophe in front, which makes it text.

    Notes
    -----
    Source: OWASP, CSV Injection.
    """
    return f"'{cell}" if _FORMULA.match(cell) else cell


def audit_csv(entries: Iterable[AuditEntry]) -> str:
    """Return the entries as CSV, one line each, with a header."""
    stream = io.StringIO(newline="")
    writer = csv.writer(stream)
    writer.writerow(COLUMNS)
    for entry in entries:
        writer.writerow([quoted(str(value)) for value in _values(entry).values()])
    return stream.getvalue()


def audit_json(entries: Iterable[AuditEntry]) -> str:
    """Return the entries as a JSON array."""
    rows = [_values(entry) | {"detail": entry.detail} for entry in entries]
    return json.dumps(rows, ensure_ascii=False, indent=1) + "\n"


def audit_text(entries: Iterable[AuditEntry]) -> str:
    """Return the entries as lines for the screen."""
    lines = [
        f"{entry.at:%Y-%m-%d %H:%M:%S}  {entry.actor:20} {entry.action:32} {entry.outcome:8} {entry.subject}"
        for entry in entries
    ]
    return "\n".join(lines or ["No entry of the audit trail fits."]) + "\n"


def _values(entry: AuditEntry) -> dict[str, object]:
    return {
        "id": entry.pk,
        "at": entry.at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "actor_kind": entry.actor_kind,
        "actor": entry.actor,
        "action": entry.action,
        "subject": entry.subject,
        "outcome": entry.outcome,
        "detail": json.dumps(entry.detail, ensure_ascii=False, sort_keys=True),
    }


AUDIT_FORMATS: dict[str, Callable[[Iterable[AuditEntry]], str]] = {
    "text": audit_text,
    "csv": audit_csv,
    "json": audit_json,
}
