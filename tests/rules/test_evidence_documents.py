"""The commands of the page on reading evidence run as they stand there."""

import json
import os
import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from corridor.cli.evidence import evidence
from corridor.exchange.rules.evidence import build
from tests.rules.evidence_case import crossed

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "read-evidence.md"
COMMANDS = re.findall(r"```bash\n(.+?)\n```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
VERDICTS = ["authentic", "unauthenticated", "authentic"]


@pytest.mark.parametrize(("command", "verdict"), list(zip(COMMANDS, VERDICTS, strict=True)))
def test_command_of_the_page_gives_the_verdict_that_the_page_says(
    command: str, verdict: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = crossed()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PK_NIH", case.trust["pk.nih"])
    monkeypatch.setenv("CN_CDC", case.trust["cn.cdc"])
    Path("evidence.json").write_bytes(build(case.contents))
    program, group, *arguments = shlex.split(os.path.expandvars(command))

    result = CliRunner().invoke(evidence, arguments)

    assert (program, group) == ("corridor", "evidence")
    assert result.exit_code == (0 if verdict == "authentic" else 3), result.output
    told = (
        json.loads(result.output)["verdict"] if "--json" in arguments else result.output.splitlines()[0].split(":")[0]
    )
    assert told.lower().rpartition(" ")[2] == verdict


def test_headlines_and_links_of_the_page_exist() -> None:
    page = PAGE.read_text(encoding="utf-8")

    for link in re.findall(r"\]\(([^)]+\.md)\)", page):
        assert (PAGE.parent / link).is_file(), link
    for headline in ("AUTHENTIC", "CONSISTENT, SIGNERS UNAUTHENTICATED", "ALTERED"):
        assert f"`{headline}`" in page
