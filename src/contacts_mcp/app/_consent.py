"""The guard of a server, where its approvals are stored, and the ways to reach a person that its settings allow."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from contacts_mcp.app._backends import Embedded, Platform
from contacts_mcp.app._connections import Connection, DirectoryConnection
from contacts_mcp.app._pages import has_network_pages
from contacts_mcp.app._shared_state import SharedState
from contacts_mcp.guard import (
    ANSWER_LIFETIME_SECONDS,
    Approvals,
    ApprovalStore,
    Guard,
    GuardMode,
    MemoryApprovalStore,
    NonceStore,
    RedisStore,
    Rung,
    Seal,
)
from contacts_mcp.settings import Auth, InvalidSettings, Settings, env_name

if TYPE_CHECKING:
    from contacts_mcp.app._webhook import ApprovalWebhook


def open_redis(settings: Settings) -> RedisStore | None:
    """Return the Redis that replicas share, if there is one. Raises InvalidSettings if they share no keys."""
    if settings.redis_url is None:
        return None
    if not settings.state_keys:
        raise InvalidSettings(
            f"{env_name('redis_url')} is for replicas that share confirmations; set {env_name('state_keys')} too"
        )
    return RedisStore(settings.redis_url.get_secret_value())


def build_guard(
    settings: Settings, connection: Connection, redis: RedisStore | None, shared_state: SharedState | None
) -> Guard:
    """Build the guard. Replicas, which share keys, also share used nonces: in Redis or the embedded directory.

    The processes of one user share both in a folder. Approvals are stored in the same place.
    """
    keys = [key.get_secret_value() for key in settings.state_keys]
    nonces: NonceStore | None = None
    approvals: ApprovalStore = MemoryApprovalStore()
    if keys and (shared := redis or (connection if isinstance(connection, DirectoryConnection) else None)):
        nonces = approvals = shared
    elif not keys and shared_state:
        keys, nonces, approvals = [shared_state.seal_key], shared_state.nonce_store(), shared_state.approval_store()
    seal = Seal(ANSWER_LIFETIME_SECONDS, keys)
    return Guard(settings.guard, settings.confirm, seal=seal, nonce_store=nonces, approvals=Approvals(approvals, seal))


def choose_rungs(settings: Settings) -> Sequence[Rung]:
    """Return the ways to reach a person, the first to be tried first; those that are not there are passed over.

    An operator who chose two-step mode gets no page that was not asked for.
    """
    if settings.four_eyes:
        return (Rung.APPROVER,)
    if settings.approval is not None:
        return settings.approval
    if settings.guard is GuardMode.TWO_STEP:
        return (Rung.FORM,)
    return (Rung.FORM, Rung.APP, Rung.PAGE if settings.auth is Auth.NONE else Rung.URL)


def open_webhook(settings: Settings) -> "ApprovalWebhook | None":
    """Return the webhook of approvers. Raises InvalidSettings if its URL is unsafe, or there are no approvers."""
    if settings.approval_webhook is None:
        return None
    if Rung.APPROVER not in choose_rungs(settings):
        raise InvalidSettings(
            f"{env_name('approval_webhook')} is for approvers; add approver to {env_name('approval')}"
        )
    from contacts_mcp.app._webhook import ApprovalWebhook

    return ApprovalWebhook(settings.approval_webhook.get_secret_value())


def approval_lifetime(settings: Settings, rungs: Sequence[Rung]) -> float:
    """Return for how many seconds an approval can be decided on."""
    return float(settings.approval_ttl) if Rung.APPROVER in rungs else ANSWER_LIFETIME_SECONDS


def require_shared_approvals(
    settings: Settings, backend: Platform | Embedded, shared_state: SharedState | None
) -> None:
    """Raise InvalidSettings if a person is to decide in a terminal, which could not see what the server asks.

    An approver can decide on the page of a server at which people log in, and has another key than the server.
    """
    rungs = choose_rungs(settings)
    has_approver = Rung.APPROVER in rungs and not has_network_pages(settings, rungs)
    if settings.read_only or not (has_approver or Rung.TERMINAL in rungs):
        return
    is_embedded = isinstance(backend, Embedded)
    if settings.state_keys:
        is_shared = is_embedded or settings.redis_url is not None
    else:
        is_shared = shared_state is not None and (is_embedded or not has_approver)
    if not is_shared:
        names = ["state_keys"] if is_embedded else ["state_keys", "redis_url"]
        needed = " and ".join(map(env_name, names))
        if has_approver and settings.auth is Auth.OAUTH:
            needed += f", or {env_name('oidc_client_id')} for a page on which they decide"
        raise InvalidSettings(
            f"{env_name('approval')}: a person in a terminal cannot see what the server asks; set {needed}"
        )
