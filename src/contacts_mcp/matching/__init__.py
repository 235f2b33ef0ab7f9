"""Who is whom: the keys and the likeness by which imports, searches and duplicates know a person again."""

from contacts_mcp.matching._clusters import Cluster
from contacts_mcp.matching._duplicates import ContactRecord, DuplicateFinder, find_duplicates
from contacts_mcp.matching._index import ContactIndex, Match
from contacts_mcp.matching._keys import email_key, phone_key
from contacts_mcp.matching._names import name_similarity
from contacts_mcp.matching._query import query_variants
from contacts_mcp.matching._rank import RankedContact, is_unambiguous, rank_contacts

__all__ = [
    "Cluster",
    "ContactIndex",
    "ContactRecord",
    "DuplicateFinder",
    "Match",
    "RankedContact",
    "email_key",
    "find_duplicates",
    "is_unambiguous",
    "name_similarity",
    "phone_key",
    "query_variants",
    "rank_contacts",
]
