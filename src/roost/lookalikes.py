"""Text reduced to what it looks like, so that a name or tag cannot pass for another one."""

from __future__ import annotations

# Letters that a reader takes for a Latin one although no Unicode normal form joins them; small capitals included.
_TWINS = {
    ord(twin): letter
    for letters, twins in {
        "abbrdehijklmhopqstyvwxe": "абвгԁеһіјкӏмнорԛѕтуѵԝхҽ",
        "abenikvopctuxw": "αβεηικνορστυχω",
        "nuoghjl": "ոսօցհյӏ",
        "agiiloabcdefghijkmnprstuvwyz": "ɑɡıɩʟᴏᴀʙᴄᴅᴇғɢʜɪᴊᴋᴍɴᴘʀꜱᴛᴜᴠᴡʏᴢ",
        "ols": "015",
    }.items()
    for letter, twin in zip(letters, twins, strict=True)
}
_PAIRS = (("rn", "m"), ("vv", "w"))


def skeleton(text: str) -> str:
    """Return what `text` looks like in a-z and 2-9: no case, accents, separators, styles or foreign twins of letters.

    Two texts with one skeleton may be mistaken for each other. `i` and `1` count as `l`, `0` as `o`, `5` as `s`, `rn`
    as `m`.
    """
    folded = text.casefold()
    if not folded.isascii():
        folded = _plain(folded)
    folded = folded.translate(_TWINS).replace("i", "l")
    folded = "".join(letter for letter in folded if letter.isascii() and letter.isalnum())
    for pair, single in _PAIRS:
        folded = folded.replace(pair, single)
    return folded


def _plain(text: str) -> str:
    """Take accents and letter styles (full width, mathematical, circled) off `text`."""
    import unicodedata  # 1 MiB of tables that plain ASCII never needs

    return unicodedata.normalize("NFKD", text).casefold()
