"""``ingest``: take a file in."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import ClassVar

import click

from corridor.accounts.commands import acting_person
from corridor.base.clock import utcnow
from corridor.base.errors import InputFault
from corridor.base.textfiles import write_table
from corridor.pillars.surveillance import tasks
from corridor.pillars.surveillance.commands.options import BadOption, moment_of
from corridor.pillars.surveillance.tables import Mapping, load_mapping, override

__all__ = ["NothingKept", "ingest"]

SHOWN_REJECTS = 5


class NothingKept(InputFault):
    """Every row of a file was left out."""

    code: ClassVar[str] = "nothing-kept"


def _columns(pairs: tuple[str, ...]) -> dict[str, str]:
    columns = {}
    for pair in pairs:
        name, sign, heading = pair.partition("=")
        if not (name and sign and heading):
            raise BadOption(f"--column is written field=Heading, such as onset_on=DateOfOnset; came {pair!r}.")
        columns[name.strip()] = heading.strip()
    return columns


@click.command("ingest")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--kind", type=click.Choice(["line-list", "counts"]), required=True, help="What a row is: a case, or a count."
)
@click.option("--source", required=True, help="Where the file comes from; case ids are unique within a source.")
@click.option(
    "--map", "mapping_file", type=click.Path(path_type=Path), help="TOML file that says which column is what."
)
@click.option("--column", "columns", multiple=True, metavar="FIELD=HEADING", help="One column; may be given again.")
@click.option("--as-of", "as_of", help="Date or time of the extract; now, if left out.")
@click.option("--encoding", help="Encoding of the text, where it is not recognised.")
@click.option("--rejects", type=click.Path(path_type=Path), help="Where to write what could not be read.")
@click.option("--dry-run", is_flag=True, help="Say what would happen and change nothing.")
@click.option("--restart", is_flag=True, help="First undo an unfinished import of this source.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def ingest(
    file: Path,
    kind: str,
    source: str,
    mapping_file: Path | None,
    columns: tuple[str, ...],
    as_of: str | None,
    encoding: str | None,
    rejects: Path | None,
    dry_run: bool,
    restart: bool,
    as_json: bool,
) -> None:
    """Take a line list or counts in from FILE (CSV or Parquet).

    Rows that cannot be read are left out and listed, all others are kept. The same file again changes nothing; a
    corrected row replaces its predecessor.

    Example: corridor ingest cases.csv --kind line-list --source "Lahore lab" --column onset_on=DateOfOnset
    """
    now = utcnow()
    actor = acting_person(now)
    if not source.strip():
        raise BadOption('--source is empty; say where the file comes from, such as --source "Lahore laboratory".')
    moment = moment_of(as_of, now)
    mapping = _mapping(mapping_file, columns, kind)
    data: str | Path | bytes = sys.stdin.buffer.read() if str(file) == "-" else file
    read = tasks.read_file(data, name=file.name, kind=kind, mapping=mapping, as_of=moment, encoding=encoding)
    if rejects is not None:
        write_table(read.outcome.rejects, rejects)
    nothing_kept = read.outcome.kept.is_empty() and not read.outcome.rejects.is_empty()
    if dry_run or nothing_kept:
        taken = tasks.preview(read, source=source, actor=actor)
    else:
        with click.progressbar(
            length=max(1, read.outcome.kept.height), label="recording", file=sys.stderr, hidden=not sys.stderr.isatty()
        ) as bar:
            taken = tasks.take_in(
                read,
                source=source,
                as_of=moment,
                actor=actor,
                now=now,
                restart=restart,
                progress=lambda done, _: bar.update(done - bar.pos),
            )
    if as_json:
        click.echo(json.dumps({**asdict(taken), "columns": dict(read.mapping.columns)}, ensure_ascii=False, indent=2))
    else:
        _tell(taken, read, rejects=rejects)
    if nothing_kept:
        raise NothingKept(
            f"{file}: no row could be kept, and nothing was changed. The reasons are listed; "
            "mend the file, or name its columns with --column or --map (docs/how-to/ingest-a-file.md)."
        )


def _mapping(file: Path | None, columns: tuple[str, ...], kind: str) -> Mapping:
    fields = tasks.FIELDS[kind]
    mapping = Mapping()
    if file is not None:
        try:
            mapping = load_mapping(file.read_bytes(), fields=fields)
        except OSError as fault:
            raise BadOption(
                f"--map {file} cannot be read ({fault.strerror}). Check the name and its permissions."
            ) from fault
    return override(mapping, columns=_columns(columns), fields=fields)


def _tell(taken: tasks.Taken, read: tasks.ReadFile, *, rejects: Path | None) -> None:
    for field, heading in read.mapping.columns.items():
        click.echo(f"{field:16} from column {heading}")
    for note in read.outcome.notes:
        click.echo(note)
    click.echo(f"rows {taken.rows}   kept {taken.kept}   left out {taken.rejected}")
    for reason, number in taken.reasons.items():
        click.echo(f"  {reason}: {number}")
    if taken.reasons and rejects is None:
        for row in read.outcome.rejects.head(SHOWN_REJECTS).iter_rows(named=True):
            click.echo(
                f"  row {row['row']}, {row['column']}: {row['reason']} ({row['effect']}); expected {row['expected']}"
            )
        click.echo("  --rejects FILE lists them all")
    if taken.is_repeat:
        click.echo(f"this very file was taken in before (import {taken.import_id}); nothing changed")
        return
    verb = "would be" if taken.import_id is None else "were"
    click.echo(
        f"{taken.added} {verb} added, {taken.corrected} corrected, {taken.unchanged} unchanged"
        + (f", {taken.outdated} kept from a later extract" if taken.outdated else "")
    )
