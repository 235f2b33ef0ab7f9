"""The desk of a person who decides on pending calls in a terminal, by the settings of the server that asks."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from contacts_mcp.app._backends import Embedded, Platform, choose_network_backend
from contacts_mcp.app._caller_backends import backend_factory
from contacts_mcp.app._connections import Connection, DirectoryConnection, PerCallerConnection, connect
from contacts_mcp.app._consent import build_guard, choose_rungs, open_redis, require_shared_approvals
from contacts_mcp.app._links import choose_links
from contacts_mcp.app._shared_state import SharedState, open_shared_state
from contacts_mcp.client import find_credential
from contacts_mcp.guard import Approval, Consent, Decision, Rung
from contacts_mcp.operating_system import user_label
from contacts_mcp.pseudonyms import key_pseudonym
from contacts_mcp.server import LOCAL_CALLER, ApprovalDesk, Caller, OpenQuestion
from contacts_mcp.settings import Auth, InvalidSettings, Settings, env_name
from contacts_mcp.tools import choose_tools

_SWITCHED_OFF = (
    f"approvals in the terminal are switched off; an operator switches them on by naming `terminal` in "
    f"{env_name('approval')}, for the server and for this command: for example form,page,terminal"
)

_NOT_AN_APPROVER = (
    "an approver decides on these calls: set WAYSCLOUD_API_KEY to a key of the directory with the scope approve, as"
    " `contacts-mcp directory keys create NAME --scope read --scope approve` makes it"
)


@dataclass(frozen=True, slots=True)
class Reviewer:
    """A person at a terminal: the questions that they may decide, and how their decisions are recorded."""

    desk: ApprovalDesk
    viewer: Caller
    consent: Consent
    by: str

    async def list_pending(self) -> Sequence[Approval]:
        """Return what waits for this person, the oldest first. Raises a ContactsError."""
        return await self.desk.list_pending(self.viewer, of_all=self.viewer.may_approve)

    async def open(self, approval: Approval) -> OpenQuestion:
        """Build a question; see ApprovalDesk.open."""
        return await self.desk.open(self.viewer, approval)

    async def approve(self, question: OpenQuestion, answer: Mapping[str, Any]) -> Decision:
        """Store a yes; see ApprovalDesk.approve."""
        return await self.desk.approve(self.viewer, question, answer, self.consent, self.by)

    async def keep(self, approval: Approval) -> Decision:
        """Store a no; see ApprovalDesk.keep."""
        return await self.desk.keep(approval, self.consent, self.by)


@asynccontextmanager
async def open_reviewer(settings: Settings, home: Path) -> AsyncIterator[Reviewer]:
    """Open the desk of the person at this terminal: an approver, or the user whose calls wait.

    Raises ValueError, in one line, if approvals in the terminal are switched off or share nothing with the server.
    """
    rungs = choose_rungs(settings)
    if not {Rung.TERMINAL, Rung.APPROVER} & set(rungs):
        raise InvalidSettings(_SWITCHED_OFF)
    backend = choose_network_backend(settings, home)
    shared_state = _open_shared_state(settings, backend)
    require_shared_approvals(settings, backend, shared_state)
    connection = connect(backend, create=False, undo_secrets=[key.get_secret_value() for key in settings.state_keys])
    redis = open_redis(settings)
    desk = ApprovalDesk(
        build_guard(settings, connection, redis, shared_state),
        choose_tools(
            read_only=settings.read_only,
            only=settings.tools,
            exclude=settings.exclude_tools,
            extensions=backend.may_have_extensions,
        ),
        backend_factory(settings, connection, paths=True, links=choose_links(settings, backend)),
        needs_other_person=settings.four_eyes,
    )
    try:
        async with connection.lifespan():
            person = await _identify(settings, connection, home)
            yield _admit(desk, person, rungs, settings)
    except BaseExceptionGroup as group:  # a lifespan with a task group wraps what is raised inside
        raise group.exceptions[0] from None
    finally:
        if redis is not None:
            await redis.aclose()


async def _identify(settings: Settings, connection: Connection, home: Path) -> Caller:
    """Return who is at the terminal: the caller with the key of the settings, or this computer's user without one.

    Raises InvalidSettings if each caller has a key, and there is none; and a ContactsError.
    """
    secrets = {"WAYSCLOUD_API_KEY": settings.api_key, "WAYSCLOUD_TOKEN": settings.token}
    given = {name: value.get_secret_value() for name, value in secrets.items() if value}
    credential = find_credential(given, home)
    if isinstance(connection, PerCallerConnection):
        if credential is None:
            raise InvalidSettings("set WAYSCLOUD_API_KEY to your own key: this server's callers have one each")
        rights = await connection.check(credential)
        return Caller(
            key_pseudonym(credential.secret),
            credential=credential,
            named_directory=rights.directory,
            may_approve=rights.may_approve,
        )
    if credential is None or not credential.is_of_directory:
        return LOCAL_CALLER
    if isinstance(connection, DirectoryConnection):
        rights = await connection.rights_of(credential.secret)
    else:
        rights = await connection.key_rights()
    return Caller(key_pseudonym(credential.secret), may_approve=True) if rights.may_approve else LOCAL_CALLER


def _admit(desk: ApprovalDesk, person: Caller, rungs: Sequence[Rung], settings: Settings) -> Reviewer:
    """Return the desk for an approver, or for a person's own calls. Raises InvalidSettings if neither is allowed."""
    if person.may_approve and Rung.APPROVER in rungs:
        return Reviewer(desk, person, Consent.APPROVER, person.principal)
    if Rung.TERMINAL not in rungs:
        raise InvalidSettings(_NOT_AN_APPROVER)
    if settings.auth is Auth.OAUTH:
        raise InvalidSettings("callers with OAuth cannot decide in a terminal; they decide on the server's page")
    return Reviewer(desk, replace(person, may_approve=False), Consent.TERMINAL, user_label())


def _open_shared_state(settings: Settings, backend: Platform | Embedded) -> SharedState | None:
    """Open what the stdio servers of this user share. Raises InvalidSettings, with the reason, if that fails."""
    if settings.state_keys:
        return None
    state, problem = open_shared_state(settings, backend)
    if state is None:
        raise InvalidSettings(problem or f"the server asks for no approvals, because {env_name('read_only')} is set")
    return state
