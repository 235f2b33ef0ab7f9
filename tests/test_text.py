"""Folding and neutralising."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contacts_mcp.text import digits, fold, quote, sanitize, search_tokens


@pytest.mark.parametrize(
    ("written", "folded"),
    [("Bjørn", "bjorn"), ("ÆRØ", "aero"), ("Łódź", "lodz"), ("Straße", "strasse"), ("Þór", "thor"), ("Ola", "ola")],
)
def test_letters_that_no_decomposition_covers_are_folded(written: str, folded: str) -> None:
    """A name is found by somebody who has only plain letters on the keyboard."""
    assert folded == fold(written)


def test_composed_and_decomposed_accents_fold_alike() -> None:
    """How an accent is encoded makes no difference."""
    assert fold("e\u0301") == fold("\u00e9") == "e"


@pytest.mark.parametrize(
    "hidden",
    ["\u180f", "\ufff0", "\u200b", "\u202e", "\u2066", "\ufeff", "\x1b", "\x00", "\u00ad", "\U000e0041", "\ud800"],
)
def test_what_a_reader_cannot_see_is_stripped(hidden: str) -> None:
    """Zero-width, direction, control and tag characters and lone surrogates disappear."""
    assert sanitize(f"Ola{hidden}Nordmann", 100) == "OlaNordmann"


def test_letters_accents_and_emoji_are_kept() -> None:
    """Neutralising harms no ordinary writing."""
    assert sanitize("Bjørn 李雷 👍\nline\ttab", 100) == "Bjørn 李雷 👍\nline\ttab"


def test_a_long_text_is_cut_and_says_how_much_is_missing() -> None:
    """Nobody takes a part for the whole."""
    assert sanitize("x" * 12, 10) == "xxxxxxxxxx… [+2 characters]"


@given(st.text(), st.integers(min_value=1, max_value=50))
def test_a_quotation_stays_on_one_line_between_its_quotes(text: str, limit: int) -> None:
    """Quoted words cannot end their own quotation or begin a line."""
    quoted = quote(text, limit)

    assert quoted.count('"') == 2
    assert "\n" not in quoted
    assert len(quoted) <= limit + 40
    quoted.encode()


def test_tokens_carry_no_order_case_or_commas() -> None:
    """'Nordmann, Ola' has the words of 'ola nordmann'."""
    assert sorted(search_tokens("Nordmann, OLA")) == ["nordmann", "ola"]


def test_digits_are_the_decimal_ones() -> None:
    """A phone fragment is compared by digits alone."""
    assert digits("+47 (99) 99-99 ٣") == "47999999"
