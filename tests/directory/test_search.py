"""Search (API page: List contacts, 'filtering by … search query')."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sqlalchemy import create_engine

from contacts_mcp.directory.database import OWNER, create_statements
from contacts_mcp.directory.store import create_contact, list_contacts, parse_query
from contacts_mcp.directory.store._terms import trim


@pytest.fixture
async def bjorn(create):
    made = await create(
        "Bjørn Åge Straße-Łukasz",
        company_name="O'Brien & Sønner A/S",
        phone_number="+47 (999) 99-123",
        email="Bjorn.Th@Mail.Example.com",
        notes="hidden",
    )
    await create("Kari Nordmann", phone_number="+4522334455", email="kari@example.org")
    return made["id"]


@pytest.mark.parametrize(
    "query",
    [
        "bjorn",
        "BJØRN",
        "bjo",
        "age bjorn",
        "Strasse, Bjørn",
        "lukasz",
        "strasse-luk",
        "brien",
        "obrien",
        "o'brien",
        "sonner bjorn",
        "as bjorn",
        "a/s",
        "bjorn.th@mail.example.com",
        "bjorn.th@mail",
        "mail.example.com",
        "th bjo",
        "+4799999123",
        "004799999123",
        "47 999 99 123",
        "(999) 99-123",
        "9999",
        "bjorn 99123",
        "99123 bjorn",
    ],
)
async def test_search_finds_the_contact(listed, bjorn, query):
    assert await listed(search=query) == [bjorn]


@pytest.mark.parametrize(
    "query",
    ["bj age", "hidden", "%", "b%n", "_rn", "bjorn kari", "00999992", "zzz", ",", "\x00", "\u200b", "47 bjorn 12"],
)
async def test_search_finds_no_contact(listed, bjorn, query):
    assert await listed(search=query) == []


@pytest.mark.parametrize("query", ["bjron", "bjorm age", "bjoorn", "kukasz", "99123 bjor age", "sonnr"])
async def test_misspelled_search_finds_the_contact_as_similar(http, listed, bjorn, query):
    """A letter added, missing, replaced, or two transposed; the answer counts the contact as `similar`."""
    assert await listed(search=query) == [bjorn]
    assert (await http.get("/v1/contacts", params={"search": query})).json()["similar"] == 1


async def test_exact_matches_come_first_and_three_of_them_suppress_similar_ones(http, create, listed):
    hansen = [(await create(f"Hansen {number}"))["id"] for number in range(2)]
    hanssen = (await create("Hanssen Ola"))["id"]

    assert await listed(search="hansen") == [*hansen[::-1], hanssen]
    assert await listed(search="hansen", per_page=1, page=3) == [hanssen]
    hansen.append((await create("Hansen 3"))["id"])
    answer = (await http.get("/v1/contacts", params={"search": "hansen"})).json()
    assert (answer["total"], "similar" in answer) == (3, False)


@pytest.mark.parametrize("query", ["hansen", "hansen ola", "ola hans", "91 234 567", "4791234567", "mail.example.com"])
async def test_pages_of_a_search_have_all_matches_and_the_total(http, create, query):
    """Newest first, each contact once, with the total on each page and after the last one."""
    fields = {"phone_number": "+47 91 23 45 67 8"}
    found = [(await create(f"Ola Hansen {n}", email=f"{n}@mail.example.com", **fields))["id"] for n in range(5)]
    await create("Kari Olsen", phone_number="+47 22 33 44 55", email="kari@example.org")

    async def page(number, per_page=2):
        params = {"search": query, "per_page": per_page, "page": number}
        return (await http.get("/v1/contacts", params=params)).json()

    pages = [await page(1), await page(2), await page(3), await page(4), await page(10**9, 100)]

    assert [[row["id"] for row in page["contacts"]] for page in pages] == [
        found[:2:-1],
        found[2:0:-1],
        found[:1],
        [],
        [],
    ]
    assert [page["total"] for page in pages] == [5] * 5


@pytest.mark.parametrize("query", ["ola hanse", "hansen ola", "ola hansen", "ola hansensen", "ola hansens"])
async def test_two_words_find_each_contact_once_whichever_is_more_selective(http, create, query):
    """Contacts with both, whether the whole word or the prefix is searched first."""
    found = [(await create(f"Ola Hansen Hansensen{n}"))["id"] for n in range(3)]
    for number in range(12):
        await create(f"Ola Berg{number}")
        await create(f"Kari Lund Hanserud{number}")

    page = (await http.get("/v1/contacts", params={"search": query})).json()

    assert [row["id"] for row in page["contacts"]] == found[::-1]
    assert page["total"] == 3


@pytest.mark.parametrize("word", ["ola______b", "ola%b", "ola/%b"])
async def test_wildcard_characters_in_two_words_are_literal(create, listed, word):
    """They find words with that character, whichever of the two words is searched first."""
    await create("Olaabcdefb Hansensen")
    for number in range(15):
        await create(f"{word} Berg{number}")
        await create(f"Kari Hanserud{number}")
    asked = [(await create(f"{word} Hansensen"))["id"] for _ in range(3)]

    assert await listed(search=f"{word} hansense") == asked[::-1]
    assert await listed(search=f"hansensen {word}") == asked[::-1]


async def test_long_words_may_have_two_edits_and_short_ones_none(create, listed):
    made = (await create("Kristoffersen Moe"))["id"]

    assert await listed(search="kristofersn") == [made]
    assert await listed(search="krystofersn") == []
    assert await listed(search="mo kristoffersen") == []


async def test_scan_does_not_correct_spelling(http, bjorn):
    """A job on many contacts must not include others."""
    answer = await http.get("/v1/directory/contacts", params={"fields": "id", "search": "bjorm"})

    assert answer.json()["rows"] == []


async def test_unused_word_is_not_a_correction(http, create, listed):
    made = await create("Nordmann")

    await http.patch(f"/v1/contacts/{made['id']}", json={"name": "Hansen"})

    assert await listed(search="nordman") == []
    assert await listed(search="hanssen") == [made["id"]]


async def test_search_finds_changed_values_only(http, create, listed):
    made = await create("Ola Nordmann", phone_number="111")

    await http.patch(f"/v1/contacts/{made['id']}", json={"name": "Kari Hansen", "phone_number": "222"})

    assert await listed(search="ola") == await listed(search="111") == []
    assert await listed(search="hansen kari") == await listed(search="222") == [made["id"]]


@pytest.mark.parametrize("length", range(1, 11))
async def test_number_is_found_by_each_fragment_of_its_digits_and_no_other(create, listed, length):
    """A number with the same pieces in other places, or with digits between them, does not match."""
    numbers = ["4741636228", "4799636228", "4741228636", "4163604228", "6360041228", "4741636229"]
    made = {
        number: (await create(f"N{index}", phone_number=f"+{number}"))["id"] for index, number in enumerate(numbers)
    }

    for start in range(11 - length):
        fragment = numbers[0][start : start + length]
        expected = {made[number] for number in numbers if fragment in number}
        assert set(await listed(search=fragment)) == expected, fragment


async def test_number_in_a_name_is_found(create, listed):
    made = await create("Club 1881 Oslo")

    assert await listed(search="1881 club") == await listed(search="18") == [made["id"]]
    assert await listed(search="00") == []


async def test_search_of_127_words_finds_the_contact(create, listed):
    made = await create("a " * 127 + "b")

    assert await listed(search="a " * 127) == [made["id"]]


async def test_search_over_255_characters_is_rejected(http):
    assert (await http.get("/v1/contacts", params={"search": "x" * 256})).status_code == 422


@pytest.fixture(scope="module")
def tables():
    """A database for all examples; each is rolled back."""
    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        for statement in create_statements(connection.dialect):
            connection.exec_driver_sql(statement)
    yield engine
    engine.dispose()


@pytest.mark.slow
@given(
    st.lists(st.text("abcøßłÅé'-", min_size=1, max_size=6), min_size=1, max_size=4),
    st.randoms(use_true_random=False),
    st.integers(1, 6),
)
def test_name_is_found_by_its_words_in_any_order_with_the_last_as_a_prefix(tables, words, random, length):
    """For any name, folded or not."""
    assume(all(trim(word)[0] not in "'-" for word in words))
    row = {"type": "person", "name": " ".join(words), **dict.fromkeys(("company_name", "phone_number", "email"))}
    random.shuffle(words)
    query = ", ".join([*words[:-1], words[-1].strip("'-")[:length]])
    with tables.connect() as connection:
        made = create_contact(connection, OWNER, {**row, "tags": [], "notes": None})
        found = list_contacts(connection, OWNER, parse_query(search=query), page=1, per_page=9)

    assert [row["id"] for row in found.rows] == [made["id"]]


async def test_prefix_longer_than_the_indexed_one_is_matched_completely(create, listed):
    """A word that shares only its first letters with the prefix does not match, in any order of the words."""
    found = await create("Zyxter Andersenmoen")
    await create("Zyxter Andrea")
    for number in range(3):
        await create(f"Kari{number} Andersen")

    assert await listed(search="zyxter andersen") == [found["id"]]
    assert await listed(search="andersenmoen zyx") == [found["id"]]
    assert await listed(search="zyxter andx") == []
