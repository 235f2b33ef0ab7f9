"""Who is whom: the keys and the likeness by which imports, searches and duplicates know a person again."""

from contacts_mcp.matching._clusters import Cluster
from contacts_mcp.matching._duplicates import Candidate, Duplicates, find_duplicates
from contacts_mcp.matching._index import Index, Match
from contacts_mcp.matching._keys import email_key, phone_key
from contacts_mcp.matching._names import names_alike
from contacts_mcp.matching._query import variants
from contacts_mcp.matching._rank import Ranked, is_clear, rank

__all__ = [
    "Candidate",
    "Cluster",
    "Duplicates",
    "Index",
    "Match",
    "Ranked",
    "email_key",
    "find_duplicates",
    "is_clear",
    "names_alike",
    "phone_key",
    "rank",
    "variants",
]
