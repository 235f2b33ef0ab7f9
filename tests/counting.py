"""Counting as a model's tokenizer does (o200k)."""

import warnings
from functools import cache
from typing import Any


def count_tokens(text: str) -> int:
    """How many tokens a text is."""
    return len(_encoding().encode(text))


@cache
def _encoding() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the tokenizer opens its tables in an old way
        import bpe_openai

    return bpe_openai.get_encoding("o200k_base")
