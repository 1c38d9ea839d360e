"""Signatures: every field counts, every sender has its own key, and old keys can be revoked."""

# ruff: noqa: RUF001 (a digit of another script is one of the cases)

from __future__ import annotations

import hashlib
import hmac
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.messages.model import Message
from roost.messages.signature import Letter, body_hash, canonical, derive_key, key_version, letter_of, sign, verify

SECRET = bytes(range(32))
LETTER = Letter(
    id="01990000-0000-7000-8000-000000000007",
    project="p1",
    sender="a1",
    sender_session="s1",
    recipients=("b1", "c1"),
    channel="",
    type="question",
    severity="info",
    priority=5,
    requires_ack=True,
    hops=1,
    thread="t1",
    parent="m1",
    subject="Größe 第一行",
    tags=("ui", "red"),
    depends_on=("m2",),
    operation="",
    metadata=b'{"a":1}',
    sent_at=1_000,
    not_before=None,
    expires_at=2_000,
    body_hash=body_hash("Sind die Tests rot? 🦉"),
)
KEY = derive_key(SECRET, project="p1", sender="a1")


def holds(
    letter: Letter, *, key_id: str = KEY.id, signature: bytes | None = None, secret: bytes = SECRET, oldest: int = 1
) -> bool:
    signature = sign(KEY, LETTER) if signature is None else signature
    return verify(secret, letter, key_id=key_id, signature=signature, oldest=oldest)


def flipped(value: object) -> list[object]:
    """Return values that differ from `value` a little, each of a kind that the field could hold."""
    match value:
        case bool():
            return [not value]
        case int():
            return [value + 1, -value - 1, None] if value > 255 else [value + 1]
        case str():
            return [value + "x", value + " ", value + "\u0301", "é"]
        case bytes():
            return [value + b"x", bytes([value[0] ^ 1]) + value[1:], b""]
        case tuple():
            return [(*value, "x"), value[:-1], ("-".join(value) + "x",)]
        case _:
            return [0, 1]


@pytest.mark.parametrize("field", Letter.__struct_fields__)
def test_a_change_of_any_field_breaks_the_signature(field: str) -> None:
    assert holds(LETTER)
    for other in flipped(getattr(LETTER, field)):
        assert not holds(msgspec.structs.replace(LETTER, **{field: other})), (field, other)


def test_the_order_of_recipients_and_tags_means_nothing() -> None:
    assert holds(msgspec.structs.replace(LETTER, recipients=("c1", "b1"), tags=("red", "ui")))


@pytest.mark.parametrize("place", range(32))
def test_a_change_of_any_byte_of_the_signature_is_noticed(place: int) -> None:
    good = sign(KEY, LETTER)
    bad = good[:place] + bytes([good[place] ^ 0x80]) + good[place + 1 :]
    assert not holds(LETTER, signature=bad)


@pytest.mark.parametrize("signature", [b"", b"\0" * 32, b"x" * 31, sign(KEY, LETTER) + b"\0", "ü".encode()])
def test_what_is_no_signature_does_not_verify(signature: bytes) -> None:
    assert not holds(LETTER, signature=signature)


@pytest.mark.parametrize(
    "key_id",
    ["", "1.1.b1", "1.2.a1", "2.1.a1", "1.01.a1", "1.0.a1", "1.-1.a1", "1.1", "1.١.a1", "1.1.a1.", "1.9999999999.a1"],
)
def test_the_id_of_another_key_does_not_verify(key_id: str) -> None:
    assert not holds(LETTER, key_id=key_id)


def test_no_other_sender_project_or_secret_has_the_same_key() -> None:
    keys = {
        derive_key(secret, project=project, sender=sender, version=version).secret
        for secret in (SECRET, bytes(32))
        for project in ("p1", "p1a", "")
        for sender in ("a1", "1", "é")
        for version in (1, 2, 11)
    }
    assert len(keys) == 2 * 3 * 3 * 3
    forged = derive_key(SECRET, project="p1", sender="b1")
    assert not holds(LETTER, signature=sign(forged, LETTER))
    assert not holds(LETTER, secret=bytes(32))


