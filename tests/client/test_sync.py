"""The synchronous client."""

import gc
import inspect
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import anyio
import httpx
import pytest
from anyio.from_thread import BlockingPortal

from contacts_mcp.client import ClientOptions, ContactsClient, SyncContactsClient
from contacts_mcp.contract import CreateContact, GetContact, ListContactGroups, ListContacts, NotFound
from support.processes import clean_environment

ID = "00000000-0000-0000-0000-000000000000"


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    with SyncContactsClient.for_directory(tmp_path_factory.mktemp("sync") / "contacts.db") as opened:
        for number in range(5):
            opened.send(CreateContact(name=f"Ola{number}", tags=["vip"]))
        yield opened


def service(respond) -> SyncContactsClient:
    return SyncContactsClient(base_url="http://service", transport=httpx.MockTransport(respond), max_retries=0)


def client_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "contacts-client"]


def test_iterate_returns_the_contacts_of_all_pages(client):
    found = [contact.name for contact in client.iterate(ListContacts(tags=["vip"], per_page=2))]

    assert sorted(found) == ["Ola0", "Ola1", "Ola2", "Ola3", "Ola4"]


def test_list_all_without_a_call_returns_all_contacts(client):
    assert len(client.list_all()) == 5


def test_extensions_are_those_of_the_directory(client):
    assert {"scan", "batch"} <= client.extensions()


def test_error_of_the_service_is_raised_in_the_caller(client):
    with pytest.raises(NotFound):
        client.send(GetContact(contact_id=ID))


async def test_client_works_while_an_event_loop_runs(client):
    """As in a notebook, whose cells run in a loop."""
    assert len(client.list_all()) == 5


def test_several_threads_share_a_client(client):
    with ThreadPoolExecutor(8) as threads:
        counts = list(threads.map(lambda _: len(client.list_all(ListContacts(per_page=2))), range(16)))

    assert counts == [5] * 16


def test_progress_is_reported_to_a_plain_function():
    """The service ignores the filter, so that the client reads all contacts."""
    rows = [{"id": ID, "first_name": "Ola", "contact_type": "person", "tags": []}]
    reported = []
    with service(lambda _: httpx.Response(200, json={"contacts": rows, "total": 1, "page": 1})) as client:
        client.send(ListContacts(type="company"), report=lambda *progress: reported.append(progress))

    assert reported == [(1, 1, "contacts read")]


@pytest.fixture
def interruptible():
    """SIGINT interrupts: the background jobs of a shell ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_interrupt_cancels_the_call():
    cancelled = threading.Event()

    async def interrupt(_request):
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
        try:
            await anyio.sleep_forever()
        finally:
            cancelled.set()

    with service(interrupt) as client, pytest.raises(KeyboardInterrupt):
        client.send(ListContactGroups())

    assert cancelled.is_set()


def test_interrupt_before_the_wait_cancels_the_call(monkeypatch):
    """Right after the call has begun in the other thread."""
    cancelled = threading.Event()
    begun = threading.Event()
    interrupts = [KeyboardInterrupt]
    start = BlockingPortal.start_task_soon

    async def wait(_request):
        begun.set()
        try:
            await anyio.sleep_forever()
        finally:
            cancelled.set()

    def interrupted_start(portal, function, *arguments, **options):
        future = start(portal, function, *arguments, **options)
        if interrupts:
            begun.wait(20)
            raise interrupts.pop()
        return future

    with service(wait) as client:
        monkeypatch.setattr(BlockingPortal, "start_task_soon", interrupted_start)
        with pytest.raises(KeyboardInterrupt):
            client.send(ListContactGroups())
        assert cancelled.wait(20)


def test_closed_client_has_no_thread_and_refuses_calls(tmp_path):
    before = client_threads()
    with SyncContactsClient.for_directory(tmp_path / "contacts.db") as client:
        assert len(client_threads()) == len(before) + 1
    client.close()

    assert client_threads() == before
    with pytest.raises(RuntimeError, match="this client is closed"):
        client.list_all()


def test_invalid_option_starts_no_thread():
    before = client_threads()
    with pytest.raises(ValueError, match="timeout must be more than 0 seconds"):
        SyncContactsClient(timeout=0)

    assert client_threads() == before


def test_forgotten_client_is_closed():
    """A notebook's cell that runs again replaces its client."""
    before = client_threads()
    client = service(lambda _: httpx.Response(404))
    assert len(client_threads()) == len(before) + 1

    del client

    assert client_threads() == before


def test_client_that_is_collected_in_its_own_thread_is_closed():
    """That thread cannot wait for itself."""
    before = client_threads()
    client = service(lambda _: httpx.Response(404))
    client.itself, portal = client, client._portal
    (thread,) = set(client_threads()) - set(before)

    del client
    portal.call(gc.collect)
    thread.join(5)

    assert not thread.is_alive()


def test_both_clients_have_the_same_methods_and_options():
    public = {name for name in vars(SyncContactsClient) if not name.startswith("_")}
    parameters = inspect.signature(ContactsClient.__init__).parameters

    assert public - {"close"} == {name for name in vars(ContactsClient) if not name.startswith("_")} - {"aclose"}
    assert ["self", *ClientOptions.__annotations__] == list(parameters)


def test_representation_names_the_directory(client):
    assert repr(client).startswith("<SyncContactsClient of the embedded directory in /")


@pytest.mark.system
def test_script_that_closes_no_client_ends_quietly(tmp_path):
    program = "from contacts_mcp.client import *; client = SyncContactsClient.for_directory('x.db'); client.list_all()"
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=tmp_path,
        env=clean_environment(tmp_path),
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("statement", "unwanted"),
    [
        ("import contacts_mcp.client", {"httpx", "anyio"}),
        ("from contacts_mcp.client import SyncContactsClient", {"fastapi", "sqlalchemy", "mcp", "phonenumbers"}),
    ],
)
def test_import_of_the_client_is_light(statement, unwanted):
    program = f"import sys; {statement}; print({unwanted} & sys.modules.keys())"

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)

    assert done.stdout.strip() == "set()"
