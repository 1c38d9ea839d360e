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
from operator import attrgetter

import msgspec

from roost.messages.model import Message

SECRET_BYTES = 32
FORM = 1
"""The version of the canonical form; another order or set of fields gets another number."""

_SALT = b"roost message signatures"
_VERSION = re.compile(r"[1-9][0-9]{0,8}")


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """What a signature covers: ids, never names. Times are milliseconds."""

    id: str
    project: str
    sender: str
    sender_session: str = ""
    recipients: tuple[str, ...] = ()
    channel: str = ""
    type: str
    severity: str
    priority: int
    requires_ack: bool = False
    hops: int = 0
    thread: str = ""
    parent: str = ""
    subject: str = ""
    tags: tuple[str, ...] = ()
    depends_on: tuple[str, ...] = ()
    operation: str = ""
    metadata: bytes = b""
    sent_at: int
    not_before: int | None = None
    expires_at: int | None = None
    body_hash: bytes


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """One sender's key of one version; `id` names both and the canonical form."""

    id: str
    secret: bytes

    def __repr__(self) -> str:
        return f"Key(id={self.id!r})"  # a key in a log would be a leak


def body_hash(body: str) -> bytes:
    """Return the SHA-256 of a body in UTF-8, 32 bytes."""
    return hashlib.sha256(body.encode()).digest()


def letter_of(message: Message, *, project: str, recipients: tuple[str, ...]) -> Letter:
    """Return what to sign of `message`; `recipients` are the ids of those it was sent to, in any order.

    The hash is taken from the body as it is now, not from the row: a body that was changed does not verify.
    """
    fields = dict(zip(_COMMON, _common(message), strict=True))
    metadata = msgspec.json.encode(message.metadata, order="deterministic") if message.metadata else b""
    return Letter(
        **fields, project=project, recipients=recipients, metadata=metadata, body_hash=body_hash(message.body)
    )


def derive_key(secret: bytes, *, project: str, sender: str, version: int = 1) -> Key:
    """Return the key of `sender` (an id) in its `version`; raises ValueError unless the secret has 32 bytes."""
    if len(secret) != SECRET_BYTES:
        raise ValueError(f"a project's secret has {SECRET_BYTES} bytes, not {len(secret)}")
    extracted = hmac.digest(_SALT, secret, "sha256")
    info = b"".join(_field(part) for part in ("message key", project, sender, version))
    # One block of HKDF-Expand is one HMAC over info and the block's number.
    return Key(id=f"{FORM}.{version}.{sender}", secret=hmac.digest(extracted, info + b"\x01", "sha256"))


def sign(key: Key, letter: Letter) -> bytes:
    """Return the signature of `letter`, 32 bytes; keep `key.id` beside it."""
    return hmac.digest(key.secret, canonical(key.id, letter), "sha256")


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
    values = [sorted(one) if type(one) is tuple else one for one in msgspec.structs.astuple(letter)]
    return msgspec.msgpack.encode([FORM, key_id, *values])


def _field(value: str | int) -> bytes:
    """Write one part of a key's name with its type and length."""
    content = str(value).encode()
    return b"%c%d:%b" % (b"s" if isinstance(value, str) else b"i", len(content), content)


_COMMON = tuple(
    name
    for name in Letter.__struct_fields__
    if name in Message.__struct_fields__ and name not in ("recipients", "metadata", "body_hash")
)
_common = attrgetter(*_COMMON)
