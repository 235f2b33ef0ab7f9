"""When an issuer's keys are fetched, how long they are used, and which callers wait for them."""

import asyncio
import logging
import threading

import anyio
import pytest

from contacts_mcp.transports.http.access import _signing_keys
from contacts_mcp.transports.http.access._signing_keys import IssuerUnavailable
from contacts_mcp.transports.http.access._tokens import Issuer
from transports.http.issuer import AUDIENCE, RSA, RSA_TOO, LoopbackIssuer, good, jwk, why_not


async def test_keys_are_first_fetched_for_the_first_token(server, issuer):
    """A server starts even if its issuer is down."""
    assert server.requests == []

    await issuer.verify(server.token())
    await issuer.verify(server.token())

    assert server.requests == [server.discovery, "/keys"]


async def test_concurrent_first_use_fetches_once(server, issuer):
    """Fifty callers share one fetch."""
    await asyncio.gather(*(issuer.verify(server.token(sub=str(number))) for number in range(50)))

    assert server.fetches == 1


async def test_rotated_key_is_fetched_and_the_old_one_is_forgotten(server, issuer, clock):
    """The first token of the new key causes a fetch; tokens of the old key are refused."""
    old = server.token()
    await issuer.verify(old)
    server.keys = [jwk(RSA_TOO, "two")]
    clock.now += 31

    assert await issuer.verify(server.token(RSA_TOO, header={"kid": "two"}))
    assert "does not publish" in await why_not(issuer, old)
    assert server.fetches == 2


async def test_unknown_key_ids_cause_one_fetch_in_half_a_minute(server, issuer, clock):
    """A flood of such tokens does not flood the issuer."""
    await issuer.verify(server.token())
    clock.now += 31
    unknown = [server.token(RSA_TOO, header={"kid": f"unknown {number}"}) for number in range(100)]

    await asyncio.gather(*(why_not(issuer, token) for token in unknown))
    clock.now += 29
    await asyncio.gather(*(why_not(issuer, token) for token in unknown))
    assert server.fetches == 2

    clock.now += 2
    await asyncio.gather(*(why_not(issuer, token) for token in unknown))
    assert server.fetches == 3


async def test_keys_are_fetched_again_after_an_hour(server, issuer, clock):
    """A withdrawn key is accepted for an hour at most."""
    await issuer.verify(server.token())
    server.keys = [jwk(RSA_TOO)]
    clock.now += 3_599
    assert await issuer.verify(server.token())

    clock.now += 2
    assert await why_not(issuer, server.token()) == "the signature of the token is wrong"
    assert server.fetches == 2


async def test_known_keys_stay_in_use_for_a_day_of_outage(server, issuer, clock, caplog):
    """Tokens of unknown keys cannot be checked, and fetches are attempted only at intervals."""
    await issuer.verify(server.token())
    server.answers["/keys"] = (503, b"", {})
    clock.now += 3_601

    for _ in range(3):
        assert await issuer.verify(server.token())
        with pytest.raises(IssuerUnavailable):
            await issuer.verify(server.token(RSA_TOO, header={"kid": "two"}))
    assert server.fetches == 2
    assert "stay in use" in caplog.text

    clock.now += 82_000
    assert await issuer.verify(server.token())
    clock.now += 1_000
    with pytest.raises(IssuerUnavailable):
        await issuer.verify(server.token())

    del server.answers["/keys"]
    clock.now += 6
    assert await issuer.verify(server.token())


async def test_unavailable_issuer_without_keys_is_queried_every_five_seconds(clock, caplog):
    """Requests in between are refused without a fetch."""
    with LoopbackIssuer() as server:
        issuer = Issuer(server.url, AUDIENCE, clock=clock)
        token = server.token()
        server.answers[server.discovery] = (503, b"", {})
        for _ in range(5):
            with pytest.raises(IssuerUnavailable):
                await issuer.verify(token)
        assert server.requests.count(server.discovery) == 1

        del server.answers[server.discovery]
        clock.now += 6
        assert await issuer.verify(token)
    clock.now += 100_000
    with pytest.raises(IssuerUnavailable):
        await issuer.verify(token)
    assert "ConnectError" in caplog.text
    assert {record.levelno for record in caplog.records if record.name == _signing_keys.__name__} == {logging.WARNING}


async def test_issuer_that_does_not_answer_is_given_up_before_it_answers(server, issuer, monkeypatch):
    """The timeout is five seconds, here a fifth of a second."""
    monkeypatch.setattr(_signing_keys, "FETCH_TIMEOUT_SECONDS", 0.2)
    release, answered = threading.Event(), threading.Event()

    def late() -> tuple[int, bytes, dict[str, str]]:
        release.wait(10)
        answered.set()
        return good({"keys": server.keys})

    server.answers["/keys"] = late
    try:
        with pytest.raises(IssuerUnavailable):
            await issuer.verify(server.token())
        assert not answered.is_set()
    finally:
        release.set()


async def test_known_keys_serve_while_others_are_fetched(server, issuer, clock):
    """Tokens of known keys do not wait for the issuer."""
    await issuer.verify(server.token())
    clock.now += 3_601
    asked, answer = threading.Event(), threading.Event()

    def late() -> tuple[int, bytes, dict[str, str]]:
        asked.set()
        answer.wait(10)
        return good({"keys": [jwk(RSA), jwk(RSA_TOO, "two")]})

    server.answers["/keys"] = late
    waiting = asyncio.create_task(issuer.verify(server.token(RSA_TOO, header={"kid": "two"})))
    try:
        assert await asyncio.to_thread(asked.wait, 10)
        with anyio.fail_after(3):
            assert await issuer.verify(server.token())
        assert not waiting.done()
    finally:
        answer.set()
    assert (await waiting).subject == "ola"


async def test_fetch_is_finished_for_others_if_its_first_caller_is_cancelled(server, issuer):
    """The fetch is not started again."""
    asked, answer = threading.Event(), threading.Event()

    def late() -> tuple[int, bytes, dict[str, str]]:
        asked.set()
        answer.wait(10)
        return good({"keys": server.keys})

    server.answers["/keys"] = late
    async with anyio.create_task_group() as leaving:
        leaving.start_soon(issuer.verify, server.token())
        assert await asyncio.to_thread(asked.wait, 10)
        second = asyncio.create_task(issuer.verify(server.token()))
        leaving.cancel_scope.cancel()
        answer.set()

    assert (await second).subject == "ola"
    assert server.fetches == 1


async def test_reload_fetches_keys_at_the_next_token(server, issuer, clock):
    """A withdrawn key is refused at once, and not only after an hour."""
    await issuer.verify(server.token())
    server.keys = [jwk(RSA_TOO)]
    clock.now += 6
    issuer.reload()

    assert await why_not(issuer, server.token()) == "the signature of the token is wrong"
    assert await why_not(issuer, server.token()) == "the signature of the token is wrong"
    assert server.fetches == 2
