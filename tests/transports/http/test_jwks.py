"""When an issuer's keys are fetched, how long they are used, and who waits for them."""

import asyncio
import logging
import threading
import time

import anyio
import pytest

from contacts_mcp.transports.http.access import _jwks
from contacts_mcp.transports.http.access._discovery import IssuerUnavailable
from contacts_mcp.transports.http.access._issuer import Issuer
from transports.http.issuer import (
    AUDIENCE,
    RSA,
    RSA_TOO,
    LoopbackIssuer,
    good,
    jwk,
    why_not,
)


async def test_nothing_is_fetched_before_the_first_token(server, issuer):
    """A server starts without its issuer."""
    assert server.requests == []

    await issuer.claims(server.token())
    await issuer.claims(server.token())

    assert server.requests == [server.discovery, "/keys"]


async def test_concurrent_first_use_fetches_once(server, issuer):
    """Fifty callers share one answer."""
    await asyncio.gather(*(issuer.claims(server.token(sub=str(number))) for number in range(50)))

    assert server.fetches == 1


async def test_a_new_key_is_found_and_an_old_one_forgotten(server, issuer, clock):
    """Rotation: the first token of the new key brings it in, and what was signed with the old one is refused."""
    old = server.token()
    await issuer.claims(old)
    server.keys = [jwk(RSA_TOO, "two")]
    clock.now += 31

    assert await issuer.claims(server.token(RSA_TOO, header={"kid": "two"}))
    assert "does not publish" in await why_not(issuer, old)
    assert server.fetches == 2


async def test_tokens_with_unknown_keys_cannot_make_us_hammer_the_issuer(server, issuer, clock):
    """A flood of them causes one fetch in half a minute."""
    await issuer.claims(server.token())
    clock.now += 31
    strangers = [server.token(RSA_TOO, header={"kid": f"stranger {number}"}) for number in range(100)]

    await asyncio.gather(*(why_not(issuer, token) for token in strangers))
    clock.now += 29
    await asyncio.gather(*(why_not(issuer, token) for token in strangers))
    assert server.fetches == 2

    clock.now += 2
    await asyncio.gather(*(why_not(issuer, token) for token in strangers))
    assert server.fetches == 3


async def test_keys_are_fetched_again_after_an_hour(server, issuer, clock):
    """A withdrawn key lives that long at most."""
    await issuer.claims(server.token())
    server.keys = [jwk(RSA_TOO)]
    clock.now += 3_599
    assert await issuer.claims(server.token())

    clock.now += 2
    assert await why_not(issuer, server.token()) == "the signature of the token is wrong"
    assert server.fetches == 2


async def test_keys_stay_in_use_for_a_day_of_outage(server, issuer, clock, caplog):
    """Known keys serve on, whatever names an unknown one cannot be judged, and one attempt is made in a while."""
    await issuer.claims(server.token())
    server.answers["/keys"] = (503, b"", {})
    clock.now += 3_601

    for _ in range(3):
        assert await issuer.claims(server.token())
        with pytest.raises(IssuerUnavailable):
            await issuer.claims(server.token(RSA_TOO, header={"kid": "two"}))
    assert server.fetches == 2
    assert "stay in use" in caplog.text

    clock.now += 82_000
    assert await issuer.claims(server.token())
    clock.now += 1_000
    with pytest.raises(IssuerUnavailable):
        await issuer.claims(server.token())

    del server.answers["/keys"]
    clock.now += 6
    assert await issuer.claims(server.token())


async def test_an_issuer_that_is_down_is_asked_again_soon_but_not_at_once(clock, caplog):
    """While there are no keys, one attempt is made in five seconds."""
    with LoopbackIssuer() as server:
        issuer = Issuer(server.url, AUDIENCE, clock=clock)
        token = server.token()
        server.answers[server.discovery] = (503, b"", {})
        for _ in range(5):
            with pytest.raises(IssuerUnavailable):
                await issuer.claims(token)
        assert server.requests.count(server.discovery) == 1

        del server.answers[server.discovery]
        clock.now += 6
        assert await issuer.claims(token)
    clock.now += 100_000
    with pytest.raises(IssuerUnavailable):
        await issuer.claims(token)
    assert "ConnectError" in caplog.text
    assert {record.levelno for record in caplog.records if record.name == _jwks.__name__} == {logging.WARNING}


async def test_an_issuer_that_does_not_answer_is_waited_for_within_bounds(server, issuer, monkeypatch):
    """Five seconds, here a fifth of one."""
    monkeypatch.setattr(_jwks, "PATIENCE", 0.2)
    answered = threading.Event()
    server.answers["/keys"] = lambda: (answered.wait(10) and (200, b"{}", {})) or (500, b"", {})
    began = time.monotonic()
    try:
        with pytest.raises(IssuerUnavailable):
            await issuer.claims(server.token())
    finally:
        answered.set()
    assert time.monotonic() - began < 3


async def test_known_keys_serve_while_others_are_fetched(server, issuer, clock):
    """Those who can be judged do not wait for the issuer."""
    await issuer.claims(server.token())
    clock.now += 3_601
    asked, answer = threading.Event(), threading.Event()

    def late() -> tuple[int, bytes, dict[str, str]]:
        asked.set()
        answer.wait(10)
        return good({"keys": [jwk(RSA), jwk(RSA_TOO, "two")]})

    server.answers["/keys"] = late
    newcomer = asyncio.create_task(issuer.claims(server.token(RSA_TOO, header={"kid": "two"})))
    try:
        assert await asyncio.to_thread(asked.wait, 10)
        with anyio.fail_after(3):
            assert await issuer.claims(server.token())
        assert not newcomer.done()
    finally:
        answer.set()
    assert (await newcomer).subject == "ola"


async def test_whoever_asks_first_may_leave(server, issuer):
    """Their fetch is finished for those who wait, instead of being begun again."""
    asked, answer = threading.Event(), threading.Event()

    def late() -> tuple[int, bytes, dict[str, str]]:
        asked.set()
        answer.wait(10)
        return good({"keys": server.keys})

    server.answers["/keys"] = late
    async with anyio.create_task_group() as leaving:
        leaving.start_soon(issuer.claims, server.token())
        assert await asyncio.to_thread(asked.wait, 10)
        second = asyncio.create_task(issuer.claims(server.token()))
        leaving.cancel_scope.cancel()
        answer.set()

    assert (await second).subject == "ola"
    assert server.fetches == 1
