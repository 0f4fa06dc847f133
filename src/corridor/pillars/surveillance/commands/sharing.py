"""``share``: send counts, alerts and notifications to the partners of an agreement."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import date, datetime
from typing import Any, ClassVar

import click

from corridor.accounts.commands import acting_person, reauthenticated_person
from corridor.base.clock import utcnow
from corridor.base.epiweek import parse_weeks
from corridor.base.errors import Refused, WrongUsage
from corridor.exchange import services as exchange
from corridor.exchange.registry import ChannelView
from corridor.pillars.surveillance import queries, services, tasks
from corridor.pillars.surveillance.commands.options import disease_code
from corridor.pillars.surveillance.messages import Alert, AlertWithdrawal, CaseNotification, PeriodCounts
from corridor.pillars.surveillance.texts import deduction_lines

__all__ = ["ChannelClosed", "NoChannel", "share"]


_HELD_BACK = "held back by the suppression ledger"


class NoChannel(WrongUsage):
    """No open channel of that agreement lets this node send that kind of message."""

    code: ClassVar[str] = "no-channel"


class ChannelClosed(Refused):
    """The agreement is known, but not in force: suspended, terminated, not yet signed by all."""

    code: ClassVar[str] = "agreement-not-in-force"


@click.group("share")
def share() -> None:
    """Send counts and alerts to the partners of an agreement."""


def _channels(schema: str, agreement: str, now: datetime) -> list[ChannelView]:
    actor = acting_person(now)
    found = queries.channels(actor=actor, schema=schema, now=now, agreement=agreement)
    if found:
        return found
    state = queries.agreement_state(actor=actor, agreement=agreement, now=now)
    if state not in ("", "in-force"):
        raise ChannelClosed(
            f"agreement {agreement} is {state}: nothing may be sent under it until it is in force again."
            " `corridor agreement show` says who may do what about it."
        )
    raise NoChannel(
        f"no channel of agreement {agreement} is open for this node to send {schema} on now."
        " `corridor agreement show` says what it opens, and whether it is in force."
    )


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
    codes = [disease_code(name) for name in names] or None
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
    owing = exchange.owing()
    held_back = f"wait until {', '.join(owing)} returned what a restore lost" if owing else _HELD_BACK
    for each in found:
        line = f"{each.disease} to {each.to} on {each.channel}: {each.sent} figures queued ({each.withheld} withheld)"
        line += f", {each.unchanged} known already"
        line += f", {each.waiting} {held_back}" if each.waiting else ""
        line += f", {each.negative} corrections below zero stay at home" if each.negative else ""
        line += f", refused: {', '.join(each.refused)}" if each.refused else ""
        click.echo(line)


@share.command("held")
@click.option("--agreement", required=True, help="Hash of the agreement, or its beginning.")
@click.option("--weeks", required=True, metavar="A..B", help="ISO weeks, both included: 2024-W01..2024-W20.")
def held(agreement: str, weeks: str) -> None:
    """List the figures that the disclosure ledger holds back from the partners, the latest first.

    Example: corridor share held --agreement 3f9a --weeks 2024-W01..2024-W20
    """
    now = utcnow()
    chosen = parse_weeks(weeks)
    number = 0
    for channel in _channels(PeriodCounts.schema_id(), agreement, now):
        for each in tasks.held_back(channel, first_on=chosen[0].start, end_on=chosen[-1].end, actor=acting_person(now)):
            number += 1
            value = "withheld" if each.value is None else f"{each.value} cases"
            able = "" if each.can_go else "   not by hand"
            click.echo(f"{channel.id} to {each.to}: {each.disease} {each.place} {each.start_on}, {value}{able}")
    if not number:
        click.echo("The ledger holds nothing back.")


@share.command("release")
@click.argument("figures", nargs=-1, required=True, metavar="PLACE:DAY...")
@click.option("--agreement", required=True, help="Hash of the agreement, or its beginning.")
@click.option("--channel", "channel_id", required=True, help="Id of the channel.")
@click.option("--to", "to_node", required=True, help="Node id of the partner.")
@click.option("--disease", required=True, help="Code or name.")
@click.option("--reason", required=True, help="Why the partner must have these figures; nothing of a patient.")
@click.option("--yes", "is_sure", is_flag=True, help="Ask for it without being asked back.")
def release(
    figures: tuple[str, ...],
    agreement: str,
    channel_id: str,
    to_node: str,
    disease: str,
    reason: str,
    *,
    is_sure: bool,
) -> None:
    """Ask that FIGURES go to a partner although the ledger holds them back; a second person must allow it.

    A figure is a place and the first day of its period, as `corridor share held` lists them. What the partner could
    then work out of withheld figures is printed before anything is asked.

    Example: corridor share release PK:2024-05-13 --agreement 3f9a --channel counts --to cn.cdc --disease measles
    --reason "Joint outbreak meeting of 20 May"
    """
    now = utcnow()
    actor = reauthenticated_person(now)
    channel = _one_channel(agreement, channel_id, now)
    code = disease_code(disease)
    weighed = services.weigh(
        channel=channel, to=to_node, disease=code, figures=[_figure_of(text) for text in figures], actor=actor
    )
    click.echo(f"{to_node} could then work out of figures that were withheld:")
    for line in deduction_lines(weighed.deductions):
        click.echo(f"  {line}")
    if not is_sure:
        click.confirm("Do you answer for this, together with a second person?", abort=True)
    outcome = services.ask_release(
        channel=channel, to=to_node, disease=code, weighed=weighed, reason=reason, actor=actor, now=now
    )
    if outcome.done:
        click.echo(f"Released by hand: envelope {outcome.result}. This node works in one-person mode.")
    else:
        click.echo(f"Request {outcome.request_id} waits for a second person: `corridor approve {outcome.request_id}`.")


def _one_channel(agreement: str, channel_id: str, now: datetime) -> ChannelView:
    found = [each for each in _channels(PeriodCounts.schema_id(), agreement, now) if each.id == channel_id]
    if len(found) != 1:
        raise NoChannel(
            f"expected one open channel {channel_id!r} of agreement {agreement} on which this node sends counts,"
            f" found {len(found)}. `corridor agreement show` lists them."
        )
    return found[0]


def _figure_of(text: str) -> tuple[str, date]:
    place, _colon, day = text.rpartition(":")
    try:
        return place, date.fromisoformat(day)
    except ValueError:
        raise WrongUsage(f"{text!r} is no figure; it takes a place and a day, such as PK-SD:2024-05-13") from None


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
        sent = services.notify_cases(channel=channel, disease=disease_code(disease), actor=acting_person(now), now=now)
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
