"""What to ask a service whose search is unknown, so that it finds whoever is meant."""

from contacts_mcp.matching._keys import phone_key
from contacts_mcp.text import digits, fold, search_tokens

_MOST = 8
_SHORTEST = 3
_LAST_DIGITS = 8
_BEGINNINGS = (4, 3)
_FEWEST_DIGITS = 4


def variants(query: str, region: str | None = None) -> list[str]:
    """At most 8 searches, the query itself first.

    Numbers are looked for in E.164 and by their last digits, addresses by what stands before the @, names by each
    of their words, and by how these begin: a slip is rarely among the first letters.
    """
    asked = " ".join(query.split())
    folded = digits(fold(asked))
    if len(folded) >= _FEWEST_DIGITS and not any(character.isalpha() for character in asked):
        wanted = [asked, phone_key(asked, region), folded.lstrip("0"), folded[-_LAST_DIGITS:]]
    else:
        wanted = [asked, asked.replace(",", " "), *_words(asked)]
    return list(dict.fromkeys(" ".join(each.split()) for each in wanted if each.strip()))[:_MOST] or [asked]


def _words(query: str) -> list[str]:
    words = sorted((word for word in search_tokens(query) if len(word) >= _SHORTEST), key=len, reverse=True)
    locals_ = [word.partition("@")[0] for word in words if "@" in word]
    beginnings = [word[:length] for length in _BEGINNINGS for word in words if len(word) > length]
    return [*locals_, *words, *beginnings]
