"""The keys of sessions: 32 random bytes each in a 0600 file of `.roost/sessions/`; the store keeps their SHA-256."""

from __future__ import annotations

import os
import stat

KEY_BYTES = 32
_ID_CHARACTERS = frozenset("0123456789abcdef-")


def new_key() -> tuple[str, bytes]:
    """Return a new key, as text for its file, and the hash that the store keeps."""
    key = os.urandom(KEY_BYTES).hex()
    return key, digest(key)


def digest(key: str) -> bytes:
    """Return what the store keeps of a key."""
    from hashlib import sha256  # 4 ms with its crypto library, which most calls need not pay

    return sha256(key.encode()).digest()


def is_session_id(text: str) -> bool:
    """Say whether a text has the form of a session's id, so that it may name a file."""
    return len(text) == 36 and set(text) <= _ID_CHARACTERS


def write(folder: str | os.PathLike[str], session: str, key: str) -> None:
    """Write a session's key into its own file, readable by its owner only. Raises FileExistsError, OSError."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    file = os.open(_path(folder, session), flags, 0o600)
    try:
        os.write(file, key.encode())
    finally:
        os.close(file)


def shows(folder: str | os.PathLike[str], session: str, key_hash: bytes) -> bool:
    """Say whether this process can read a session's key: a file of its user, closed to others, with that hash."""
    return bool(folder) and is_session_id(session) and fits(_read(folder, session), key_hash)


def fits(key: str, key_hash: bytes) -> bool:
    """Say whether a key is the one that the store keeps the hash of."""
    from hmac import compare_digest

    return bool(key) and bool(key_hash) and compare_digest(digest(key), key_hash)


def read(folder: str | os.PathLike[str], session: str) -> str:
    """Return a session's key, or '' where this process cannot read it."""
    return _read(folder, session) if is_session_id(session) else ""


def drop(folder: str | os.PathLike[str], session: str) -> None:
    """Remove the key of a session that is over; one without a file is no error."""
    if is_session_id(session):
        try:
            os.unlink(_path(folder, session))
        except FileNotFoundError:
            return


def kept(folder: str | os.PathLike[str]) -> list[str]:
    """List the sessions that have a key file."""
    return [name.removesuffix(".key") for name in os.listdir(folder) if name.endswith(".key")]


def _read(folder: str | os.PathLike[str], session: str) -> str:
    try:
        file = os.open(_path(folder, session), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        facts = os.fstat(file)
        if not stat.S_ISREG(facts.st_mode) or facts.st_uid != os.geteuid() or facts.st_mode & 0o077:
            return ""
        return os.read(file, 4 * KEY_BYTES).decode("ascii", "replace")
    finally:
        os.close(file)


def _path(folder: str | os.PathLike[str], session: str) -> str:
    return f"{os.fspath(folder)}/{session}.key"
