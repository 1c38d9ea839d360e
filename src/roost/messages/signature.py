"""Signatures of messages: HMAC-SHA256 over one canonical form, by a key that only one sender has.

The project has a secret of 32 bytes; each sender's key is derived from it (HKDF, RFC 5869) with a version, so that a
key can be replaced without touching the others. The canonical form gives every field with its length: no two different
messages have the same bytes. Whoever can read the project's secret can sign as anybody; within one user account a
signature is for audit.
"""

from __future__ import annotations

import hashlib
import hmac
import re

import msgspec

from roost.history.rules import HASH_BYTES
from roost.messages.model import Message

SECRET_BYTES = 32
FORM = 1
"""The version of the canonical form; another order or set of fields gets another number."""

_SALT = b"roost message signatures"
_BLOCK_BYTES = 64
_INNER = bytes(byte ^ 0x36 for byte in range(256))
_OUTER = bytes(byte ^ 0x5C for byte in range(256))
_sha256 = hashlib.sha256
_encode = msgspec.msgpack.Encoder().encode
_VERSION = re.compile(r"[1-9][0-9]{0,8}")


class Letter(msgspec.Struct, frozen=True, array_like=True):
    """What a signature covers, in the order of its canonical form: ids, never names. Times are milliseconds."""

    id: str
    project: str
    sender: str
    sender_session: str
    recipients: tuple[str, ...]
    channel: str
    type: str
    severity: str
    priority: int
    requires_ack: bool
    hops: int
    thread: str
    parent: str
    subject: str
    tags: tuple[str, ...]
    depends_on: tuple[str, ...]
    operation: str
    metadata: bytes
    sent_at: int
    not_before: int | None
    expires_at: int | None
    body_hash: bytes


_ARRAY = b"\xdc" + (2 + len(Letter.__struct_fields__)).to_bytes(2, "big")
"""How MessagePack begins an array of the form, its key's id and the letter's fields."""


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """One sender's key of one version; `id` names both and the canonical form. `inner` and `outer` are the blocks that
    HMAC puts before what it hashes first and second."""

    id: str
    secret: bytes
    inner: bytes
    outer: bytes

    def __repr__(self) -> str:
        return f"Key(id={self.id!r})"  # a key in a log would be a leak


def body_hash(body: str, salt: bytes = b"") -> bytes:
    """Return a salt, and behind it the SHA-256, 32 bytes, of the salt and a body in UTF-8.

    The log tells everybody the hash alone; the salt is the message's, for those who may read it.
    """
    return salt + _sha256(salt + body.encode()).digest()


def letter_of(message: Message, *, project: str, recipients: tuple[str, ...], hashed: bytes = b"") -> Letter:
    """Return what to sign of `message`; `recipients` are the ids of those it was sent to, in any order.

    The hash is taken from the body as it is now, with the row's salt: what was changed of them does not verify. Who
    took it a moment ago gives it as `hashed`.
    """
    # By place: from 16 arguments by name on Python gathers them in a dictionary, which takes longer than all the rest.
    return Letter(
        message.id,
        project,
        message.sender,
        message.sender_session,
        recipients,
        message.channel,
        message.type,
        message.severity,
        message.priority,
        message.requires_ack,
        message.hops,
        message.thread,
        message.parent,
        message.subject,
        message.tags,
        message.depends_on,
        message.operation,
        msgspec.json.encode(message.metadata, order="deterministic") if message.metadata else b"",
        message.sent_at,
        message.not_before,
        message.expires_at,
        hashed or body_hash(message.body, message.body_hash[:-HASH_BYTES]),
    )


def derive_key(secret: bytes, *, project: str, sender: str, version: int = 1) -> Key:
    """Return the key of `sender` (an id) in its `version`; raises ValueError unless the secret has 32 bytes."""
    if len(secret) != SECRET_BYTES:
        raise ValueError(f"a project's secret has {SECRET_BYTES} bytes, not {len(secret)}")
    extracted = hmac.digest(_SALT, secret, "sha256")
    info = b"".join(_field(part) for part in ("message key", project, sender, version))
    # One block of HKDF-Expand is one HMAC over info and the block's number.
    own = hmac.digest(extracted, info + b"\x01", "sha256")
    block = own.ljust(_BLOCK_BYTES, b"\0")
    key_id = f"{FORM}.{version}.{sender}"
    return Key(id=key_id, secret=own, inner=block.translate(_INNER), outer=block.translate(_OUTER))


def sign(key: Key, letter: Letter) -> bytes:
    """Return the signature of `letter`, 32 bytes; keep `key.id` beside it."""
    # HMAC as RFC 2104 writes it down: OpenSSL looks its own up for each message, which takes longer than both hashes.
    return _sha256(key.outer + _sha256(key.inner + canonical(key.id, letter)).digest()).digest()


def verify(secret: bytes, letter: Letter, *, key_id: str, signature: bytes, oldest: int = 1) -> bool:
    """Say whether `signature` is that of `letter.sender`, by the key named `key_id`, over this very letter.

    Key versions before `oldest` are revoked and never verify.
    """
    version = key_version(key_id, sender=letter.sender)
    if version is None or version < oldest:
        return False
    key = derive_key(secret, project=letter.project, sender=letter.sender, version=version)
    return matches(key, letter, signature)


def matches(key: Key, letter: Letter, signature: bytes) -> bool:
    """Say whether `key` made `signature` over this letter, in time that does not depend on where they differ."""
    return hmac.compare_digest(sign(key, letter), signature)


def key_version(key_id: str, *, sender: str) -> int | None:
    """Return the version in the id of one of `sender`'s keys; None for another sender's or a form unknown here."""
    form, _, rest = key_id.partition(".")
    version, _, owner = rest.partition(".")
    if form != str(FORM) or owner != sender or not _VERSION.fullmatch(version):
        return None
    return int(version)


def canonical(key_id: str, letter: Letter) -> bytes:
    """Return the bytes that are signed: one MessagePack array, in which every field has its type and length.

    Recipients, tags and prerequisites are sorted: their order means nothing.
    """
    if len(letter.recipients) > 1 or letter.tags or letter.depends_on:
        ordered = {name: tuple(sorted(getattr(letter, name))) for name in ("recipients", "tags", "depends_on")}
        letter = msgspec.structs.replace(letter, **ordered)
    return _ARRAY + _encode(FORM) + _encode(key_id) + _encode(letter)[len(_ARRAY) :]


def _field(value: str | int) -> bytes:
    """Write one part of a key's name with its type and length."""
    content = str(value).encode()
    return b"%c%d:%b" % (b"s" if isinstance(value, str) else b"i", len(content), content)
