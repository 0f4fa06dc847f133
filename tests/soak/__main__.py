"""The long run: ``python -m tests.soak --help`` says what may be asked of it."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

import django


def arguments() -> argparse.Namespace:
    """Return what was asked for on the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--kills", type=int, default=200, help="SIGKILLs at random moments, over all databases")
    parser.add_argument("--acknowledged", type=int, default=20_000, help="acknowledged envelopes, over all databases")
    parser.add_argument("--times", type=int, default=20, help="kills at each named crash point, on each database")
    parser.add_argument("--seconds", type=float, default=600, help="how long the random kills may take in all")
    parser.add_argument("--waiting", type=int, default=10_000, help="envelopes for a partner that is down for days")
    parser.add_argument("--database", choices=("sqlite", "postgres", "both"), default="both")
    parser.add_argument("--cut-leases", action="store_true", help="end a killed delivery's leases at once (short run)")
    parser.add_argument("--seed", type=int, default=1, help="of the random moments")
    return parser.parse_args()


def main() -> int:
    """Run, print what came of it, and return 0 if nothing was lost or doubled and the planted fault was found."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.soak.settings")
    asked = arguments()
    django.setup()
    from tests.soak import report

    kinds = ("sqlite", "postgres") if asked.database == "both" else (asked.database,)
    begin = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="corridor-soak-") as folder:
        whole = [report.on_database(kind, asked, Path(folder), share=len(kinds)) for kind in kinds]
    report.say(f"took {time.monotonic() - begin:.0f} s")
    report.totals(whole)
    return 0 if all(each.is_good for each in whole) else 1


if __name__ == "__main__":
    sys.exit(main())
