"""Which answer a host's message asks for, as far as that does not depend on stored data.

A key stands for one exact question: the method, all parameters but those of one call (for progress and tracing), and in
the legacy era also those of `initialize`. If a message is not fully understood, nothing that follows it has a key.
"""

import json
from hashlib import sha256

CONSTANT_METHODS = frozenset(
    {"initialize", "server/discover", "ping", "tools/list", "prompts/list", "resources/templates/list"}
)
"""Methods whose answers do not depend on stored data."""
_INITIALIZE, _DISCOVER = "initialize", "server/discover"
_VERSION = "io.modelcontextprotocol/protocolVersion"
"""The member of `_meta` that each request of the modern era has."""

_NOTIFICATIONS = frozenset(
    {
        "notifications/initialized",
        "notifications/cancelled",
        "notifications/progress",
        "notifications/roots/list_changed",
    }
)
"""Notifications that change no constant answer."""
_CALL_META = frozenset({"progressToken", "traceparent", "tracestate", "baggage"})
"""Members of `_meta` that differ from call to call, and change no constant answer."""
_MEMBERS = frozenset({"jsonrpc", "id", "method", "params"})
_MAX_LINE_BYTES = 16_384
_MAX_ID = 2**53
_MAX_ID_LENGTH = 128
_MODERN = "modern"

MessageId = int | str


class Question:
    """A request: its id, its method, and the key of its answer, which is None if the answer may change."""

    __slots__ = ("id", "key", "method")

    def __init__(self, id_: MessageId, method: str, key: str | None) -> None:
        self.id = id_
        self.method = method
        self.key = key


class Conversation:
    """Follows the messages of a connection, from the first one on."""

    def __init__(self) -> None:
        self.is_followed = True
        """Whether all messages so far were understood; if not, no further question has a key."""
        self._era = ""  # or `modern`, or the digest of `initialize`

    def read(self, line: bytes) -> Question | None:
        """Return the request that a line holds; None for a notification and a blank line.

        If a line is not understood, it returns None from then on.
        """
        if not self.is_followed or not line or line.isspace():
            return None
        try:
            return self._read(line)
        except (ValueError, RecursionError):
            self.is_followed = False
            return None

    def _read(self, line: bytes) -> Question | None:
        """Raises ValueError if the line is not understood."""
        message = _parse(line)
        method = str(message["method"])
        if "id" not in message:
            if method not in _NOTIFICATIONS:
                raise ValueError("an unknown notification")
            return None
        id_ = _plain_id(message["id"])
        is_modern = _names_version(message.get("params"))
        digest = sha256(json.dumps([method, _without_call_meta(message.get("params"))]).encode()).hexdigest()
        self._follow(method, digest, is_modern=is_modern)
        if method not in CONSTANT_METHODS:
            return Question(id_, method, None)
        if not is_modern and method != _INITIALIZE:
            digest = sha256(f"{self._era} {digest}".encode()).hexdigest()
        return Question(id_, method, digest)

    def _follow(self, method: str, digest: str, *, is_modern: bool) -> None:
        """Note the era that a request decides. Raises ValueError if the request does not fit those before it."""
        if method == _INITIALIZE:
            if self._era or is_modern:
                raise ValueError("not the first request of the legacy era")
            self._era = digest
        elif is_modern:
            if self._era not in ("", _MODERN):
                raise ValueError("the connection is of the legacy era")
            self._era = self._era if method == _DISCOVER else _MODERN
        elif self._era in ("", _MODERN):
            raise ValueError("a request of the legacy era before initialize")


def _parse(line: bytes) -> dict[str, object]:
    if len(line) > _MAX_LINE_BYTES:
        raise ValueError("a long message")
    message = json.loads(line.decode(), object_pairs_hook=_to_object, parse_constant=_refuse_constant)
    if not isinstance(message, dict) or not message.keys() <= _MEMBERS or message.get("jsonrpc") != "2.0":
        raise ValueError("not a request or a notification")
    if not isinstance(message.get("method"), str) or not isinstance(message.get("params", {}), dict):
        raise ValueError("not a request or a notification")  # noqa: TRY004 - the reader decides what follows
    return message


def _to_object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a member is there twice")
    return found


def _refuse_constant(_name: str) -> object:
    raise ValueError("not strict JSON")


def _plain_id(id_: object) -> MessageId:
    """Return an id that every writer of JSON writes in the same way. Raises ValueError for others."""
    if isinstance(id_, int) and not isinstance(id_, bool) and 0 <= id_ < _MAX_ID:
        return id_
    if not isinstance(id_, str) or not id_.isascii() or not id_.isprintable() or len(id_) > _MAX_ID_LENGTH:
        raise ValueError("an unusual id")
    if "\\" in id_ or '"' in id_:
        raise ValueError("an unusual id")
    return id_


def _names_version(params: object) -> bool:
    meta = params.get("_meta") if isinstance(params, dict) else None
    return isinstance(meta, dict) and _VERSION in meta


def _without_call_meta(params: object) -> object:
    """Return the parameters that an answer may depend on. Raises ValueError if one of the others is unusual."""
    meta = params.get("_meta") if isinstance(params, dict) else None
    if not isinstance(params, dict) or not isinstance(meta, dict):
        return params
    for name in _CALL_META & meta.keys():
        _plain_id(meta[name])
    return {**params, "_meta": {name: value for name, value in meta.items() if name not in _CALL_META}}


def to_answer(id_: MessageId, result: str) -> str:
    """Return the JSON of an answer, as the server writes it, from the JSON of its result."""
    return f'{{"jsonrpc":"2.0","id":{json.dumps(id_)},"result":{result}}}'


def result_of(id_: MessageId, answer: str) -> str | None:
    """Return the JSON of the result in an answer; None if the answer is an error, or has another form."""
    head, tail = to_answer(id_, "\0").split("\0")
    if not answer.startswith(head) or not answer.endswith(tail) or "\n" in answer:
        return None
    return answer[len(head) : -len(tail)]
