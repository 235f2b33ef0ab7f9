"""The public face of the directory's packages."""

import subprocess
import sys

import pytest

from contacts_mcp import directory
from contacts_mcp.directory import api, database, maintenance, service, store


@pytest.mark.parametrize(
    ("package", "names"),
    [
        (
            directory,
            """
            DEFAULT_RATE_LIMIT EXTENSIONS KEY_CACHE_SECONDS NO_DIRECTORY UNDO ApiKey BackupRefused ContactErased
            Directory DirectoryError DirectoryNotFound DirectoryUnavailable Location PostgresServer TenantContact
            default_path list_extensions parse_location with_replica
            """,
        ),
        (api, "RESPONSE_MODELS ROUTERS TENANT_SCOPE_KEY ContactType InProcessApi Tenant build_app render_refusal"),
        (service, "build_service"),
        (maintenance, "Maintenance Migration TenantContact check migrate sample_contacts"),
        (
            store,
            """
            DEFAULT_SCOPES PERSONAL_FIELDS SCOPES ApiKey ContactPage GivenKeys KeyFile Query Receipt Row Status
            StoredRecord UndoKeys UndoOffer UndoneContact add_members
            add_to_index approval_names check_key check_receipt_end chunks correctable_words create_approval
            create_contact
            create_contacts create_group create_key create_once delete_contact delete_group deletion_variants
            erase_contact erase_contacts find_key find_keys find_tenant get_contact get_group index_postings insert_rows
            journal_path key_prefix list_contacts list_deleted list_groups list_keys list_members
            list_tenants merge_contacts name_words open_database parse_query phone_digits phone_pieces
            read_approval read_journal read_journal_file read_latest_receipts read_person read_receipt read_receipts
            read_undo rebuild_index
            receipt_chain_end record_use remove_member replay_receipts restore_contact revoke_key scan_contacts
            spend_nonce undo_update update_contact update_contacts update_group update_with_undo verify_receipts
            words_column
            """,
        ),
        (
            database,
            """
            DERIVED_TABLES GENERIC_PLANS OWNER REVISION REVISION_TABLE Database Engine Prepared approvals build_engine
            cli_command connect_file contacts content_faults counters create_private_file create_statements
            explain_sqlite_error file_uri format_seconds format_time groups idempotency_keys inspect_backup keys
            memberships metadata nonces not_created now now_after prepare_file
            receipt_chain receipts require_known_revision spellings tenants terms undo_entries undo_receipts
            """,
        ),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_package_has_these_public_names(package, names):
    assert names.split() == package.__all__
    assert all(hasattr(package, name) for name in package.__all__)


def test_importing_the_directory_loads_neither_fastapi_nor_sqlalchemy():
    program = "import sys, contacts_mcp.directory; print({'fastapi', 'sqlalchemy'} & sys.modules.keys())"

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)

    assert done.stdout.strip() == "set()"
