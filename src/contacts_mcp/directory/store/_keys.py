"""Keys of the served API: `wayscloud_contacts_<prefix>_<secret>`, each of which opens the contacts of one tenant.

Stored are the prefix, which identifies the key, and the SHA-256 of the whole key: a secret of 40 random letters and
digits needs no slower hash.
"""

import re
import secrets
import string
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from hmac import compare_digest

from sqlalchemy import Connection, func, insert, or_, select, update

from contacts_mcp.directory._errors import DirectoryNotFound
from contacts_mcp.directory.database import format_time, keys, now, tenants
from contacts_mcp.directory.store._rows import insert_on_conflict
from contacts_mcp.pseudonyms import key_pseudonym_of_hash

SCOPES = ("read", "write", "approve")
DEFAULT_SCOPES = ("read", "write")
_PREFIX_LENGTH = 8

_KEY = re.compile(r"wayscloud_contacts_([a-z0-9]{8})_[A-Za-z0-9]{40}")
_MAX_NAME_LENGTH = 255
_USE_INTERVAL = timedelta(minutes=1)
"""The last use of a key is not stored more often than that."""
_COLUMNS = ("prefix", "name", "tenant", "scopes", "created_at", "revoked_at", "last_used_at", "hash")
_SELECT = select(*(keys.c[name] for name in _COLUMNS), tenants.c.name.label("tenant_name")).join(
    tenants, tenants.c.seq == keys.c.tenant
)


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A stored key, without its secret. `revoked_at` is None while the key works, `last_used_at` before its first use.

    A request less than a minute after `last_used_at` does not change it.
    """

    prefix: str
    name: str
    tenant: int
    tenant_name: str
    scopes: tuple[str, ...]
    created_at: str
    revoked_at: str | None
    last_used_at: str | None
    hash: str

    @property
    def caller(self) -> str:
        """The pseudonym of the key's user in audit trails."""
        return key_pseudonym_of_hash(self.hash)

    @property
    def is_use_due(self) -> bool:
        """Whether a use of the key now should be stored."""
        return self.last_used_at is None or self.last_used_at < _use_limit()

    def matches(self, presented: str) -> bool:
        """Whether `presented` is this key; compares in constant time."""
        return compare_digest(self.hash, _hash(presented))


def create_key(connection: Connection, name: str, tenant_name: str, scopes: Collection[str]) -> tuple[str, ApiKey]:
    """Create a key, and its tenant if it does not exist; return the text of the key, which is not stored, and the key.

    Raises ValueError as `check_key` does.
    """
    check_key(name, tenant_name, scopes)
    prefix, secret = _random(string.ascii_lowercase, _PREFIX_LENGTH), _random(string.ascii_letters, 40)
    text = f"wayscloud_contacts_{prefix}_{secret}"
    row = {
        "tenant": _tenant(connection, tenant_name),
        "prefix": prefix,
        "hash": _hash(text),
        "name": name,
        "scopes": [scope for scope in SCOPES if scope in scopes],
        "created_at": now(),
    }
    connection.execute(insert(keys).values(row))
    return text, _get(connection, prefix)


def check_key(name: str, tenant_name: str, scopes: Collection[str]) -> None:
    """Raise ValueError if a name is empty, too long or not printable on one line, or a scope does not exist."""
    _check_name("a key", name)
    _check_name("a tenant", tenant_name)
    if not scopes or set(scopes).difference(SCOPES):
        raise ValueError(f"a key needs one or several of the scopes {', '.join(SCOPES)}")
    if "approve" in scopes and "read" not in scopes:
        raise ValueError("the scope approve needs the scope read, too: a person has to see what they decide on")


def list_keys(connection: Connection) -> Sequence[ApiKey]:
    """Return all keys, revoked ones too, in the order in which they were created."""
    rows = connection.execute(_SELECT.order_by(keys.c.seq)).mappings()
    return [ApiKey(**{**row, "scopes": tuple(row["scopes"])}) for row in rows]


def find_keys(connection: Connection, beginning: str) -> Sequence[ApiKey]:
    """Return the keys whose prefix begins like this, or the one key if `beginning` is its prefix or all of it."""
    prefix = key_prefix(beginning) or beginning
    candidates = [key for key in list_keys(connection) if prefix and key.prefix.startswith(prefix)]
    return [key for key in candidates if key.prefix == prefix] or candidates


def revoke_key(connection: Connection, prefix: str) -> ApiKey:
    """Revoke a key; revoking it again keeps the first time. Raises DirectoryNotFound."""
    working = update(keys).where(keys.c.prefix == prefix, keys.c.revoked_at.is_(None))
    connection.execute(working.values(revoked_at=now()))
    return _get(connection, prefix)


def record_use(connection: Connection, prefix: str) -> None:
    """Store that a key is used now, unless any process has stored a use within the last minute."""
    is_due = or_(keys.c.last_used_at.is_(None), keys.c.last_used_at < _use_limit())
    connection.execute(update(keys).where(keys.c.prefix == prefix, is_due).values(last_used_at=now()))


def _use_limit() -> str:
    return format_time(datetime.now(UTC) - _USE_INTERVAL)


def list_tenants(connection: Connection) -> list[str]:
    """Return the names of all tenants, in the order in which they were created."""
    return list(connection.execute(select(tenants.c.name).order_by(tenants.c.seq)).scalars())


def find_tenant(connection: Connection, name: str) -> int:
    """Return the number of a tenant. Raises DirectoryNotFound if there is none of this name."""
    seq: int | None = connection.execute(select(tenants.c.seq).where(tenants.c.name == name)).scalar_one_or_none()
    if seq is None:
        raise DirectoryNotFound("Tenant")
    return seq


def find_key(connection: Connection, prefix: str) -> ApiKey | None:
    """Return the key with this prefix."""
    row = connection.execute(_SELECT.where(keys.c.prefix == prefix)).mappings().one_or_none()
    return None if row is None else ApiKey(**{**row, "scopes": tuple(row["scopes"])})


def key_prefix(presented: str) -> str | None:
    """Return the prefix of a key; None if `presented` does not have the form of a key."""
    form = _KEY.fullmatch(presented)
    return form[1] if form else None


def _get(connection: Connection, prefix: str) -> ApiKey:
    key = find_key(connection, prefix)
    if key is None:
        raise DirectoryNotFound("Key")
    return key


def _tenant(connection: Connection, name: str) -> int:
    """Return the tenant with this name; create it if it does not exist. Waits for a transaction that does the same."""
    named = select(tenants.c.seq).where(tenants.c.name == name)
    following = select(func.max(tenants.c.seq) + 1).scalar_subquery()  # the owner was inserted with its number
    while (seq := connection.execute(named).scalar_one_or_none()) is None:
        new = insert_on_conflict(connection, tenants).values(seq=following, name=name, created_at=now())
        connection.execute(new.on_conflict_do_nothing())
    return int(seq)


def _check_name(owner: str, name: str) -> None:
    if not (name.strip() and name.isprintable() and len(name) <= _MAX_NAME_LENGTH):
        raise ValueError(f"the name of {owner} must have from 1 to {_MAX_NAME_LENGTH} characters on one line")


def _random(letters: str, length: int) -> str:
    return "".join(secrets.choice(letters + string.digits) for _ in range(length))


def _hash(text: str) -> str:
    return sha256(text.encode()).hexdigest()
