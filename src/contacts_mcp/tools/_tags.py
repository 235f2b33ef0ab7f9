"""Tags: the same where they differ in case alone."""

from collections.abc import Iterable


def retagged(tags: Iterable[str], add: Iterable[str] = (), remove: Iterable[str] = ()) -> list[str]:
    """The tags after some were added and some removed, in order; a tag that was there keeps its writing."""
    unwanted = {tag.casefold() for tag in remove}
    kept: dict[str, str] = {}
    for tag in (*tags, *add):
        kept.setdefault(tag.casefold(), tag)
    return [tag for name, tag in kept.items() if name not in unwanted]
