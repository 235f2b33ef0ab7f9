"""Folding and sanitizing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contacts_mcp.text import digits, fold, quote, sanitize, search_tokens


@pytest.mark.parametrize(
    ("written", "folded"),
    [("Bjørn", "bjorn"), ("ÆRØ", "aero"), ("Łódź", "lodz"), ("Straße", "strasse"), ("Þór", "thor"), ("Ola", "ola")],
)
def test_letters_without_decomposition_are_folded(written: str, folded: str) -> None:
    """Users search with plain letters."""
    assert folded == fold(written)


def test_composed_and_decomposed_accents_fold_equally() -> None:
    assert fold("e\u0301") == fold("\u00e9") == "e"


@pytest.mark.parametrize(
    "hidden",
    ["\u180f", "\ufff0", "\u200b", "\u202e", "\u2066", "\ufeff", "\x1b", "\x00", "\u00ad", "\U000e0041", "\ud800"],
)
def test_invisible_characters_are_removed(hidden: str) -> None:
    """Zero-width, direction, control and tag characters and lone surrogates."""
    assert sanitize(f"Ola{hidden}Nordmann", 100) == "OlaNordmann"


def test_visible_characters_are_kept() -> None:
    assert sanitize("Bjørn 李雷 👍\nline\ttab", 100) == "Bjørn 李雷 👍\nline\ttab"


def test_long_text_is_cut_with_a_count_of_missing_characters() -> None:
    assert sanitize("x" * 12, 10) == "xxxxxxxxxx… [+2 characters]"


@given(st.text(), st.integers(min_value=1, max_value=50))
def test_quote_stays_on_one_line_between_its_quotation_marks(text: str, limit: int) -> None:
    """A quoted text cannot end its own quotation or begin a line."""
    quoted = quote(text, limit)

    assert quoted.count('"') == 2
    assert "\n" not in quoted
    assert len(quoted) <= limit + 40
    quoted.encode()


def test_search_tokens_ignore_order_case_and_commas() -> None:
    assert sorted(search_tokens("Nordmann, OLA")) == ["nordmann", "ola"]


def test_digits_returns_only_ascii_digits() -> None:
    assert digits("+47 (99) 99-99 ٣") == "47999999"
