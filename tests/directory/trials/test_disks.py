"""Full and read-only disks: writes are refused with the reason, nothing is damaged, and later writes succeed."""

import os
import random
import shutil
import subprocess
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from contacts_mcp.directory import Directory, parse_location
from contacts_mcp.directory.maintenance import check

pytestmark = pytest.mark.system


def run_as_root(*command):
    """Run an administrator's command; skip the test if it is not permitted or not installed."""
    if os.getuid() or not shutil.which(command[0]):
        pytest.skip(f"`{command[0]}` needs root, and to be installed")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"`{command[0]}` is not permitted here: {done.stderr.strip()}")


@contextmanager
def small_disk(folder, size):
    folder.mkdir(exist_ok=True)
    run_as_root("mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


async def fill(http):
    """Write until a write is refused; return the number of contacts and the refusal."""
    chance, made = random.Random(1), 0
    for _ in range(1_000):
        notes = [chance.randbytes(2_000).hex() for _ in range(25)]
        creates = [{"name": f"Filling {number}", "notes": text} for number, text in enumerate(notes)]
        answer = await http.post("/v1/directory/contacts", json={"creates": creates})
        if answer.status_code != 200:
            return made, answer
        made += len(creates)
    raise AssertionError("the disk is never full")


def assert_refusal(answer, location, status, *words):
    """Assert that a write was refused in one line with the location and what to do."""
    assert answer.status_code == status, answer.text
    detail = answer.json()["detail"]
    assert "\n" not in detail
    for word in (str(location), *words):
        assert word in detail


async def assert_intact(location, http, total):
    """Assert that no contact is lost, and that another one can be written."""
    assert (await http.get("/v1/contacts")).json()["total"] == total
    assert (await http.post("/v1/contacts", json={"name": "One more"})).status_code == 201
    assert (await http.get("/v1/contacts", params={"search": "one more"})).json()["total"] == 1
    assert (await http.get("/v1/contacts")).json()["total"] == total + 1
    async with Directory(location) as directory:
        assert await directory._database.read(check) == []


async def test_file_on_a_full_disk_refuses_writes_until_there_is_space(tmp_path, open_directory):
    with small_disk(tmp_path / "disk", "4m") as disk:
        location, other = disk / "contacts.db", disk / "other"
        other.write_bytes(b"x" * 1_500_000)
        async with open_directory(location) as http:
            made, answer = await fill(http)

            assert_refusal(answer, location, 507, "full disk", "nothing was changed", "free some space")
            assert made
            listed = await http.get("/v1/contacts", params={"search": "filling"})
            assert (listed.status_code, listed.json()["total"]) == (200, made)
            other.unlink()
            await assert_intact(location, http, made)


async def test_erasure_on_a_full_disk_is_refused_until_there_is_space(tmp_path, open_directory):
    """It succeeds when there is space again."""
    with small_disk(tmp_path / "disk", "8m") as disk:
        location, other = disk / "contacts.db", disk / "other"
        other.write_bytes(b"x" * 5_500_000)
        async with open_directory(location) as http:
            who = (await http.post("/v1/contacts", json={"name": "Qvxname"})).json()["id"]
            made, _ = await fill(http)
            with (disk / "rest").open("wb", buffering=0) as rest, suppress(OSError):
                for _ in range(100_000):
                    rest.write(b"x" * 512)

            first = await http.post(f"/v1/contacts/{who}/gdpr-delete", json={"reason": "asked"})

            assert_refusal(first, location, 507, "free some space")
            other.unlink()
            (disk / "rest").unlink()
            assert (await http.post(f"/v1/contacts/{who}/gdpr-delete", json={"reason": "asked"})).status_code == 200
            await assert_intact(location, http, made)
        assert not any(b"qvxname" in file.read_bytes().lower() for file in disk.iterdir())


async def test_file_on_a_read_only_disk_is_refused_until_it_is_writable(tmp_path, open_directory):
    with small_disk(tmp_path / "disk", "8m") as disk:
        location = disk / "contacts.db"
        async with open_directory(location) as http:
            await http.post("/v1/contacts", json={"name": "First"})
        run_as_root("mount", "-o", "remount,ro", disk)

        async with open_directory(location) as http:
            assert_refusal(
                await http.post("/v1/contacts", json={"name": "Lazy"}),
                location,
                503,
                "no permission to read and write it",
                "choose another path",
            )
            run_as_root("mount", "-o", "remount,rw", disk)
            await assert_intact(location, http, 1)


@pytest.mark.parametrize(
    ("immutable", "words"),
    [
        ("folder/contacts.db", ("no permission to read and write it", "choose another path")),
        ("folder", ("cannot be opened", "folder is writable")),
    ],
)
async def test_immutable_file_or_folder_is_refused_until_it_is_writable(tmp_path, open_directory, immutable, words):
    """Immutable also for root. SQLite needs to create files beside the directory."""
    path = tmp_path / "folder" / "contacts.db"
    async with open_directory(path) as http:
        await http.post("/v1/contacts", json={"name": "First"})

    async with open_directory(path) as http:
        run_as_root("chattr", "+i", tmp_path / immutable)
        try:
            answer = await http.post("/v1/contacts", json={"name": "Lazy"})
        finally:
            run_as_root("chattr", "-i", tmp_path / immutable)
        assert_refusal(answer, path, 503, *words)
        await assert_intact(path, http, 1)


async def test_read_only_server_refuses_writes_until_it_is_writable(postgres, database, open_directory):
    """Like a standby server."""
    name = database.url.partition("?")[0].rpartition("/")[2]
    others = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
    async with open_directory(database) as http:
        await http.post("/v1/contacts", json={"name": "First"})
        postgres.sql(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
        postgres.sql(others)

        assert_refusal(
            await http.post("/v1/contacts", json={"name": "Lazy"}),
            database,
            503,
            "is read-only and nothing was changed",
            "use the primary server",
        )

        assert (await http.get("/v1/contacts")).json()["total"] == 1
        postgres.sql(f"ALTER DATABASE {name} RESET default_transaction_read_only")
        postgres.sql(others)
        await assert_intact(database, http, 1)


@pytest.mark.load
async def test_server_on_a_full_disk_refuses_writes_until_there_is_space(postgres, prepared, open_directory):
    folder = Path(tempfile.mkdtemp(prefix="contacts-disk-"))
    try:
        folder.chmod(0o755)
        with small_disk(folder, "32m") as disk:
            if postgres.user:
                shutil.chown(disk, postgres.user)
            other = disk / "other"
            other.write_bytes(b"x" * 4_000_000)
            postgres.sql(f"CREATE TABLESPACE small LOCATION '{disk}'")
            postgres.sql(f"CREATE DATABASE small TEMPLATE {prepared} TABLESPACE small")
            location = parse_location(postgres.url("small"))
            try:
                async with open_directory(location) as http:
                    made, answer = await fill(http)

                    assert_refusal(answer, location, 507, "full disk", "nothing was changed", "free some space")
                    assert made
                    assert (await http.get("/v1/contacts")).json()["total"] == made
                    other.unlink()
                    await assert_intact(location, http, made)
            finally:
                postgres.drop_database(postgres.url("small"))
                postgres.sql("DROP TABLESPACE small")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
