"""Record linkage: match keys and similarities by which imports, searches and the duplicate search recognize people."""

from contacts_mcp.matching._duplicates import Cluster, ContactRecord, DisjointCluster, DuplicateFinder, to_disjoint
from contacts_mcp.matching._identity import Identity, identify, list_shared
from contacts_mcp.matching._index import ContactIndex, Match
from contacts_mcp.matching._search import (
    RankedContact,
    exact_search_texts,
    is_exact_match,
    is_unambiguous,
    iter_ranked,
    query_variants,
    rank_contacts,
    sort_ranked,
)
from contacts_mcp.matching._similarity import (
    SAME_NAME,
    SIMILAR_NAME,
    email_key,
    is_same_number,
    is_same_value,
    main_number,
    name_similarity,
    person_name,
    phone_key,
)

__all__ = [
    "SAME_NAME",
    "SIMILAR_NAME",
    "Cluster",
    "ContactIndex",
    "ContactRecord",
    "DisjointCluster",
    "DuplicateFinder",
    "Identity",
    "Match",
    "RankedContact",
    "email_key",
    "exact_search_texts",
    "identify",
    "is_exact_match",
    "is_same_number",
    "is_same_value",
    "is_unambiguous",
    "iter_ranked",
    "list_shared",
    "main_number",
    "name_similarity",
    "person_name",
    "phone_key",
    "query_variants",
    "rank_contacts",
    "sort_ranked",
    "to_disjoint",
]
