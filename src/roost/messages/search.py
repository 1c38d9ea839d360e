"""Searching what was said: words, quoted, all of them; the index follows the messages and is complete when asked."""

from __future__ import annotations

import msgspec

from roost.errors import BadQuery
from roost.messages.model import Message
from roost.stores.base import Tx

QUERY_BYTES_MAX = 256
TERMS_MAX = 16
SEARCH_SECONDS_MAX = 2.0
INDEXED_AT_ONCE_MAX = 2_000
"""Messages that one transaction puts into the index: a long backlog holds nobody up."""
OPENING, CLOSING = "\x02", "\x03"
"""Around what was found in a snippet; interfaces show them as they like, and no body holds them unescaped."""


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A message with the place where the words stand, marked by OPENING and CLOSING."""

    message: Message
    snippet: str


class Match(msgspec.Struct, frozen=True):
    """A row of the index."""

    number: int
    snippet: str


def quoted(query: object) -> str:
    """Return a query of words for the index, each quoted so that none is an operator. Raises BadQuery."""
    if not isinstance(query, str) or len(query.encode("utf-8", "surrogatepass")) > QUERY_BYTES_MAX:
        raise BadQuery(f"a search has at most {QUERY_BYTES_MAX} bytes of text", hint="search for fewer words")
    terms = [term for term in query.replace("\0", " ").split() if any(character.isalnum() for character in term)]
    if not terms:
        raise BadQuery("there is no word to search for", hint="name a word that the message holds")
    if len(terms) > TERMS_MAX:
        raise BadQuery(f"{len(terms)} words are more than {TERMS_MAX}", hint="search for fewer words")
    return " ".join('"{}"'.format(term.replace('"', '""')) for term in terms)


def index_more(tx: Tx, limit: int = INDEXED_AT_ONCE_MAX) -> int:
    """Put the next messages into the index; return how many are still missing."""
    first = int(tx.value("search.next_number"))
    last = int(tx.value("messages.last_number"))
    upto = min(last, first + limit - 1)
    if first <= upto:
        tx.run("search.add_documents", first=first, upto=upto)
        tx.run("search.add_words", first=first, upto=upto)
    return max(0, last - upto)
