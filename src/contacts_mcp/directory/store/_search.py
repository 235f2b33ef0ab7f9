"""The statements that find contacts, and pages of what they find.

Building a statement takes longer than the database needs to answer it. So each statement is built once for each shape
of a query, and gets the values of the query as parameters.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Literal, TypeAlias

import sqlalchemy as sa

from contacts_mcp.directory.database import GENERIC_PLANS, contacts, terms
from contacts_mcp.directory.store._index import count_live
from contacts_mcp.directory.store._query import TENANT, Query, Term, TermShape, parameters_of, shape_of
from contacts_mcp.directory.store._rows import Row
from contacts_mcp.directory.store._terms import LONG_NUMBER, PHONE_PIECE_LENGTH, signature_of

_Rows: TypeAlias = sa.Select[*tuple[Any, ...]]

_SIGNATURE: sa.BindParameter[int] = sa.bindparam("signature", type_=sa.BigInteger)
_SEQS = sa.ARRAY(sa.BigInteger)
_MAX_OFFSET = 2**30  # no array is as long, and PostgreSQL counts its elements in 32 bits
_TRIGRAM_LENGTH = 3


@dataclass(frozen=True, slots=True)
class QueryShape:
    """A query without its values: all queries of one shape share one statement.

    Attributes:
        is_lookup: whether one query plan must fit all values of the statement.
    """

    dialect: str
    has_type: bool
    terms: tuple[TermShape, ...]
    number: Literal["", "short", "long"]
    number_words: tuple[TermShape, ...]
    matches_nothing: bool
    is_lookup: bool

    @property
    def counter(self) -> tuple[str, str] | None:
        """Kind and term parameter of the counter that has the total, if there is one."""
        if self.number or self.matches_nothing or len(self.terms) + self.has_type > 1:
            return None
        if not self.terms:
            return "type", "type" if self.has_type else ""
        (term,) = self.terms
        return ("tag", term.name) if term.kind == "tag" else None

    @property
    def is_ordered(self) -> bool:
        """Whether an index has the matches in the order of a page, each once."""
        if not (self.terms or self.number):
            return True
        return not (self.number or self.has_type) and len(self.terms) == 1 and self.terms[0].is_ordered


def prepare_query(connection: sa.Connection, tenant: int, query: Query) -> tuple[QueryShape, dict[str, Any]]:
    """Return the shape of a query, and the parameters for its statements.

    The most selective term comes first, to find candidates that are then checked for the others. PostgreSQL knows by
    itself which term is selective, but not among lists of corrected words. The statement of a lookup estimates it.
    """
    dialect = connection.dialect.name
    is_planned = dialect == "postgresql" and all(len(term.exact) <= 1 for term in query.terms)
    ordered: Sequence[Term] = sorted(query.terms, key=lambda term: bool(term.prefix))  # exact terms first
    if not is_planned:
        ordered = _most_selective_first(connection, tenant, query.terms)
    term_shapes = tuple(shape_of(f"s{number}", term) for number, term in enumerate(ordered))
    number_shapes = tuple(shape_of(f"n{number}", term) for number, term in enumerate(query.number_words))
    number: Literal["", "short", "long"] = "long" if len(query.number) >= LONG_NUMBER else "short"
    is_lookup = query.is_lookup and connection.get_execution_options().get(GENERIC_PLANS, False)
    shape = QueryShape(
        dialect,
        query.type is not None,
        term_shapes,
        number if query.number else "",
        number_shapes,
        query.matches_nothing,
        is_lookup,
    )
    signature = signature_of(filter(None, (term.signature_prefix for term in query.terms)))
    parameters: dict[str, Any] = {"tenant": tenant, "type": query.type, "signature": signature}
    for term_shape, term in zip((*term_shapes, *number_shapes), (*ordered, *query.number_words), strict=True):
        parameters |= dict(parameters_of(term_shape, term))
    if query.number:
        parameters |= _number_parameters(query.number)
    return shape, parameters


def find_seqs(shape: QueryShape) -> sa.Select[Any]:
    """Return the statement for the `seq` of every live contact that matches, each once."""
    of_type = [contacts.c.type == sa.bindparam("type")] if shape.has_type else []
    if shape.matches_nothing:
        return _live().where(sa.false())
    if not shape.terms:
        return _by_number(shape) if shape.number else _live().where(*of_type)
    first, *others = shape.terms
    if not (others or shape.number or shape.has_type):
        return _by_term(first)
    if shape.is_lookup and others:
        return _by_two_words(first, *others)
    # Only live contacts have terms; repeating that condition would mislead the planner.
    candidates = _by_term(first, check_signature=bool(others)).subquery()
    found = sa.select(candidates.c.seq).join(contacts, _is_contact(candidates))
    found = found.where(*of_type, *(term.matches_contact(candidates.c.seq) for term in others))
    if shape.number:
        as_words = sa.and_(sa.true(), *(term.matches_contact(candidates.c.seq) for term in shape.number_words))
        found = found.where(sa.or_(_has_digits(), as_words))
    return found


def matches_row(shape: QueryShape) -> sa.ColumnElement[bool]:
    """Return the condition that a row matches a query without tags, for contacts that are in no index."""
    conditions: list[sa.ColumnElement[bool]] = [term.matches_row() for term in shape.terms]
    if shape.has_type:
        conditions.append(contacts.c.type == sa.bindparam("type"))
    if shape.number:
        as_words = sa.and_(sa.true(), *(term.matches_row() for term in shape.number_words))
        conditions.append(sa.or_(_has_digits(), as_words))
    return sa.false() if shape.matches_nothing else sa.and_(sa.true(), *conditions)


def _by_two_words(word: TermShape, prefix: TermShape) -> sa.Select[Any]:
    """Contacts with both, by the more selective one: the statement itself decides, as its plan knows no values."""
    estimate = _is_word_cheaper(word, prefix).cte("estimate")
    is_word_cheaper = sa.select(estimate.c.is_word_cheaper).scalar_subquery()
    by_word, by_prefix = _by_first_of_two(word, prefix), _by_first_of_two(prefix, word)
    either = sa.union_all(by_word.where(is_word_cheaper), by_prefix.where(sa.not_(is_word_cheaper))).subquery()
    return sa.select(either.c.seq)


def _by_first_of_two(first: TermShape, second: TermShape) -> sa.Select[Any]:
    """Contacts found by one word whose rows have the other: signatures leave few rows to read."""
    candidates = _by_term(first, check_signature=True).subquery()
    return sa.select(candidates.c.seq).join(contacts, _is_contact(candidates)).where(second.matches_row())


def _by_term(term: TermShape, *, check_signature: bool = False) -> sa.Select[Any]:
    """Contacts with a term, each once; with `check_signature`, those that can have the other terms of the query."""
    selects = _selects_by_term(term)
    if check_signature:
        selects = [each.where(terms.c.signature.bitwise_and(_SIGNATURE) == _SIGNATURE) for each in selects]
    if len(selects) == 1:
        return selects[0] if term.is_ordered else selects[0].distinct()
    return sa.select(sa.union(*selects).subquery().c.seq)


def _selects_by_term(term: TermShape) -> list[sa.Select[Any]]:
    return [_select_terms().where(condition) for condition in term.conditions()]


def _by_number(shape: QueryShape) -> sa.Select[Any]:
    """Contacts with the digits in their phone number, and those that have the number as words."""
    if shape.number == "long":
        by_phone = _select_terms().where(_has_suffix_with_prefix())
    else:
        by_phone = _live().where(_has_fragment(shape.dialect))
    either = sa.union_all(by_phone, *_by_number_words(shape)).subquery()
    found = sa.select(either.c.seq).distinct()
    if shape.has_type:
        found = found.join(contacts, _is_contact(either)).where(contacts.c.type == sa.bindparam("type"))
    return found


def _by_number_words(shape: QueryShape) -> Sequence[sa.Select[Any]]:
    """Contacts that have the number as words, some of them more than once."""
    if len(shape.number_words) == 1:
        return _selects_by_term(shape.number_words[0])
    return [find_seqs(replace(shape, has_type=False, terms=shape.number_words, number="", number_words=()))]


def _live() -> sa.Select[Any]:
    return sa.select(contacts.c.seq).where(contacts.c.tenant == TENANT, contacts.c.deleted_at.is_(None))


def _is_contact(found: sa.FromClause) -> sa.ColumnElement[bool]:
    """The condition that a row of `contacts` is one of those found, by its primary key."""
    return sa.and_(contacts.c.tenant == TENANT, contacts.c.seq == found.c.seq)


def _select_terms() -> _Rows:
    return sa.select(terms.c.contact_seq.label("seq")).where(terms.c.tenant == TENANT)


# Phone numbers. A long fragment is the prefix of a suffix of the number, and suffixes are terms. For short fragments,
# PostgreSQL has a trigram index, of which only the last two trigrams are used: many numbers start alike. SQLite has a
# full-text index of four-digit pieces. Either index leads to candidates whose digits are then compared.


def _has_suffix_with_prefix() -> sa.ColumnElement[bool]:
    starts = terms.c.term >= sa.bindparam("number"), terms.c.term < sa.bindparam("after_number")
    return sa.and_(terms.c.kind == "end", *starts)


def _has_fragment(dialect: str) -> sa.ColumnElement[bool]:
    if dialect != "sqlite":
        # `strpos` checks the rest: a second LIKE would also look up all of its trigrams in the index.
        has_digits = sa.func.strpos(contacts.c.phone_digits, sa.bindparam("number")) > 0
        return sa.and_(contacts.c.phone_digits.like(sa.bindparam("trigrams")), has_digits)
    matches: sa.Select[Any] = sa.select(sa.literal_column("rowid")).select_from(sa.text("contact_phones"))
    return sa.and_(contacts.c.seq.in_(matches.where(sa.text("contact_phones MATCH :pieces"))), _has_digits())


def _has_digits() -> sa.ColumnElement[bool]:
    return contacts.c.phone_digits.like(sa.bindparam("digits_like"))


def _number_parameters(fragment: str) -> dict[str, str]:
    last_two = [fragment[-2 * _TRIGRAM_LENGTH : -_TRIGRAM_LENGTH], fragment[-_TRIGRAM_LENGTH:]]
    indexed = "%".join(last_two) if len(fragment) >= 2 * _TRIGRAM_LENGTH else fragment
    return {  # only digits, so there is nothing to escape
        "number": fragment,
        "after_number": f"{fragment}:",  # a colon sorts after every digit
        "digits_like": f"%{fragment}%",
        "trigrams": f"%{indexed}%",
        "pieces": _full_text_query(fragment),
    }


def _full_text_query(fragment: str) -> str:
    if len(fragment) < PHONE_PIECE_LENGTH:
        return f"{fragment}*"
    # The last piece, and the one before it.
    starts = len(fragment) - PHONE_PIECE_LENGTH, max(0, len(fragment) - 2 * PHONE_PIECE_LENGTH)
    return " AND ".join(f'"{fragment[start : start + PHONE_PIECE_LENGTH]}"' for start in starts)


# Selectivity: which of several terms the fewest contacts have, estimated from samples.

_SAMPLE_SIZE = 200  # per condition; counting all matches would take longer than the rest of the query
_COUNT_SHARE = 8  # a condition without order is counted up to this fraction of the lowest estimate
_PREFIX_COST = 3  # reads per match: most contacts match a prefix twice (`olav`, `olav.hansen`), pages apart
_UNKNOWN = 2.0**60


def _most_selective_first(connection: sa.Connection, tenant: int, query_terms: Sequence[Term]) -> Sequence[Term]:
    """Sort terms by the estimated number of matches, then terms without a prefix first."""
    if len(query_terms) <= 1:
        return query_terms
    shapes = tuple(shape_of(f"s{number}", term) for number, term in enumerate(query_terms))
    parameters: dict[str, Any] = {"tenant": tenant}
    for shape, term in zip(shapes, query_terms, strict=True):
        parameters |= dict(parameters_of(shape, term))
    matches = {row.term: row.matches for row in connection.execute(_estimates(shapes), parameters)}
    order = sorted(range(len(query_terms)), key=lambda number: (matches[number], bool(query_terms[number].prefix)))
    return [query_terms[number] for number in order]


def _is_word_cheaper(word: TermShape, prefix: TermShape) -> sa.Select[bool]:
    """Return the query whether matches of the word are cheaper to read than those of the prefix."""
    estimates = _estimates((word, prefix)).cte("estimates")

    def matches(term: int) -> sa.ScalarSelect[float]:
        return sa.select(estimates.c.matches).where(estimates.c.term == term).scalar_subquery()

    return sa.select((matches(0) <= _PREFIX_COST * matches(1)).label("is_word_cheaper"))


@lru_cache(64)
def _estimates(shapes: tuple[TermShape, ...]) -> _Rows:
    """Return the query for the estimated number of `matches` of each `term`, which is its index in `shapes`.

    If an index has the matches in the order of `seq`, the newest ones are a sample of how they are distributed. Other
    matches are counted, up to a limit that is little work compared with reading the matches of the best term.
    """
    samples = [(number, *sample) for number, shape in enumerate(shapes) for sample in shape.samples()]
    counts: list[_Rows] = []
    limit: sa.ColumnElement[int] = sa.literal(_SAMPLE_SIZE)
    if ordered := [_newest(term, part, condition) for term, part, condition, is_ordered in samples if is_ordered]:
        extrapolated = _extrapolate(ordered).cte("extrapolated")
        counts.append(sa.select(extrapolated))
        share = sa.func.min(extrapolated.c.matches) / _COUNT_SHARE
        at_least = sa.case((share > _SAMPLE_SIZE, share), else_=_SAMPLE_SIZE)
        limit = sa.select(sa.cast(at_least, sa.Integer)).scalar_subquery()
    counts += [
        _counted(term, part, condition, limit) for term, part, condition, is_ordered in samples if not is_ordered
    ]
    each = sa.union_all(*counts).subquery()
    lowest = sa.func.min(each.c.matches).label("matches")
    best = sa.select(each.c.term, lowest).group_by(each.c.term, each.c.part).subquery()
    return sa.select(best.c.term, sa.func.sum(best.c.matches).label("matches")).group_by(best.c.term)


def _newest(term: int, part: int, condition: sa.ColumnElement[bool]) -> _Rows:
    """The number of the newest matches, up to the size of a sample, and their first and last `seq`."""
    sample = _select_terms().where(condition).order_by(terms.c.contact_seq.desc()).limit(_SAMPLE_SIZE).subquery()
    newest, oldest = sa.func.max(sample.c.seq).label("newest"), sa.func.min(sample.c.seq).label("oldest")
    labels = sa.literal(term).label("term"), sa.literal(part).label("part")
    return sa.select(*labels, sa.func.count().label("matches"), newest, oldest).select_from(sample)


def _extrapolate(samples: Sequence[_Rows]) -> _Rows:
    """The size of each sample if it has all matches; else its density times the highest `seq`."""
    each = sa.union_all(*samples).subquery()
    density = each.c.matches / (each.c.newest - each.c.oldest + sa.literal(1.0))
    projected = sa.func.max(each.c.newest).over() * density
    matches = sa.case((each.c.matches < _SAMPLE_SIZE, each.c.matches), else_=projected)
    return sa.select(each.c.term, each.c.part, matches.label("matches"))


def _counted(term: int, part: int, condition: sa.ColumnElement[bool], limit: sa.ColumnElement[int]) -> _Rows:
    counted = _select_terms().where(condition).limit(limit).subquery()
    matches = sa.case((sa.func.count() < limit, sa.func.count()), else_=_UNKNOWN)
    labels = sa.literal(term).label("term"), sa.literal(part).label("part")
    return sa.select(*labels, matches.label("matches")).select_from(counted)


# Pages, with the total number of matches.


def fetch_page(
    connection: sa.Connection,
    shape: QueryShape,
    parameters: Mapping[str, Any],
    window: Mapping[str, Any],
    *,
    has_first: bool = False,
) -> tuple[Sequence[Row], int]:
    """Return a page and the total, by one statement unless the page is behind the last match.

    `window` is `limit` and `offset`. With `has_first`, the contacts whose `seq` is in the parameter `first` come first.
    """
    rows = connection.execute(_page(shape, has_first=has_first), {**parameters, **window}).mappings().all()
    if rows:
        return rows, rows[0]["total"]
    return rows, connection.execute(_total(shape), parameters).scalar_one() if window["offset"] else 0


@lru_cache(64)
def _page(shape: QueryShape, *, has_first: bool = False) -> sa.Select[Any]:
    """Matching contacts, newest first, each with the `total`."""
    if shape.is_lookup:
        return _lookup_page(shape)
    found = find_seqs(shape).subquery()
    # Matches that must be searched are counted as they are found; matches in the order of an index are not all read.
    total_of_found = () if shape.is_ordered else (sa.func.count().over().label("total"),)

    def order(seq: Any) -> tuple[Any, ...]:
        return (*((seq.in_(sa.bindparam("first", expanding=True)).desc(),) if has_first else ()), seq.desc())

    seqs = sa.select(found.c.seq, *total_of_found).order_by(*order(found.c.seq))
    page = seqs.limit(sa.bindparam("limit")).offset(sa.bindparam("offset")).subquery()
    total = _count_matches(shape, found).scalar_subquery().label("total") if shape.is_ordered else page.c.total
    return sa.select(*contacts.c, total).join(page, _is_contact(page)).order_by(*order(contacts.c.seq))


def _lookup_page(shape: QueryShape) -> sa.Select[Any]:
    """The page of a lookup: its matches are an array, so that the query plan does not depend on their number."""
    found = find_seqs(shape)
    newest_first = found.order_by(found.selected_columns.seq.desc()).scalar_subquery()
    matches = sa.select(sa.func.array(newest_first, type_=_SEQS).label("seqs")).cte("matches")
    offset = sa.cast(sa.func.least(sa.bindparam("offset", type_=sa.BigInteger), _MAX_OFFSET), sa.Integer)
    part = sa.select(matches.c.seqs[offset + 1 : offset + sa.bindparam("limit", type_=sa.Integer)])
    page = sa.cast(part.scalar_subquery(), _SEQS)
    total = sa.select(sa.func.cardinality(matches.c.seqs)).scalar_subquery()
    rows = sa.select(*contacts.c, total.label("total"))
    rows = rows.where(contacts.c.tenant == TENANT, contacts.c.seq == sa.func.any(page))
    return rows.order_by(contacts.c.seq.desc())


@lru_cache(64)
def _total(shape: QueryShape) -> sa.Select[int]:
    return _count_matches(shape, find_seqs(shape).subquery())


def _count_matches(shape: QueryShape, found: sa.FromClause) -> sa.Select[int]:
    return count_live(*shape.counter) if shape.counter else sa.select(sa.func.count()).select_from(found)
