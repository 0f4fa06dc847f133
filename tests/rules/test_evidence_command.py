import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from corridor.base.errors import UserFault
from corridor.cli.evidence import evidence
from corridor.exchange.rules.canonical import canonical
from corridor.exchange.rules.evidence import build
from tests.rules.evidence_case import crossed

CASE = crossed()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "evidence.json"
    path.write_bytes(build(CASE.contents))
    return path


def run(*arguments: object) -> Result:
    return CliRunner().invoke(evidence, ["verify", *map(str, arguments)])


def trust(**changes: str) -> list[str]:
    pinned = CASE.trust | {node.replace("_", "."): text for node, text in changes.items()}
    return [part for node, text in pinned.items() for part in ("--trust", f"{node}={text}")]


def fault_of(result: Result) -> UserFault:
    assert isinstance(result.exception, UserFault), result.output
    return result.exception


def test_authentic_evidence_exits_zero(file: Path) -> None:
    result = run(file, *trust())

    assert result.exit_code == 0, result.output
    assert result.output.startswith("AUTHENTIC")
    assert "Not after" in result.output


def test_fingerprint_may_be_typed_in_any_case_and_grouping(file: Path) -> None:
    typed = CASE.trust["pk.nih"].lower().replace("-", " ")

    assert run(file, *trust(pk_nih=typed)).exit_code == 0


def test_changed_byte_exits_three(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(bytes(data))

    result = run(file, *trust())

    assert result.exit_code == 3
    assert result.output.startswith("ALTERED")


def test_forgery_with_fresh_keys_exits_three(file: Path) -> None:
    file.write_bytes(build(crossed().contents))

    result = run(file, *trust())

    assert result.exit_code == 3
    assert result.output.startswith("CONSISTENT, SIGNERS UNAUTHENTICATED")


def test_partial_trust_exits_three_and_says_who_is_missing(file: Path) -> None:
    result = run(file, "--trust", f"pk.nih={CASE.trust['pk.nih']}")

    assert result.exit_code == 3
    assert "cn.cdc is not pinned" in result.output
    assert "if those not pinned are who they say" in result.output


@pytest.mark.parametrize(("arguments", "verdict"), [([], "unauthenticated"), (trust(), "authentic")])
def test_json_tells_the_verdicts_apart(file: Path, arguments: list[str], verdict: str) -> None:
    result = run(file, "--json", *arguments)

    told = json.loads(result.output)
    assert told["verdict"] == verdict
    assert {node["node"] for node in told["nodes"]} == {"pk.nih", "cn.cdc"}
    assert told["latest_at"] == "2026-11-23T07:00:01.000000Z"


def test_directory_is_named_as_one(tmp_path: Path) -> None:
    fault = fault_of(run(tmp_path))

    assert (fault.exit_code, "is a directory" in str(fault)) == (3, True)


@pytest.mark.parametrize(
    ("content", "because"),
    [
        (b"", "is empty"),
        (b"\x89PNG\r\n\x1a\n\0\0", "no evidence file"),
        ("Дорогой коллега".encode("cp1251"), "no evidence file"),
        (b"place,week,count\n", "no evidence file"),
    ],
)
def test_file_that_cannot_be_evidence_is_told_in_plain_words(tmp_path: Path, content: bytes, because: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)

    fault = fault_of(run(path))

    assert (fault.exit_code, because in str(fault)) == (3, True)


def test_missing_file_says_how_evidence_is_made(tmp_path: Path) -> None:
    fault = fault_of(run(tmp_path / "none.json"))

    assert (fault.exit_code, "corridor log prove" in str(fault)) == (3, True)


@pytest.mark.parametrize(
    "content", [b"{}", b'{"schema":"x"}', canonical({"schema": "health-corridor.agreement/1"}), b"{\xff"]
)
def test_json_that_is_no_evidence_is_not_authentic(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file.json"
    path.write_bytes(content)

    result = run(path, *trust())

    assert result.exit_code == 3
    assert "expected an evidence file" in result.output


@pytest.mark.parametrize("text", ["pk.nih", "=AB12", "pk.nih=", "AB12-CD34"])
def test_trust_without_its_two_parts_is_wrong_usage(file: Path, text: str) -> None:
    fault = fault_of(run(file, "--trust", text))

    assert (fault.exit_code, "NODE=FINGERPRINT" in str(fault)) == (2, True)


def test_one_node_trusted_twice_is_wrong_usage(file: Path) -> None:
    fault = fault_of(run(file, *trust(), *trust()))

    assert (fault.exit_code, "twice" in str(fault)) == (2, True)


def test_fingerprint_of_the_wrong_form_is_told_in_plain_words(file: Path) -> None:
    fault = fault_of(run(file, *trust(pk_nih="AB12-CD34")))

    assert "eight groups" in str(fault)


def test_fingerprint_of_another_node_exits_three_and_shows_both(file: Path) -> None:
    other = crossed().trust["pk.nih"]

    result = run(file, *trust(pk_nih=other))

    assert result.exit_code == 3
    assert other in result.output
    assert CASE.trust["pk.nih"] in result.output
