import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corridor.base.errors import CorridorError
from corridor.exchange.rules import tree
from corridor.exchange.rules.keys import SigningKey
from corridor.exchange.rules.note import (
    MalformedNote,
    NoteUnsigned,
    checkpoint_text,
    log_origin,
    open_note,
    origin_node,
    read_checkpoint,
    sign_checkpoint,
    sign_note,
    verifier_key,
)
from tests.shared import shared

KEY, WITNESS = SigningKey.generate(), SigningKey.generate()
ORIGIN = log_origin("pk.nih", kind="agreement", subject="a" * 64, epoch=1)
ROOT = tree.leaf_hash(b"x")
SIGNED = sign_checkpoint(ORIGIN, 1, ROOT, KEY, "pk.nih")


def vectors() -> dict:
    return json.loads(shared("vectors/c2sp-note/signed_note_go.json").read_text())


def test_notes_of_the_go_reader_agree() -> None:
    cases = vectors()["cases"]

    for case in cases:
        keys = dict(verifier_key(text) for text in case["verifiers"])
        if case["ok"]:
            opened = open_note(case["note"].encode(), keys=keys)
            assert [line.name for line in opened.verified] == case["verified"], case["name"]
        else:
            with pytest.raises((MalformedNote, NoteUnsigned)):
                open_note(case["note"].encode(), keys=keys)
    assert len(cases) == 12


def test_bad_verifier_keys_of_the_go_reader_are_refused() -> None:
    for text in vectors()["bad_verifier_keys"]:
        with pytest.raises(MalformedNote):
            verifier_key(text)


def test_tree_body_of_the_go_writer_has_the_same_form() -> None:
    golden = vectors()["tree_body_golden"]
    origin, size, root = golden["text"].splitlines()

    written = checkpoint_text(origin.replace(" ", "_"), size=golden["size"], root=base64.b64decode(root))

    assert written == golden["text"].replace(origin, origin.replace(" ", "_"))
    assert int(size) == golden["size"]


def test_checkpoint_reads_back() -> None:
    checkpoint = read_checkpoint(SIGNED, KEY.public, "pk.nih")

    assert (checkpoint.origin, checkpoint.size, checkpoint.root) == (ORIGIN, 1, ROOT)
    assert checkpoint.signed == SIGNED
    assert origin_node(checkpoint.origin) == "pk.nih"


def test_signature_by_a_witness_is_kept_and_not_judged() -> None:
    cosigned = SIGNED + "\u2014 witness.example.org AAAABBBBCCCC\n".encode()

    checkpoint = read_checkpoint(cosigned, KEY.public, "pk.nih")

    assert [line.name for line in checkpoint.unknown] == ["witness.example.org"]


def test_two_known_signers_must_both_count() -> None:
    text = "a\nb\n"
    one, two = (sign_note(text, key=key, name=name) for key, name in ((KEY, "one"), (WITNESS, "two")))
    both = one + two[len(text.encode()) + 1 :]

    keys = {"one": KEY.public, "two": WITNESS.public}
    assert [line.name for line in open_note(both, keys=keys).verified] == ["one", "two"]
    broken = both[:-6] + b"AAA=\n"
    with pytest.raises(CorridorError):
        open_note(broken, keys=keys)


@given(st.data())
def test_checkpoint_with_any_byte_changed_is_refused(data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(SIGNED) - 1))
    changed = SIGNED[:place] + bytes([SIGNED[place] ^ data.draw(st.integers(1, 255))]) + SIGNED[place + 1 :]

    with pytest.raises((MalformedNote, NoteUnsigned)):
        read_checkpoint(changed, KEY.public, "pk.nih")


@given(st.binary(max_size=300))
def test_any_bytes_raise_nothing_but_typed_errors(data: bytes) -> None:
    with pytest.raises((MalformedNote, NoteUnsigned)):
        read_checkpoint(data, KEY.public, "pk.nih")


@pytest.mark.parametrize(
    "text",
    [
        f"{ORIGIN}\n1\n",
        f"{ORIGIN}\n01\nAAAA\n",
        f"{ORIGIN}\n-1\nAAAA\n",
        f"{ORIGIN}\n1\nAAAA\n",
        f"{ORIGIN}\n1\n{base64.b64encode(ROOT).decode()}\nextension\n",
        f"two words\n1\n{base64.b64encode(ROOT).decode()}\n",
        f"health-corridor/cn.cdc/audit/1\n1\n{base64.b64encode(ROOT).decode()}\n",
        f"elsewhere/pk.nih/1\n1\n{base64.b64encode(ROOT).decode()}\n",
    ],
)
def test_signed_text_that_is_no_checkpoint_of_that_node_is_refused(text: str) -> None:
    with pytest.raises(MalformedNote):
        read_checkpoint(sign_note(text, key=KEY, name="pk.nih"), KEY.public, "pk.nih")


def test_checkpoint_of_another_key_is_unsigned() -> None:
    with pytest.raises(NoteUnsigned):
        read_checkpoint(SIGNED, WITNESS.public, "pk.nih")
    with pytest.raises(NoteUnsigned):
        read_checkpoint(SIGNED, KEY.public, "cn.cdc")


def test_each_epoch_of_each_tree_has_an_origin_of_its_own() -> None:
    assert log_origin("pk.nih", kind="audit", subject="", epoch=2) == "health-corridor/pk.nih/audit/2"
    assert origin_node("anything else") == ""
    with pytest.raises(MalformedNote):
        log_origin("pk.nih/x", kind="audit", subject="", epoch=1)


@pytest.mark.parametrize(
    ("text", "name"), [("no newline", "a"), ("\x01\n", "a"), ("x\n", "a b"), ("x\n", "a+b"), ("x\n", "")]
)
def test_writing_refuses_what_reading_would(text: str, name: str) -> None:
    with pytest.raises(MalformedNote):
        sign_note(text, key=KEY, name=name)


@pytest.mark.parametrize(("size", "root"), [(-1, ROOT), (2**63, ROOT), (1, b"short")])
def test_impossible_checkpoints_are_not_written(size: int, root: bytes) -> None:
    with pytest.raises(MalformedNote):
        checkpoint_text(ORIGIN, size=size, root=root)
