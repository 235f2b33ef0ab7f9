"""A Contacts API as its page documents it, in memory and without extensions, which can be made to fail at random.

Its failures are those of a network and a busy service: 429 with Retry-After, 500 before and after the action, an answer
that is lost before and after the action.
"""

import json
import random
from collections import Counter
from typing import Any
from urllib.parse import parse_qs

import httpx

from page_service import PageService


class Unsteady:
    """An `httpx` transport over a PageService; `chance` is how often a request goes wrong."""

    def __init__(self, seed: int = 0, chance: float = 0.0) -> None:
        self.service = PageService()
        self.chance = chance
        self.seen: Counter[str] = Counter()
        self.under_way = self.most_at_once = 0
        self._random = random.Random(seed)

    async def respond(self, request: httpx.Request) -> httpx.Response:
        """Answer a request, or not."""
        self.seen[request.method] += 1
        self.under_way += 1
        self.most_at_once = max(self.most_at_once, self.under_way)
        try:
            return self._answer(request)
        finally:
            self.under_way -= 1

    def _answer(self, request: httpx.Request) -> httpx.Response:
        trouble = self._random.choice(_TROUBLES) if self._random.random() < self.chance else None
        if trouble == "limited":
            return httpx.Response(429, headers={"Retry-After": "0"})
        if trouble == "reset":
            raise httpx.ReadError("reset")
        if trouble == "broken":
            return httpx.Response(500)
        query = parse_qs(request.url.query.decode())
        body: Any = json.loads(request.content or b"{}")
        status, answer = self.service.answer(request.method, request.url.path, query, body)
        if trouble == "lost":
            raise httpx.ReadError("lost")
        if trouble == "broken after":
            return httpx.Response(500)
        return httpx.Response(status) if answer is None else httpx.Response(status, json=answer)


_TROUBLES = ("limited", "reset", "broken", "lost", "broken after")
