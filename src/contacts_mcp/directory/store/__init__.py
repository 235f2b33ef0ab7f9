"""Reads and writes of the directory: functions that take a connection and, mostly, the tenant they work for."""

from contacts_mcp.directory.store.bulk import insert_rows
from contacts_mcp.directory.store.bulk import within as chunks
from contacts_mcp.directory.store.contacts import Listed as ContactPage
from contacts_mcp.directory.store.contacts import (
    create_contact,
    create_contacts,
    delete_contact,
    erase_contact,
    get_contact,
    list_contacts,
    update_contact,
    update_contacts,
)
from contacts_mcp.directory.store.erasure import PERSONAL as PERSONAL_FIELDS
from contacts_mcp.directory.store.groups import (
    add_members,
    create_group,
    delete_group,
    get_group,
    list_groups,
    list_members,
    remove_member,
    update_group,
)
from contacts_mcp.directory.store.index import add as add_to_index
from contacts_mcp.directory.store.index import entries_of as index_entries
from contacts_mcp.directory.store.index import rebuild as rebuild_index
from contacts_mcp.directory.store.index import words_column
from contacts_mcp.directory.store.journal import catch_up as sync_journal
from contacts_mcp.directory.store.journal import journal_of as journal_path
from contacts_mcp.directory.store.journal import read as read_journal
from contacts_mcp.directory.store.journal import read_lines as read_journal_file
from contacts_mcp.directory.store.keys import SCOPES
from contacts_mcp.directory.store.keys import Key as ApiKey
from contacts_mcp.directory.store.keys import create as create_key
from contacts_mcp.directory.store.keys import find as find_key
from contacts_mcp.directory.store.keys import prefix_of as key_prefix
from contacts_mcp.directory.store.keys import read as list_keys
from contacts_mcp.directory.store.keys import revoke as revoke_key
from contacts_mcp.directory.store.once import create_once
from contacts_mcp.directory.store.phones import pieces as phone_pieces
from contacts_mcp.directory.store.query import Query
from contacts_mcp.directory.store.query import read as parse_query
from contacts_mcp.directory.store.receipts import end as receipt_chain_end
from contacts_mcp.directory.store.receipts import faults as verify_receipts
from contacts_mcp.directory.store.receipts import read as read_receipts
from contacts_mcp.directory.store.receipts import replay as replay_receipts
from contacts_mcp.directory.store.rows import Row
from contacts_mcp.directory.store.scan import scan_contacts
from contacts_mcp.directory.store.spelling import forms_of as deletion_variants
from contacts_mcp.directory.store.spelling import learnable as correctable_words
from contacts_mcp.directory.store.spent import spend as spend_nonce
from contacts_mcp.directory.store.words import names_of as name_words
from contacts_mcp.directory.store.words import phone_digits

__all__ = [
    "PERSONAL_FIELDS",
    "SCOPES",
    "ApiKey",
    "ContactPage",
    "Query",
    "Row",
    "add_members",
    "add_to_index",
    "chunks",
    "correctable_words",
    "create_contact",
    "create_contacts",
    "create_group",
    "create_key",
    "create_once",
    "delete_contact",
    "delete_group",
    "deletion_variants",
    "erase_contact",
    "find_key",
    "get_contact",
    "get_group",
    "index_entries",
    "insert_rows",
    "journal_path",
    "key_prefix",
    "list_contacts",
    "list_groups",
    "list_keys",
    "list_members",
    "name_words",
    "parse_query",
    "phone_digits",
    "phone_pieces",
    "read_journal",
    "read_journal_file",
    "read_receipts",
    "rebuild_index",
    "receipt_chain_end",
    "remove_member",
    "replay_receipts",
    "revoke_key",
    "scan_contacts",
    "spend_nonce",
    "sync_journal",
    "update_contact",
    "update_contacts",
    "update_group",
    "verify_receipts",
    "words_column",
]
