"""Commands of surveillance: take a file in, see counts and signals, share."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from datetime import UTC, datetime, time
from pathlib import Path
from typing import Any, ClassVar

import click
import polars as pl

from corridor.accounts.commands import acting_person
from corridor.base.clock import utcnow
from corridor.base.epiweek import Week, parse_weeks
from corridor.base.errors import InputFault, WrongUsage
from corridor.base.reference import diseases, places
from corridor.base.textfiles import write_table
from corridor.exchange.registry import ChannelView
from corridor.pillars.surveillance import queries, services, tasks
from corridor.pillars.surveillance.messages import Alert, AlertWithdrawal, CaseNotification, PeriodCounts
from corridor.pillars.surveillance.tables import Mapping, load_mapping, override

SHOWN_REJECTS = 5


class NoChannel(WrongUsage):
    """No open channel of that agreement lets this node send that kind of message."""

    code: ClassVar[str] = "no-channel"


class NothingKept(InputFault):
    """Every row of a file was left out."""

    code: ClassVar[str] = "nothing-kept"


class UnknownName(WrongUsage):
    """An option names a disease or a place that is not in the reference data."""

    code: ClassVar[str] = "unknown-name"


class BadOption(WrongUsage):
    """An option is not written as expected."""

    code: ClassVar[str] = "bad-option"


def _disease(text: str) -> str:
    found = diseases().resolve(text)
    if found is None:
        near = ", ".join(each.code for each in diseases().candidates(text)[:5])
        raise UnknownName(
            f"disease {text!r} is not in the reference data." + (f" Did you mean: {near}?" if near else "")
        )
    return found.code


def _place(text: str) -> str:
    found = places().resolve(text)
    if found is None:
        near = ", ".join(f"{each.code} {each.name()}" for each in places().candidates(text)[:5])
        raise UnknownName(f"place {text!r} is not in the reference data." + (f" Did you mean: {near}?" if near else ""))
    return found.code


def _moment(text: str | None, now: datetime, *, option: str = "--as-of") -> datetime:
    """Return the time that an option names: a moment, or a day (until its end, at most now)."""
    if text is None:
        return now
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as fault:
        raise BadOption(
            f"{option} is a date or a moment such as 2024-05-31 or 2024-05-31T18:00Z, came {text!r}."
        ) from fault
    if len(text) <= 10:
        moment = datetime.combine(moment.date(), time(23, 59, 59), UTC)
        moment = min(moment, now) if moment.date() == now.date() else moment
    elif moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    if moment > now:
        raise BadOption(f"{option} {text} lies in the future; give a moment that has passed.")
    return moment


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
    moment = _moment(as_of, now)
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


@click.command("counts")
@click.option("--disease", required=True, help="Code or name, in any of the four languages.")
@click.option("--weeks", required=True, metavar="A..B", help="ISO weeks, both included: 2024-W01..2024-W20.")
@click.option("--place", default="", help="Only this place.")
@click.option("--level", type=click.Choice(["country", "admin1", "admin2"]), default="admin1", show_default=True)
@click.option("--period", type=click.Choice(["day", "week", "month"]), default="week", show_default=True)
@click.option("--basis", type=click.Choice(["onset", "report"]), default="report", show_default=True)
@click.option("--known-at", help="The figures as they were known then.")
@click.option("--out", type=click.Path(), default="-", help="CSV or Parquet file; standard output by default.")
def counts(
    disease: str, weeks: str, place: str, level: str, period: str, basis: str, known_at: str | None, out: str
) -> None:
    """Write counts by place and period, with their completeness.

    An empty count was not reported; 0 was reported as 0.

    Example: corridor counts --disease measles --weeks 2024-W01..2024-W20
    """
    now = utcnow()
    chosen = parse_weeks(weeks)
    figures = queries.period_counts(
        actor=acting_person(now),
        diseases=[_disease(disease)],
        period=period,
        basis=basis,
        level=level,
        first_on=chosen[0].start,
        end_on=chosen[-1].end,
        known_at=None if known_at is None else _moment(known_at, now, option="--known-at"),
    )
    frame = figures.frame
    if place:
        frame = frame.filter(frame["place"] == _place(place))
    if period == "week":
        weeks_of = pl.Series("week", [str(Week.of(start)) for start in frame["start_on"]], dtype=pl.String)
        frame = frame.insert_column(2, weeks_of)
    write_table(frame.rename({"start_on": "date", "place": "region"}), out)


@click.group("signals", invoke_without_command=True)
@click.option("--disease", default="", help="Code or name.")
@click.option("--place", default="", help="Code or name.")
@click.option("--status", "statuses", multiple=True, type=click.Choice(["new", "verifying", "verified", "discarded"]))
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
@click.pass_context
def signals(context: click.Context, disease: str, place: str, statuses: tuple[str, ...], as_json: bool) -> None:
    """List signals, newest first, or work on one.

    Example: corridor signals --disease measles --status new
    """
    if context.invoked_subcommand is not None:
        return
    found, number = queries.signals(
        actor=acting_person(utcnow()),
        disease=_disease(disease) if disease else "",
        place=_place(place) if place else "",
        statuses=statuses,
        limit=10_000,
    )
    if as_json:
        click.echo(json.dumps([asdict(each) for each in found], default=str, ensure_ascii=False, indent=2))
        return
    for each in found:
        expected = "-" if each.expected is None else f"{each.expected:.1f}"
        mark = "   SIMULATED" if each.simulated else ""
        click.echo(
            f"{each.id:>6}  {each.status:10} {each.severity:7} {each.disease:34} {each.place:10} {each.start_on}"
            f"  observed {each.observed}, expected {expected}, limit {each.upperbound:.1f}  ({each.method}){mark}"
        )
    click.echo(f"{number} signals")


@signals.command("move")
@click.argument("signal", type=int)
@click.argument("to", type=click.Choice(["verifying", "verified", "discarded"]))
@click.option("--note", "text", default="", help="Why; needed for a decision.")
def move(signal: int, to: str, text: str) -> None:
    """Move SIGNAL on to verifying, verified or discarded.

    Example: corridor signals move 12 verified --note "laboratory confirmed six of eight"
    """
    now = utcnow()
    services.move_signal(signal_id=signal, to=to, text=text, actor=acting_person(now), now=now)
    click.echo(f"signal {signal} is {to}")


@signals.command("detect")
@click.option("--disease", "names", multiple=True, help="Code or name; every disease with data by default.")
@click.option(
    "--period", type=click.Choice(["day", "week"]), help="Judge by day or by week; told by the data if left out."
)
@click.option(
    "--method", help="In place of the reference data's: farrington-flexible, farrington, ears-c1, ears-c2, ears-c3."
)
@click.option("--until", type=click.DateTime(["%Y-%m-%d"]), help="Only periods that end by that day.")
def detect(names: tuple[str, ...], period: str | None, method: str | None, until: datetime | None) -> None:
    """Judge the series now, without waiting for the job.

    Example: corridor signals detect --disease measles
    """
    now = utcnow()
    actor = acting_person(now)
    codes = [_disease(name) for name in names] or queries.diseases_with_data(actor=actor)
    for code in codes:
        run = tasks.detect_disease(
            code, period=period, method=method, until=until.date() if until else None, actor=actor, now=now
        )
        click.echo(f"{code}: " + ("nothing to judge yet" if run is None else f"run {run}"))


@click.group("share")
def share() -> None:
    """Send counts and alerts to the partners of an agreement."""


def _channels(schema: str, agreement: str, now: datetime) -> list[ChannelView]:
    found = queries.channels(actor=acting_person(now), schema=schema, now=now, agreement=agreement)
    if not found:
        raise NoChannel(
            f"no channel of agreement {agreement} is open for this node to send {schema} on now."
            " `corridor agreement show` says what it opens, and whether it is in force."
        )
    return found


@share.command("counts")
@click.option("--agreement", required=True, help="Hash of the agreement, or its beginning.")
@click.option("--weeks", required=True, metavar="A..B", help="ISO weeks, both included: 2024-W01..2024-W20.")
@click.option("--disease", "names", multiple=True, help="Code or name; every disease with data by default.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def share_counts(agreement: str, weeks: str, names: tuple[str, ...], as_json: bool) -> None:
    """Send the partners what they do not have yet of the counts of these weeks; small figures travel as withheld.

    Example: corridor share counts --agreement 3f9a --weeks 2024-W01..2024-W20
    """
    now = utcnow()
    chosen = parse_weeks(weeks)
    codes = [_disease(name) for name in names] or None
    found: list[services.Shared] = []
    for channel in _channels(PeriodCounts.schema_id(), agreement, now):
        found += tasks.share_channel(
            channel,
            first_on=chosen[0].start,
            end_on=chosen[-1].end,
            codes=codes,
            actor=acting_person(now),
            now=now,
        )
    if as_json:
        click.echo(json.dumps([asdict(each) for each in found], ensure_ascii=False, indent=2))
        return
    for each in found:
        line = f"{each.disease} to {each.to} on {each.channel}: {each.sent} figures queued ({each.withheld} withheld)"
        line += f", {each.unchanged} known already"
        line += f", {each.waiting} held back by the suppression ledger" if each.waiting else ""
        line += f", {each.negative} corrections below zero stay at home" if each.negative else ""
        line += f", refused: {', '.join(each.refused)}" if each.refused else ""
        click.echo(line)


@share.command("alert")
@click.argument("signal", type=int)
@click.option("--agreement", required=True, help="Hash of the agreement, or its beginning.")
@click.option("--severity", type=click.Choice(["information", "watch", "urgent"]))
@click.option(
    "--text",
    "text_code",
    type=click.Choice(["more-than-expected", "first-case", "cluster", "cross-border", "verified-outbreak"]),
    default="more-than-expected",
    show_default=True,
)
def share_alert(signal: int, agreement: str, severity: str | None, text_code: str) -> None:
    """Send the partners an alert about SIGNAL; sent again, it is a revision of the first.

    Example: corridor share alert 12 --agreement 3f9a --severity urgent
    """
    now = utcnow()
    for channel in _channels(Alert.schema_id(), agreement, now):
        sent = services.share_alert(
            signal_id=signal, channel=channel, text_code=text_code, severity=severity, actor=acting_person(now), now=now
        )
        _told(sent, channel)


@share.command("withdraw")
@click.argument("event")
@click.option("--agreement", required=True, help="Hash of the agreement, or its beginning.")
@click.option(
    "--reason",
    "reason_code",
    type=click.Choice(["not-confirmed", "reporting-error", "duplicate", "resolved"]),
    required=True,
)
def withdraw(event: str, agreement: str, reason_code: str) -> None:
    """Take the alert about EVENT back; partners keep it and show it as withdrawn.

    Example: corridor share withdraw 5f0c... --agreement 3f9a --reason not-confirmed
    """
    now = utcnow()
    for channel in _channels(AlertWithdrawal.schema_id(), agreement, now):
        sent = services.withdraw_alert(
            event=event, channel=channel, reason_code=reason_code, actor=acting_person(now), now=now
        )
        _told(sent, channel)


@share.command("cases")
@click.option("--agreement", required=True, help="Hash of the agreement, or its beginning.")
@click.option("--disease", required=True, help="Code or name.")
def share_cases(agreement: str, disease: str) -> None:
    """Notify the partners of recent cases of a disease, one message a case: a place, a day, nothing of the person.

    Example: corridor share cases --agreement 3f9a --disease cholera
    """
    now = utcnow()
    for channel in _channels(CaseNotification.schema_id(), agreement, now):
        sent = services.notify_cases(channel=channel, disease=_disease(disease), actor=acting_person(now), now=now)
        _told(sent, channel)


@share.command("automatic")
@click.option("--agreement", required=True, help="Hash of the agreement, or its beginning.")
@click.option("--channel", "channel_id", required=True, help="Id of the channel.")
@click.argument("state", type=click.Choice(["on", "off"]))
def automatic(agreement: str, channel_id: str, state: str) -> None:
    """Let this node send on a channel by itself after each import (on), or no longer (off).

    Example: corridor share automatic on --agreement 3f9a --channel counts
    """
    now = utcnow()
    schemas = (PeriodCounts.schema_id(), CaseNotification.schema_id())
    actor = acting_person(now)
    for schema in schemas:
        for channel in queries.channels(actor=actor, schema=schema, now=now, agreement=agreement):
            if channel.id == channel_id:
                services.set_automatic(
                    agreement=channel.agreement, channel=channel.id, is_on=state == "on", actor=actor, now=now
                )
                click.echo(f"{channel.id} of {channel.agreement[:12]}: automatic sharing is {state}")
                return
    raise NoChannel(
        f"agreement {agreement} has no open channel {channel_id!r} on which this node sends counts or notifies cases."
    )


def _told(sent: list[Any], channel: ChannelView) -> None:
    for each in sent:
        click.echo(f"{each.event}, revision {each.revision}: queued for {each.to_node} on {channel.id}")
    missing = [node for node in channel.partners if node not in {each.to_node for each in sent}]
    if missing:
        click.echo(f"not sent to {', '.join(missing)}; `corridor crossings` says why")


COMMANDS = (ingest, counts, signals, share)
