"""Who is whom: keys and names compared, duplicates found, candidates ranked. Pure functions over plain data."""

from contacts_mcp.matching._clusters import Cluster
from contacts_mcp.matching._duplicates import Candidate, Duplicates
from contacts_mcp.matching._index import Index, Match
from contacts_mcp.matching._keys import email_key, phone_key
from contacts_mcp.matching._names import names_alike
from contacts_mcp.matching._rank import Ranked, is_clear, rank
from contacts_mcp.matching._variants import variants

__all__ = [
    "Candidate",
    "Cluster",
    "Duplicates",
    "Index",
    "Match",
    "Ranked",
    "email_key",
    "is_clear",
    "names_alike",
    "phone_key",
    "rank",
    "variants",
]