def test_a_rotated_key_verifies_and_a_revoked_one_does_not() -> None:
    second = derive_key(SECRET, project="p1", sender="a1", version=2)
    assert key_version(second.id, sender="a1") == 2
    assert holds(LETTER, key_id=second.id, signature=sign(second, LETTER), oldest=2)
    assert holds(LETTER, oldest=1)
    assert not holds(LETTER, oldest=2)


def test_a_secret_has_32_bytes() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        derive_key(b"short", project="p1", sender="a1")


def test_a_key_does_not_print_its_secret() -> None:
    assert KEY.secret.hex() not in repr(KEY)
    assert repr(KEY.secret) not in repr(KEY)


def test_the_key_is_the_one_of_rfc_5869() -> None:
    info = b"s11:message keys2:p1s2:a1i1:1"
    extracted = hmac.new(b"roost message signatures", SECRET, hashlib.sha256).digest()
    assert KEY.secret == hmac.new(extracted, info + b"\x01", hashlib.sha256).digest()


texts = st.text(max_size=6)
letters = st.builds(
    Letter,
    id=texts,
    project=texts,
    sender=texts,
    sender_session=texts,
    recipients=st.lists(texts, max_size=3).map(tuple),
    channel=texts,
    type=texts,
    severity=texts,
    priority=st.integers(min_value=0, max_value=255),
    requires_ack=st.booleans(),
    hops=st.integers(min_value=0, max_value=20),
    thread=texts,
    parent=texts,
    subject=texts,
    tags=st.lists(texts, max_size=3).map(tuple),
    depends_on=st.lists(texts, max_size=3).map(tuple),
    operation=texts,
    metadata=st.binary(max_size=4),
    sent_at=st.integers(min_value=0, max_value=20),
    not_before=st.none() | st.integers(min_value=0, max_value=20),
    expires_at=st.none() | st.integers(min_value=0, max_value=20),
    body_hash=st.binary(max_size=4),
)


@given(letters)
def test_a_signature_is_the_hmac_of_rfc_2104(letter: Letter) -> None:
    assert sign(KEY, letter) == hmac.digest(KEY.secret, canonical(KEY.id, letter), "sha256")


def meaning(letter: Letter) -> list[Any]:
    fields = [getattr(letter, name) for name in letter.__struct_fields__]
    return [tuple(sorted(value)) if isinstance(value, tuple) else (type(value), value) for value in fields]


@given(letters, letters)
def test_two_letters_have_one_form_only_if_they_mean_the_same(one: Letter, other: Letter) -> None:
    assert (canonical("k", one) == canonical("k", other)) == (meaning(one) == meaning(other))


def test_a_message_whose_body_was_changed_does_not_verify() -> None:
    message = Message(
        id="m",
        number=7,
        seq=9,
        sender="a1",
        sender_session="s1",
        recipients=2,
        type="question",
        severity="info",
        priority=5,
        body="Sind die Tests rot?",
        body_hash=body_hash("Sind die Tests rot?"),
        thread="m",
        fingerprint=b"f",
        metadata={"b": 1.5, "a": "ü"},
        sent_at=1,
        wall=2,
    )
    letter = letter_of(message, project="p1", recipients=("b1", "c1"))
    signature = sign(KEY, letter)
    assert holds(letter_of(message, project="p1", recipients=("c1", "b1")), signature=signature)
    for change in ({"body": "Sind die Tests grün?"}, {"metadata": {"a": "ü"}}, {"type": "info"}, {"sender": "b1"}):
        other = msgspec.structs.replace(message, **change)
        assert not holds(letter_of(other, project="p1", recipients=("b1", "c1")), signature=signature)
