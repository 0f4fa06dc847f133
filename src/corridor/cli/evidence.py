"""``corridor evidence verify``: check an evidence file with nothing but the file and compared fingerprints."""

import json
from datetime import datetime
from pathlib import Path

import click

from corridor.base.errors import InputFault, WrongUsage
from corridor.exchange.rules.canonical import utc_text
from corridor.exchange.rules.evidence import Verdict, verify
from corridor.exchange.rules.evidence_file import MAX_FILE_BYTES

_HEADLINES = {
    "authentic": "AUTHENTIC: every signature and proof holds, and every signer is one that you pinned.",
    "unauthenticated": "CONSISTENT, SIGNERS UNAUTHENTICATED: nothing contradicts itself; who signed is not known.",
    "altered": "ALTERED: the file is not what its signers signed, or no evidence at all.",
}


class NotReadable(InputFault):
    """The file cannot be read, or cannot be evidence."""

    code = "not-readable"


class BadTrust(WrongUsage):
    """A ``--trust`` is not NODE=FINGERPRINT."""

    code = "bad-trust"


@click.group()
def evidence() -> None:
    """Check evidence of what crossed, without a node."""


@evidence.command("verify")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--trust",
    "trusted",
    multiple=True,
    metavar="NODE=FINGERPRINT",
    help="A node's fingerprint that you compared with its institution, not with this file. May be given several times.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the verdict as JSON.")
def verify_file(file: Path, trusted: tuple[str, ...], as_json: bool) -> None:
    """Say what an evidence FILE proves: 0 if it is authentic, 3 if not.

    Example: corridor evidence verify evidence.json --trust pk.nih=AB12-CD34-EF56-GH78-JK90-MN12-PQ34-RS56
    """
    verdict = verify(_read(file), _trust(trusted))
    click.echo(json.dumps(_as_json(verdict), indent=2, ensure_ascii=False) if as_json else _as_text(verdict))
    raise SystemExit(verdict.exit_code)


def _trust(texts: tuple[str, ...]) -> dict[str, str]:
    trust: dict[str, str] = {}
    for text in texts:
        node, equals, fingerprint = text.partition("=")
        if not equals or not node or not fingerprint:
            raise BadTrust(f"--trust takes NODE=FINGERPRINT, such as pk.nih=AB12-…; {text[:60]!r} came")
        if node in trust:
            raise BadTrust(f"--trust names {node} twice; give one fingerprint for each node")
        trust[node.strip()] = fingerprint
    return trust


def _read(file: Path) -> bytes:
    if file.is_dir():
        raise NotReadable(f"{file} is a directory; name the evidence file in it")
    try:
        if file.stat().st_size > MAX_FILE_BYTES:
            raise NotReadable(f"{file} is larger than {MAX_FILE_BYTES} bytes and no evidence file")
        data = file.read_bytes()
    except FileNotFoundError as fault:
        raise NotReadable(f"{file} is not there; `corridor log prove ENVELOPE_ID` writes evidence") from fault
    except OSError as fault:
        raise NotReadable(f"{file} cannot be read: {fault.strerror}") from fault
    if not data:
        raise NotReadable(f"{file} is empty; get the evidence file again from whoever wrote it")
    if not data.lstrip().startswith(b"{"):
        raise NotReadable(f"{file} is no evidence file: one begins with a brace, being canonical JSON")
    return data


def _as_json(verdict: Verdict) -> dict[str, object]:
    def time(at: datetime | None) -> str | None:
        return None if at is None else utc_text(at)

    return {
        "verdict": verdict.status,
        "reasons": list(verdict.reasons),
        "findings": list(verdict.findings),
        "remarks": list(verdict.remarks),
        "nodes": [
            {"node": each.node, "fingerprint": each.fingerprint, "pinned": each.is_pinned} for each in verdict.nodes
        ],
        "claimed_at": time(verdict.claimed_at),
        "earliest_at": time(verdict.earliest_at),
        "latest_at": time(verdict.latest_at),
    }


def _as_text(verdict: Verdict) -> str:
    lines = [_HEADLINES[verdict.status]]
    lines += [f"  why: {reason}" for reason in verdict.reasons]
    if verdict.findings:
        doubt = "" if verdict.status == "authentic" else ", if those not pinned are who they say"
        lines += [f"It shows{doubt}:", *(f"  - {finding}" for finding in verdict.findings)]
    for name, at in (
        ("Made, as its author claims", verdict.claimed_at),
        ("Not before", verdict.earliest_at),
        ("Not after", verdict.latest_at),
    ):
        if at is not None:
            lines.append(f"{name}: {at:%Y-%m-%d %H:%M:%S} UTC")
    if verdict.nodes:
        lines.append("Signed by:")
        lines += [
            f"  - {each.node}  {each.fingerprint}  {'pinned by you' if each.is_pinned else 'NOT PINNED'}"
            for each in verdict.nodes
        ]
    if verdict.remarks:
        lines += ["Know also:", *(f"  - {remark}" for remark in verdict.remarks)]
    return "\n".join(lines)
