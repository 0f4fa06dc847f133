"""Run many command lines in one process of a real home, as ``corridor`` itself would: read JSON, write JSON.

Started by `test_wrong_input`. One process in place of a hundred: Django starts once.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any

import django

django.setup()

from django.conf import settings  # noqa: E402  # Django must be set up first
from django.db import connection  # noqa: E402  # as above

from corridor.accounts.actors import System  # noqa: E402  # as above
from corridor.accounts.services import add_person  # noqa: E402  # as above
from corridor.accounts.tokens import issue_token  # noqa: E402  # as above
from corridor.base.clock import utcnow  # noqa: E402  # as above
from corridor.cli.main import main  # noqa: E402  # as above
from corridor.exchange import delivery  # noqa: E402  # as above
from corridor.exchange.rules import card as cards  # noqa: E402  # as above
from corridor.exchange.rules.keys import SigningKey  # noqa: E402  # as above
from corridor.exchange.services import partners  # noqa: E402  # as above


def prepare() -> dict[str, str]:
    """Appoint people, and write files that are right or wrong in one way each; return what cases may name."""
    now = utcnow()
    tokens = {}
    for name, roles in {
        "officer": ["officer"],
        "counter": ["epidemiologist"],
        "keeper": ["administrator"],
        "auditor": ["auditor"],
    }.items():
        person = add_person(name, roles=roles, actor=System("test"), now=now, must_change_password=False)
        tokens[name] = issue_token(person, name="test", actor=person, now=now)
    keys = cards.NodeKeys.generate()
    card = cards.make_card(
        id="cn.far",
        legal_entity="Far institute",
        names={"en": "Far institute"},
        country="CN",
        url="http://127.0.0.1:9",
        keys=keys,
        recovery=SigningKey.generate().public,
        issued_at=now,
    )
    Path("far.card").write_bytes(cards.card_file((card,)))
    Path("own.card").write_bytes(partners.own_card_file())
    files = {
        "empty.csv": b"",
        "binary.csv": bytes(range(256)) * 20,
        "book.xlsx": b"PK\x03\x04" + bytes(200),
        "columns.csv": b"case_id,disease\n1,measles\n",
        "future.csv": b"case_id,disease,place,onset_on,report_on\n1,measles,PK-SD,2199-01-01,2199-01-02\n",
        "good.csv": b"case_id,disease,place,onset_on,report_on\n1,measles,PK-SD,2026-01-01,2026-01-02\n",
        "many.csv": b"case_id,disease,place,onset_on,report_on\n"
        + b"".join(b"%d,measles,PK-SD,2026-01-01,2026-01-02\n" % number for number in range(4000)),
        "counts.csv": b"date,observed\n2026-01-05,1\n2026-01-12,2\n",
        "words.txt": b"no table, no agreement, no card\n",
        "half.toml": b'purpose = "P"\n',
    }
    for name, content in files.items():
        Path(name).write_bytes(content)
    Path("folder").mkdir()
    return {
        **tokens,
        "fingerprint": cards.fingerprint(card),
        "own_fingerprint": partners.own_fingerprint(),
        "nobody": "hc1_" + "A" * 43,
    }


def run(arguments: list[str], *, token: str) -> dict[str, Any]:
    """Return exit code and output of one command line."""
    os.environ["CORRIDOR_TOKEN"] = token
    sys.argv = ["corridor", *arguments]
    written = io.BytesIO()
    out, err = io.TextIOWrapper(written, "utf-8"), io.StringIO()
    code: object = None
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main(arguments)
        except SystemExit as end:
            code = end.code or 0
        except Exception:
            # What the interpreter would print; the test wants to show it, and it must never be there.
            code = 1
            err.write(traceback.format_exc())
    out.flush()
    said = written.getvalue().decode()
    return {"code": code, "out": said, "err": err.getvalue()}


def fill_disk() -> None:
    """Let the database grow no further, as on a full disk."""
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA page_count")
        pages = cursor.fetchone()[0]
        cursor.execute(f"PRAGMA max_page_count={pages}")


def free_disk() -> None:
    """Let the database grow again."""
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA max_page_count=1000000")


def deliver() -> None:
    """Try to reach the partners once."""
    delivery.deliver_once(now=utcnow())


STEPS = {"fill-disk": fill_disk, "free-disk": free_disk, "deliver": deliver}


def answer() -> None:
    """Run every case of standard input and print the results in order."""
    known = prepare()
    results = []
    for case in json.load(sys.stdin):
        if case["before"]:
            STEPS[case["before"]]()
        arguments = [part.format(**known) for part in case["arguments"]]
        results.append(run(arguments, token=known.get(case["token"], case["token"])))
    json.dump({"home": str(settings.CORRIDOR_HOME), "results": results}, sys.stdout)


if __name__ == "__main__":
    answer()
