"""Folding and sanitizing."""

import sys
import unicodedata

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


HIDDEN_CATEGORIES = ("Cf", "Cc", "Co", "Cn", "Cs", "Zl", "Zp")
QUOTE_LIKE = (
    "\u00ab\u2018\u2019\u201c\u201d\u201e\u2033\u2036\u02ba\u02dd\u02ee\u02f6\u3003\u300c\u05f4\u275d\uff02\U0001f676"
)


def _characters(*categories: str) -> str:
    """Characters of all planes that have one of these categories; of the unassigned and private ones every 61st."""
    codes = [*range(0x20000), *range(0x20000, sys.maxunicode, 61), *range(0xE0000, 0xE0200)]
    return "".join(character for character in map(chr, codes) if unicodedata.category(character) in categories)


def test_hidden_and_quoting_characters_are_neutralized_by_category() -> None:
    """Controls, directions, tags, private and unassigned characters; blanks; and quotation marks."""
    hidden = "".join(_characters(*HIDDEN_CATEGORIES).split())  # without line feeds, which are blanks
    blanks, quotes = _characters("Zs"), _characters("Pi", "Pf")

    assert quote(hidden, len(hidden)) == '""'
    assert quote(f"a{'a'.join(blanks)}a", 100) == quote(f"a{' a' * len(blanks)}", 100)
    assert quote(quotes, len(quotes))[1:-1] == "'" * len(quotes)


@pytest.mark.parametrize(
    "hidden", ["\ufe0f", "\U000e0100", "\u180b", "\u3164", "\u115f", "\u2800", "\u034f", "\U0001d159"]
)
def test_letters_and_marks_that_show_nothing_are_removed(hidden: str) -> None:
    assert quote(f"Ola{hidden}", 9) == '"Ola"'


@pytest.mark.parametrize("character", QUOTE_LIKE)
def test_character_that_looks_like_a_quotation_mark_becomes_an_apostrophe(character: str) -> None:
    assert quote(f"a{character} (id 1)", 20) == '"a\' (id 1)"'


def test_marks_on_no_letter_are_left_out() -> None:
    """A mark on a blank can look like a quotation mark; many marks on a letter cover the lines around it."""
    assert quote("\u030eOla \u030e(id 1) \u3164\u030e", 30) == '"Ola (id 1) "'
    assert quote("e" + "\u0301" * 40, 60) == '"e' + "\u0301" * 3 + '"'


@pytest.mark.parametrize("name", ["Őry Gyű", "李雷", "नमस्ते", "ผู้ใหญ่", "שָׁלוֹם", "Nguyễn Thị Ệ", "👍"])
def test_names_in_any_script_are_quoted_unchanged(name: str) -> None:
    for form in ("NFC", "NFD"):
        written = unicodedata.normalize(form, name)
        assert quote(written, 40) == f'"{written}"'


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
