"""Takes over from the front, and records what the server answers for the next start.

The server also answers what the front has answered: it gets the same messages in the same order, so that it knows the
same as without a quick start, and its results are compared with those that were given.
"""

import logging
import secrets
import sys
from collections.abc import Callable, Iterable

import anyio

from contacts_mcp.quick_start._begin import Begun
from contacts_mcp.quick_start._conversation import Conversation, MessageId, result_of
from contacts_mcp.quick_start._front import Handover
from contacts_mcp.quick_start._snapshot import file_states

_SWITCH_INTERVAL_SECONDS = 0.005  # the default of Python
_MAX_MESSAGES = 50
"""Hosts ask for lists when they connect; later messages are not looked at."""
_RACE_SECONDS = 2.0
"""A file that changed less than this before the start may have been read before the change."""
_OUTDATED = (
    "the answer to %s at the start was outdated, because something changed that a start does not notice; restart the "
    "server in the host"
)

_log = logging.getLogger(__name__)


class AnswerRecorder:
    """The snapshot of a start while its server runs.

    `is_constant` says of a method whether its answer depends only on the settings; `files` are the paths of what they
    were read from.
    """

    def __init__(self, start: Begun, files: Iterable[str], is_constant: Callable[[str], bool]) -> None:
        self._start = start
        self._files = file_states(files)
        self._is_constant = is_constant
        self._conversation = Conversation()
        self._messages = 0
        self._given: dict[MessageId, str] = {}
        self._asked: dict[MessageId, tuple[str, str]] = {}
        self._prefix = secrets.token_hex(8)
        self._is_changed = False
        self._change = anyio.Event()

    async def wait_for_change(self) -> None:
        """Wait until there is something to save that was not there at the last return."""
        await self._change.wait()
        self._change = anyio.Event()

    def take_over(self) -> Handover:
        """Stop the front, and return what it leaves; nothing if there was none."""
        if self._start.front is None:
            return Handover()
        handover = self._start.front.take_over()
        sys.setswitchinterval(_SWITCH_INTERVAL_SECONDS)
        _log.info("%d messages were answered before the server was ready", handover.count_answered())
        return handover

    def note_message(self, line: bytes, given: str | None = None) -> MessageId | None:
        """Note a message that the server reads.

        If it was answered with the result `given`, return the id that it has to have instead of its own, which the host
        may use again.
        """
        self._messages += 1
        if self._messages > _MAX_MESSAGES:
            self._conversation.is_followed = False
        question = self._conversation.read(line)
        own_id = question.id if question else None
        id_ = own_id if given is None else f"{self._prefix}-{self._messages}"
        if given is not None and id_ is not None:
            self._given[id_] = given
        if id_ is not None and question and question.key:
            if id_ in self._asked:  # nobody could tell whose answer comes first
                self.stop()
            else:
                self._asked[id_] = (question.key, question.method)
        return None if given is None else id_

    def note_answer(self, id_: object, text: str) -> bool:
        """Note an answer as it is written; return whether the host has had it already."""
        if not isinstance(id_, int | str) or not (self._given or self._asked):
            return False
        given = self._given.pop(id_, None)
        key, method = self._asked.pop(id_, ("", ""))
        result = result_of(id_, text) if key or given is not None else None
        if key and self._start.snapshot.put(key, result if self._is_constant(method) else None):
            self._is_changed = True
            self._change.set()
        if given is not None and given != result:
            _log.warning(_OUTDATED, method or "a request")
        return given is not None

    def stop(self) -> None:
        """Record no more: from now on, answers may depend on more than the start."""
        self._conversation.is_followed = False
        self._asked.clear()

    def save(self) -> None:
        """Write the snapshot if it has changed. A snapshot that cannot be written only makes the next start slower."""
        if not self._is_changed:
            return
        self._is_changed = False
        limit = (self._start.began_at - _RACE_SECONDS) * 1e9
        if any(state and max(state[:2]) > limit for state in self._files.values()):
            return
        try:
            self._start.snapshot.save(self._files)
        except OSError as exc:
            _log.info("the answers for the next start cannot be stored (%s)", exc.strerror)
