"""What a search finds (API page: List contacts, 'filtering by … search query')."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sqlalchemy import create_engine, insert, select

from contacts_mcp.directory import _search
from contacts_mcp.directory._tables import contact_terms, contacts, metadata


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
    ["bjor age", "hidden", "%", "b%n", "_jorn", "bjorn kari", "00999992", "zzz", ",", "\x00", "\u200b", "47 bjorn 12"],
)
async def test_not_found(listed, bjorn, query):
    assert await listed(search=query) == []


async def test_a_search_follows_a_change(http, create, listed):
    made = await create("Ola Nordmann", phone_number="111")

    await http.patch(f"/v1/contacts/{made['id']}", json={"name": "Kari Hansen", "phone_number": "222"})

    assert await listed(search="ola") == await listed(search="111") == []
    assert await listed(search="hansen kari") == await listed(search="222") == [made["id"]]


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


@given(names, st.randoms(use_true_random=False), st.integers(1, 6))
def test_words_in_any_order_find_the_name_with_the_last_cut_short(words, random, length):
    """Any order of a name's words finds it, folded or not, with the last word cut to its beginning."""
    assume(all(_search._trimmed(word)[0] not in "'-" for word in words))
    row = {"name": " ".join(words), "company_name": None, "email": None, "tags": []}
    random.shuffle(words)
    query = ", ".join([*words[:-1], words[-1].strip("'-")[:length]])
    engine = create_engine("sqlite://")
    try:
        metadata.create_all(engine)
        with engine.begin() as connection:
            connection.execute(insert(contacts).values(id="1", created_at="", updated_at="", seq=1, **row))
            terms = [{"kind": kind, "term": term, "contact_seq": 1} for kind, term in _search.terms_of(row)]
            connection.execute(insert(contact_terms), terms)
            found = connection.execute(select(contacts.c.seq).where(*_search.matches(query))).scalars().all()
    finally:
        engine.dispose()

    assert found == [1]
