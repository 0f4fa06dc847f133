"""``corridor study``: run a study on local files without a server; with a node, everything else about studies."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from corridor.base.errors import WrongUsage
from corridor.cli.mixed import FilesAndNode
from corridor.cli.progress import progress

if TYPE_CHECKING:
    from corridor.pillars.research.rules.protocol import Protocol
    from corridor.pillars.research.tables import Harmonised

__all__ = ["study"]


class BadSite(WrongUsage):
    """A ``--site`` or ``--map`` is not NAME=FILE with the name of a site of the protocol."""

    code = "bad-site"


@click.group("study", cls=FilesAndNode)
def study() -> None:
    """Joint research: run a study on files of your own, or between nodes."""


_EXAMPLE = """\b
Example:
  corridor study run study.toml --site nl=site_nl.csv --site de=site_de.csv --out result.json
"""


@study.command("run", epilog=_EXAMPLE)
@click.argument("protocol", type=click.Path(path_type=Path))
@click.option(
    "--site", "sites", multiple=True, metavar="NAME=FILE", help="The table of a site of the protocol; once for each."
)
@click.option(
    "--map", "maps", multiple=True, metavar="NAME=MAP.toml", help="How a site's columns become the study's variables."
)
@click.option("--analysis", "chosen", multiple=True, help="Only this analysis of the plan; may be given several times.")
@click.option(
    "--rehearsal", is_flag=True, help="Without disclosure control, on files that are all yours; the result is marked."
)
@click.option("--out", default="-", metavar="RESULT.json", help="Where to write the result; - is standard output.")
def run(
    protocol: Path,
    *,
    sites: tuple[str, ...],
    maps: tuple[str, ...],
    chosen: tuple[str, ...],
    rehearsal: bool,
    out: str,
) -> None:
    """Run the analyses of PROTOCOL, a study's protocol in TOML, over the tables of its sites.

    Each site is treated as if it were alone: what its disclosure control would not let go ends the analysis, with the
    reason. The numbers are those that the same study gives between nodes.
    """
    from corridor.base.textfiles import read_table, read_text
    from corridor.pillars.research.rules.protocol import protocol_from_toml
    from corridor.pillars.research.tables import SiteMapping, harmonise, load_site_mapping

    read = protocol_from_toml(read_text(protocol))
    files, mappings = _named(sites, read, "--site"), _named(maps, read, "--map")
    lacking = [site.id for site in read.sites if site.id not in files]
    if lacking:
        raise BadSite(f"no table for the site {lacking[0]}; give --site {lacking[0]}=FILE.")
    unknown = [name for name in chosen if read.analysis(name) is None]
    if unknown:
        known = ", ".join(item.id for item in read.analyses)
        raise WrongUsage(f"the plan has no analysis {unknown[0]!r}; it has {known}.")
    variables = [variable.name for variable in read.variables]
    harmonised = {
        site: harmonise(
            read_table(path),
            protocol=read,
            mapping=load_site_mapping(read_text(mappings[site]), variables=variables)
            if site in mappings
            else SiteMapping(),
        )
        for site, path in files.items()
    }
    result = _result(read, harmonised, chosen or tuple(item.id for item in read.analyses), rehearsal=rehearsal)
    text = json.dumps(result, ensure_ascii=False, indent=2, allow_nan=False)
    if out == "-":
        click.echo(text)
    else:
        Path(out).write_text(text + "\n", encoding="utf-8")
        click.echo(_summary(result), err=True)


def _result(
    protocol: "Protocol", harmonised: "dict[str, Harmonised]", chosen: Iterable[str], *, rehearsal: bool
) -> dict[str, Any]:
    from corridor.pillars.research.rules.disclosure import REHEARSAL, Policy
    from corridor.pillars.research.rules.ledger import Ledger, MemoryLedger
    from corridor.pillars.research.rules.rehearsal import run_on_tables
    from corridor.pillars.research.tables import snapshot_hash

    tables = {site: each.table for site, each in harmonised.items()}
    hashes = {site: snapshot_hash(table) for site, table in tables.items()}
    policy = REHEARSAL if rehearsal else Policy.of(protocol.disclosure)
    ledgers: dict[str, Ledger] = {
        site: Ledger() if rehearsal else MemoryLedger(table, hashes[site]) for site, table in tables.items()
    }
    names = list(chosen)
    analyses = []
    with progress("computing") as tell:
        for number, name in enumerate(names, start=1):
            analyses.append(run_on_tables(protocol, name, tables=tables, policy=policy, ledgers=ledgers))
            tell(number, len(names))
    return {
        "study": protocol.study,
        "protocol": protocol.hash,
        "version": protocol.version,
        "rehearsal": rehearsal,
        "simulated": protocol.simulated,
        "sites": {
            site: {
                "rows": each.report.rows,
                "kept": each.report.kept,
                "persons": each.report.persons,
                "snapshot": hashes[site],
            }
            for site, each in harmonised.items()
        },
        "analyses": analyses,
    }


def _summary(result: dict[str, Any]) -> str:
    lines = []
    for each in result["analyses"]:
        if each["state"] == "done":
            crossed = ", ".join(f"{site} {count}" for site, count in each["numbers"].items())
            lines.append(
                f"{each['id']}: {each['precision']}, {each['rounds']} rounds; numbers that would cross: {crossed}"
            )
        else:
            lines.append(
                f"{each['id']}: {each['state']} at {each['site'] or 'every site'}: {'; '.join(each['reasons'])}"
            )
    return "\n".join(lines)


def _named(pairs: tuple[str, ...], protocol: "Protocol", option: str) -> dict[str, Path]:
    found: dict[str, Path] = {}
    known = [site.id for site in protocol.sites]
    for pair in pairs:
        name, equals, file = pair.partition("=")
        if not equals or not file or name not in known:
            raise BadSite(f"{option} {pair!r}: expected NAME=FILE, with one of {', '.join(known)} as name.")
        found[name] = Path(file)
    return found
