"""What a search finds (API page: List contacts, 'filtering by … search query')."""

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
async def test_found(listed, bjorn, query):
    assert await listed(search=query) == [bjorn]


@pytest.mark.parametrize(
    "query",
    ["bj age", "hidden", "%", "b%n", "_rn", "bjorn kari", "00999992", "zzz", ",", "\x00", "\u200b", "47 bjorn 12"],
)
async def test_not_found(listed, bjorn, query):
    assert await listed(search=query) == []


@pytest.mark.parametrize("query", ["bjron", "bjorm age", "bjoorn", "kukasz", "99123 bjor age", "sonnr"])
async def test_a_slip_is_forgiven(http, listed, bjorn, query):
    """A letter too many, too few, another one, or two the other way round; the answer says that it is a guess."""
    assert await listed(search=query) == [bjorn]
    assert (await http.get("/v1/contacts", params={"search": query})).json()["similar"] == 1


async def test_what_is_spelt_as_asked_comes_first_and_enough_of_it_is_not_joined_by_guesses(http, create, listed):
    hansen = [(await create(f"Hansen {number}"))["id"] for number in range(2)]
    hanssen = (await create("Hanssen Ola"))["id"]

    assert await listed(search="hansen") == [*hansen[::-1], hanssen]
    assert await listed(search="hansen", per_page=1, page=3) == [hanssen]
    hansen.append((await create("Hansen 3"))["id"])
    answer = (await http.get("/v1/contacts", params={"search": "hansen"})).json()
    assert (answer["total"], "similar" in answer) == (3, False)


@pytest.mark.parametrize("query", ["hansen", "hansen ola", "ola hans", "91 234 567", "4791234567", "mail.example.com"])
async def test_every_page_of_a_search_has_its_part_of_what_is_found(http, create, query):
    """Newest first, each contact once, with the total on each page and behind the last one."""
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
async def test_whichever_of_two_words_fewer_have_the_same_are_found_each_once(http, create, query):
    """Those that have both, be it the whole word or the beginning that leads to them."""
    found = [(await create(f"Ola Hansen Hansensen{n}"))["id"] for n in range(3)]
    for number in range(12):
        await create(f"Ola Berg{number}")
        await create(f"Kari Lund Hanserud{number}")

    page = (await http.get("/v1/contacts", params={"search": query})).json()

    assert [row["id"] for row in page["contacts"]] == found[::-1]
    assert page["total"] == 3


@pytest.mark.parametrize("word", ["ola______b", "ola%b", "ola/%b"])
async def test_neither_of_two_words_is_a_pattern(create, listed, word):
    """What a database takes for a wildcard finds what has that character, whichever of the two words leads to it."""
    await create("Olaabcdefb Hansensen")
    for number in range(15):
        await create(f"{word} Berg{number}")
        await create(f"Kari Hanserud{number}")
    asked = [(await create(f"{word} Hansensen"))["id"] for _ in range(3)]

    assert await listed(search=f"{word} hansense") == asked[::-1]
    assert await listed(search=f"hansensen {word}") == asked[::-1]


async def test_long_words_may_hold_two_slips_and_short_ones_none(create, listed):
    made = (await create("Kristoffersen Moe"))["id"]

    assert await listed(search="kristofersn") == [made]
    assert await listed(search="krystofersn") == []
    assert await listed(search="mo kristoffersen") == []


async def test_a_scan_takes_words_as_they_are_spelt(http, bjorn):
    """What is done with many contacts must not meet others."""
    answer = await http.get("/v1/directory/contacts", params={"fields": "id", "search": "bjorm"})

    assert answer.json()["rows"] == []


async def test_a_word_that_nobody_has_any_more_is_no_guess(http, create, listed):
    made = await create("Nordmann")

    await http.patch(f"/v1/contacts/{made['id']}", json={"name": "Hansen"})

    assert await listed(search="nordman") == []
    assert await listed(search="hanssen") == [made["id"]]


async def test_a_search_follows_a_change(http, create, listed):
    made = await create("Ola Nordmann", phone_number="111")

    await http.patch(f"/v1/contacts/{made['id']}", json={"name": "Kari Hansen", "phone_number": "222"})

    assert await listed(search="ola") == await listed(search="111") == []
    assert await listed(search="hansen kari") == await listed(search="222") == [made["id"]]


@pytest.mark.parametrize("length", range(1, 11))
async def test_a_number_is_found_by_its_digits_in_their_order_and_by_nothing_like_them(create, listed, length):
    """The same pieces in other places, or with something between them, are another number."""
    numbers = ["4741636228", "4799636228", "4741228636", "4163604228", "6360041228", "4741636229"]
    made = {
        number: (await create(f"N{place}", phone_number=f"+{number}"))["id"] for place, number in enumerate(numbers)
    }

    for start in range(11 - length):
        fragment = numbers[0][start : start + length]
        expected = {made[number] for number in numbers if fragment in number}
        assert set(await listed(search=fragment)) == expected, fragment


async def test_a_number_as_a_word_is_found_too(create, listed):
    made = await create("Club 1881 Oslo")

    assert await listed(search="1881 club") == await listed(search="18") == [made["id"]]
    assert await listed(search="00") == []


async def test_a_search_of_many_words_is_answered(create, listed):
    made = await create("a " * 127 + "b")

    assert await listed(search="a " * 127) == [made["id"]]


async def test_too_long_a_search_is_refused(http):
    assert (await http.get("/v1/contacts", params={"search": "x" * 256})).status_code == 422


names = st.lists(st.text("abcøßłÅé'-", min_size=1, max_size=6), min_size=1, max_size=4)


@pytest.fixture(scope="module")
def tables():
    """A database that no example changes: each is rolled back."""
    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        for statement in create_statements(connection.dialect):
            connection.exec_driver_sql(statement)
    yield engine
    engine.dispose()


@given(names, st.randoms(use_true_random=False), st.integers(1, 6))
def test_words_in_any_order_find_the_name_with_the_last_cut_short(tables, words, random, length):
    """Any order of a name's words finds it, folded or not, with the last word cut to its beginning."""
    assume(all(trim(word)[0] not in "'-" for word in words))
    row = {"type": "person", "name": " ".join(words), **dict.fromkeys(("company_name", "phone_number", "email"))}
    random.shuffle(words)
    query = ", ".join([*words[:-1], words[-1].strip("'-")[:length]])
    with tables.connect() as connection:
        made = create_contact(connection, OWNER, {**row, "tags": [], "notes": None})
        found = list_contacts(connection, OWNER, parse_query(search=query), page=1, per_page=9)

    assert [row["id"] for row in found.rows] == [made["id"]]


async def test_a_beginning_beside_a_rare_word_is_met_whole(create, listed):
    """What shares only its first letters with the beginning is not found, in whichever order the words come."""
    found = await create("Zyxter Andersenmoen")
    await create("Zyxter Andrea")
    for number in range(3):
        await create(f"Kari{number} Andersen")

    assert await listed(search="zyxter andersen") == [found["id"]]
    assert await listed(search="andersenmoen zyx") == [found["id"]]
    assert await listed(search="zyxter andx") == []
