"""Output that nobody reads, or that is closed: the server starts, answers and ends all the same."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from contacts_mcp.directory import Directory
from support.processes import StdioServer, clean_environment, free_port, wait_until
from support.raw_hosts import modern
from transports.http.clients import headers_of

pytestmark = pytest.mark.system

CALLS, LINES = 200, 1_500
"""Calls, and malformed messages, whose log lines are more than a pipe holds."""
DROPPED = 11_000
"""Lines of malformed messages that are more than the queue holds."""
UNREAD = {"stderr": subprocess.PIPE}
LOUD = {"CONTACTS_MCP_LOG_LEVEL": "DEBUG"}
A_SECOND = 2.0  # twice as much, since other tests keep the machine busy


def create(number: int, tool: str = "create_contact", **arguments: Any) -> dict[str, Any]:
    return modern(number, "tools/call", name=tool, arguments=arguments or {"name": "Ola Nordmann"})


def send(server: StdioServer, message: dict[str, Any]) -> dict[str, Any]:
    server.write_line(json.dumps(message).encode())
    return json.loads(server.read_line())


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT, None], ids=["SIGTERM", "SIGINT", "end of input"])
def test_stdio_server_answers_and_ends_while_its_log_is_not_read(tmp_path: Path, how: signal.Signals | None) -> None:
    with StdioServer(tmp_path, options=UNREAD) as server:
        for _ in range(LINES):
            server.write_line(b"[]")
            server.read_line()
        assert "result" in send(server, create(1))
        seconds = server.end(how) if how else server.close_input()[1]

    assert seconds < A_SECOND


def test_lines_that_were_dropped_are_counted_once_the_log_is_read(tmp_path: Path) -> None:
    with StdioServer(tmp_path, options=UNREAD) as server:
        for _ in range(DROPPED):
            server.write_line(b"[]")
            server.read_line()
        assert server.process.stderr
        written = b""
        while b"lines of the log were dropped" not in written:
            written += os.read(server.process.stderr.fileno(), 65_536)
        server.close_input()


@pytest.mark.parametrize("closed", [(2,), (0, 2), (0, 1, 2)], ids=str)
def test_stdio_server_starts_with_closed_descriptors(tmp_path: Path, closed: tuple[int, ...]) -> None:
    """No file of the server gets the number of a closed one."""
    closing = " ".join(f"{descriptor}{'<' if descriptor == 0 else '>'}&-" for descriptor in closed)
    command = ["sh", "-c", f'exec "$@" {closing}', "sh", sys.executable, "-m", "contacts_mcp", "serve"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=clean_environment(tmp_path)
    ) as process:
        assert process.stdin
        assert process.stdout
        if 0 not in closed:
            process.stdin.write(json.dumps(create(1)).encode() + b"\n")
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["result"]["structuredContent"]["name"] == "Ola Nordmann"
        process.stdin.close()

    assert process.returncode == 0


@contextmanager
def full_pipe() -> Iterator[int]:
    """The writing end of a pipe that is full."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    try:
        while True:
            os.write(writing, b"x" * 4_096)
    except BlockingIOError:
        os.set_blocking(writing, True)
    yield writing
    os.close(writing)
    os.close(reading)


def test_stdio_server_starts_with_a_full_log(tmp_path: Path) -> None:
    with full_pipe() as writing, StdioServer(tmp_path, options={"stderr": writing}) as server:
        assert "result" in send(server, create(1))
        assert server.end(signal.SIGTERM) < A_SECOND


def test_stdio_server_goes_on_if_its_log_takes_no_lines(tmp_path: Path) -> None:
    """As on a full disk."""
    with Path("/dev/full").open("wb") as full, StdioServer(tmp_path, options={"stderr": full}) as server:
        assert "result" in send(server, create(1))
        assert "result" in send(server, create(2))
        server.close_input()
        assert server.process.returncode == 0


def test_host_that_does_not_read_and_goes_ends_the_server(tmp_path: Path) -> None:
    """More requests wait than are read, so the end of standard input is not read either."""
    requests = b"".join(json.dumps(modern(number, "tools/list")).encode() + b"\n" for number in range(3_000))
    with StdioServer(tmp_path) as server:
        assert "result" in send(server, modern("first", "tools/list"))
        assert server.process.stdin
        os.set_blocking(server.process.stdin.fileno(), False)
        sent = 0
        while written := _write_some(server.process.stdin.fileno(), requests[sent:]):
            sent += written
        server.process.stdin.close()
        server.process.wait(10)


def _write_some(descriptor: int, data: bytes) -> int:
    """Write what fits within two seconds; 0 if nothing does."""
    for _ in range(40):
        try:
            return os.write(descriptor, data[:4_096])
        except BlockingIOError:
            signal.sigtimedwait([], 0.05)
    return 0


@contextmanager
def listening(tmp_path: Path, *arguments: str, **variables: str) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """A server over HTTP whose standard error is not read, and its address."""
    with free_port() as port:
        pass
    command = [sys.executable, "-m", "contacts_mcp", *arguments, "--port", str(port)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, env=clean_environment(tmp_path, **variables)) as process:
        try:
            yield process, f"http://127.0.0.1:{port}"
        finally:
            process.kill()


async def answers(http: httpx.AsyncClient, path: str) -> None:
    for _ in range(600):
        with suppress(httpx.TransportError):
            if (await http.get(path)).status_code == 200:
                return
        await asyncio.sleep(0.05)
    pytest.fail("it does not listen")


async def test_http_server_answers_and_ends_while_its_log_is_not_read(tmp_path: Path) -> None:
    arguments = ("serve", "--transport", "http", "--audit", f"stderr,{tmp_path / 'trail.jsonl'}")
    with listening(tmp_path, *arguments, CONTACTS_MCP_RATE="0", **LOUD) as (process, url):
        async with httpx.AsyncClient(base_url=url, timeout=20) as http:
            await answers(http, "/healthz")
            for number in range(CALLS):
                headers = headers_of("tools/call", "create_contact")
                assert "result" in (await http.post("/mcp", json=create(number), headers=headers)).json()
        process.terminate()
        await wait_until(lambda: process.poll() is not None)


async def test_directory_service_answers_and_ends_while_its_log_is_not_read(tmp_path: Path) -> None:
    place = tmp_path / "contacts.db"
    async with Directory(place) as directory:
        key, _ = await directory.create_key("test", "default", ("read", "write"))
    with listening(tmp_path, "directory", "serve", "--directory", str(place), **LOUD) as (process, url):
        async with httpx.AsyncClient(base_url=url, timeout=20, headers={"X-API-Key": key}) as http:
            await answers(http, "/healthz")
            for _ in range(2 * CALLS):
                assert (await http.get("/v1/contacts")).status_code < 500
        process.terminate()
        await wait_until(lambda: process.poll() is not None)
