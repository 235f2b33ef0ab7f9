import json
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
import stamina

from contacts_mcp.client import ContactsClient, Credential
from support.services import KEY, ScriptedServer

SAMPLES = Path(__file__).parent / "samples"


@pytest.fixture(autouse=True)
def waits(monkeypatch) -> list[float]:
    """Record the waits between attempts in seconds, without waiting."""
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr(stamina._core, "_smart_sleep", sleep)
    return waited


@pytest.fixture
async def server():
    async with ScriptedServer() as misbehaving:
        yield misbehaving


@pytest.fixture
async def client(server):
    async with ContactsClient(base_url=server.url, credential=Credential.key(KEY, "a test")) as connected:
        yield connected


@pytest.fixture
def sample() -> Callable[[str], dict]:
    return lambda name: json.loads((SAMPLES / f"{name}.json").read_text())


@pytest.fixture
async def played():
    """Make a client over a function from request to response; `requests` of the result lists what was sent."""
    clients = []

    def play(respond, **options):
        requests = []

        def handle(request: httpx.Request) -> httpx.Response:
            requests.append(request)
            return respond(request)

        options = {"credential": Credential.key(KEY, "a test"), **options}
        made = ContactsClient(transport=httpx.MockTransport(handle), **options)
        clients.append(made)
        made.requests = requests
        return made

    yield play
    for made in clients:
        await made.aclose()
