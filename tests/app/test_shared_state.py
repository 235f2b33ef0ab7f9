"""What the stdio processes of one user share: the key of confirmations, used confirmations, and exports."""

import asyncio
import json
import os
import re
import stat
import time
from itertools import count

import pytest

from contacts_mcp.app import Embedded, connect, open_shared_state
from contacts_mcp.app._consent import build_guard
from contacts_mcp.app._shared_state import SharedState
from contacts_mcp.contract import NotFound
from contacts_mcp.folder import Folder
from contacts_mcp.guard import FileNonceStore, NonceStoreUnavailable
from contacts_mcp.private_folder import PrivateFolder
from contacts_mcp.settings import Settings
from contacts_mcp.tools import Download, SharedDownloads
from support.hosts import deleted
from support.processes import StdioServer
from support.raw_hosts import modern

NONCES = (f"{number:032x}" for number in count())


@pytest.fixture(autouse=True)
def data_folder(tmp_path, monkeypatch):
    """The user's data folder, in a place of its own."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path / "data" / "wayscloud-contacts-mcp"


def backend(tmp_path, name="contacts.db"):
    return Embedded(tmp_path / name, "test")


def open_state(tmp_path, name="contacts.db", **settings) -> SharedState:
    state, warning = open_shared_state(Settings(**settings), backend(tmp_path, name))
    assert state, warning
    return state


def private(path):
    return not path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO)


async def test_state_is_readable_only_by_its_owner(tmp_path, data_folder):
    os.umask(0o022)
    state = open_state(tmp_path)
    await state.nonce_store().spend(next(NONCES), 0)
    await state.downloads(None).keep(Download("x", "text/csv", 1, lambda: b"x"), "local")
    paths = [data_folder, *data_folder.rglob("*")]

    assert len(paths) > 6
    assert [path for path in paths if not private(path)] == []


async def test_processes_on_one_backend_have_one_key_and_others_another(tmp_path):
    first, second, other = open_state(tmp_path), open_state(tmp_path), open_state(tmp_path, "other.db")

    assert first.seal_key == second.seal_key
    assert first.seal_key != other.seal_key
    assert len(first.seal_key) >= 32


async def test_key_is_the_same_if_several_processes_start_at_once(tmp_path):
    states = await asyncio.gather(*(asyncio.to_thread(open_state, tmp_path) for _ in range(20)))

    assert len({state.seal_key for state in states}) == 1


async def test_used_confirmation_counts_once_in_all_processes(tmp_path):
    stores = [FileNonceStore(PrivateFolder(tmp_path / "used")) for _ in range(10)]
    nonce = next(NONCES)

    spent = await asyncio.gather(*(store.spend(nonce, time.time() + 600) for store in stores * 3))

    assert sorted(spent) == [False] * 29 + [True]


async def test_expired_nonces_are_removed(tmp_path):
    folder = PrivateFolder(tmp_path / "used")
    store, old = FileNonceStore(folder), next(NONCES)
    await store.spend(old, 0)
    os.utime(folder.path / old, (0, 0))
    await store.spend(next(NONCES), 0)

    assert len(folder.files()) == 1


@pytest.mark.parametrize("nonce", ["", "../key", "a" * 31, "A" * 32, "a" * 31 + "/"])
async def test_text_that_is_no_nonce_is_never_accepted(tmp_path, nonce):
    assert not await FileNonceStore(PrivateFolder(tmp_path)).spend(nonce, 0)


async def test_confirmation_does_not_count_if_its_use_cannot_be_written(tmp_path):
    folder = PrivateFolder(tmp_path / "used")
    folder.path.rmdir()

    with pytest.raises(NonceStoreUnavailable):
        await FileNonceStore(folder).spend(next(NONCES), 0)


async def test_export_is_found_by_processes_with_the_same_backend_and_files(tmp_path):
    uri = await open_state(tmp_path).downloads(None).keep(Download("x.csv", "text/csv", 2, lambda: b"\n\xff"), "local")
    identifier = uri.rpartition("/")[2]
    found = await open_state(tmp_path).downloads(None).fetch(identifier, "local")

    assert (found.name, found.mime_type, found.size, found.read()) == ("x.csv", "text/csv", 2, b"\n\xff")
    for state in (open_state(tmp_path, "other.db"), open_state(tmp_path, files=tmp_path)):
        with pytest.raises(NotFound):
            await state.downloads(None).fetch(identifier, "local")


async def test_export_into_the_folder_for_files_is_not_copied(tmp_path):
    (tmp_path / "files").mkdir()
    files, shared = Folder(tmp_path / "files"), PrivateFolder(tmp_path / "exports")
    files.write("x.csv", [b"content"])
    kept = Download("x.csv", "text/csv", 7, lambda: files.read("x.csv").data, in_memory=False)
    uri = await SharedDownloads(shared, "", files).keep(kept, "local")
    found = await SharedDownloads(shared, "", files).fetch(uri.rpartition("/")[2], "local")

    assert found.read() == b"content"
    assert not [path for path in shared.path.rglob("*") if path.is_file() and b"content" in path.read_bytes()]


async def test_export_is_kept_in_memory_if_the_folder_cannot_be_written(tmp_path, caplog):
    shared = PrivateFolder(tmp_path / "exports")
    downloads = SharedDownloads(shared, "")
    shared.path.rmdir()
    shared.path.write_text("a file")
    uri = await downloads.keep(Download("x", "text/csv", 1, lambda: b"x"), "local")

    assert (await downloads.fetch(uri.rpartition("/")[2], "local")).read() == b"x"
    assert "kept in memory" in caplog.text


async def test_expired_export_is_removed_when_a_process_starts(tmp_path, data_folder):
    await open_state(tmp_path).downloads(None).keep(Download("x", "text/csv", 1, lambda: b"x"), "local")
    (kept,) = [path for path in (data_folder / "shared" / "exports").rglob("*") if path.is_file()]
    os.utime(kept, (0, 0))
    open_state(tmp_path, "other.db")

    assert not kept.exists()


def test_server_that_only_reads_writes_no_file(tmp_path, data_folder):
    assert open_shared_state(Settings(read_only=True), backend(tmp_path)) == (None, "")
    assert not data_folder.exists()


@pytest.mark.parametrize("fault", ["file", "link", "short key", "key is a link"])
def test_state_that_cannot_be_trusted_is_not_used(tmp_path, data_folder, fault):
    """The server works as if it were alone, and says so."""
    shared = data_folder / "shared"
    data_folder.mkdir(parents=True)
    if fault == "file":
        shared.write_text("")
    elif fault == "link":
        (tmp_path / "elsewhere").mkdir()
        shared.symlink_to(tmp_path / "elsewhere")
    else:
        shared.mkdir()
        (tmp_path / "elsewhere").write_text("x" * 64)
        key = shared / "key"
        key.write_text("short") if fault == "short key" else key.symlink_to(tmp_path / "elsewhere")
    state, warning = open_shared_state(Settings(), backend(tmp_path))

    assert state is None
    assert warning.startswith("confirmations and exports are valid only in this process: cannot use ")


async def test_keys_of_replicas_replace_the_shared_key(tmp_path):
    """Confirmations then count once on all replicas, not only on this machine."""
    state = open_state(tmp_path)
    guards = [
        build_guard(Settings(state_keys=keys), connect(backend(tmp_path)), None, state) for keys in (["k" * 32], [])
    ]

    assert [isinstance(guard._nonce_store, FileNonceStore) for guard in guards] == [False, True]


@pytest.mark.system
def test_each_call_may_have_a_process_of_its_own(tmp_path):
    """An export is read, and a token is used once, by other processes than those that made them."""

    def run(method, **params):
        with StdioServer(tmp_path, CONTACTS_MCP_GUARD="two-step") as server:
            server.start_reading()
            server.write_line(json.dumps(modern(1, method, **params)).encode())
            answer = server.answer(1)
            server.close_input()
            return answer["result"]

    def call(tool, **arguments):
        return run("tools/call", name=tool, arguments=arguments)

    ola = call("create_contact", name="Ola Nordmann")["structuredContent"]["id"]
    exported = call("export_contacts", format="csv")["structuredContent"]
    content = run("resources/read", uri=exported["uri"])["contents"][0]["text"]
    preview = str(call("delete_contact", contact_id=ola))
    token = re.search(r"confirmation_token[^A-Za-z0-9_-]+([A-Za-z0-9_.-]{80,})", preview)
    done = call("delete_contact", contact_id=ola, confirmation_token=token[1])
    again = call("delete_contact", contact_id=ola, confirmation_token=token[1])

    assert "Ola Nordmann" in content
    assert done["structuredContent"] == deleted(ola, "Ola Nordmann", "not verified")
    assert "used before" in str(again)
