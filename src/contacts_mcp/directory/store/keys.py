"""Keys of the served API: `wayscloud_contacts_<prefix>_<secret>`, each of which opens one tenant's contacts.

Of a key its prefix is kept, by which it is looked up and spoken of, and the SHA-256 of all of it: a secret of 40 random
letters and digits needs no slower hash.
"""

import re
import secrets
import string
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from hashlib import sha256
from hmac import compare_digest

from sqlalchemy import Connection, func, insert, select, update

from contacts_mcp.directory._errors import DirectoryNotFound
from contacts_mcp.directory._times import now
from contacts_mcp.directory.database.tables import keys, tenants
from contacts_mcp.directory.store.bulk import upsert

SCOPES = ("read", "write")

_KEY = re.compile(r"wayscloud_contacts_([a-z0-9]{8})_[A-Za-z0-9]{40}")
_LONGEST_NAME = 255


@dataclass(frozen=True, slots=True)
class Key:
    """What is kept of a key. `revoked_at` is None as long as it works."""

    prefix: str
    name: str
    tenant: int
    tenant_name: str
    scopes: tuple[str, ...]
    created_at: str
    revoked_at: str | None
    hash: str

    def matches(self, presented: str) -> bool:
        """Whether this is what is kept of `presented`; how long it takes tells nothing of the key."""
        return compare_digest(self.hash, _hash(presented))


def create(connection: Connection, name: str, tenant_name: str, scopes: Collection[str]) -> tuple[str, Key]:
    """Make a key, whose text is known from here on to nobody but the caller, and its tenant where there is none.

    Raises ValueError: a name that is empty, too long or cannot be shown on a line, or scopes that there are not.
    """
    _check_name("a key", name)
    _check_name("a tenant", tenant_name)
    if not scopes or set(scopes).difference(SCOPES):
        raise ValueError("a key needs a scope: read, write, or both")
    prefix, secret = _random(string.ascii_lowercase, 8), _random(string.ascii_letters, 40)
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
    return text, _one(connection, prefix)


def read(connection: Connection) -> Sequence[Key]:
    """Every key there is or was, in the order in which they were made."""
    rows = connection.execute(_KEPT.order_by(keys.c.seq)).mappings()
    return [Key(**{**row, "scopes": tuple(row["scopes"])}) for row in rows]


def revoke(connection: Connection, prefix: str) -> Key:
    """Revoke a key for good; repeating it keeps the first time. Raises DirectoryNotFound if there is no such key."""
    still = update(keys).where(keys.c.prefix == prefix, keys.c.revoked_at.is_(None))
    connection.execute(still.values(revoked_at=now()))
    return _one(connection, prefix)


def find(connection: Connection, prefix: str) -> Key | None:
    """What is kept of the key with this prefix."""
    row = connection.execute(_KEPT.where(keys.c.prefix == prefix)).mappings().one_or_none()
    return None if row is None else Key(**{**row, "scopes": tuple(row["scopes"])})


def prefix_of(presented: str) -> str | None:
    """The prefix of what may be a key; None where it surely is none."""
    form = _KEY.fullmatch(presented)
    return form[1] if form else None


_KEPT = select(
    keys.c.prefix,
    keys.c.name,
    keys.c.tenant,
    tenants.c.name.label("tenant_name"),
    keys.c.scopes,
    keys.c.created_at,
    keys.c.revoked_at,
    keys.c.hash,
).join(tenants, tenants.c.seq == keys.c.tenant)


def _one(connection: Connection, prefix: str) -> Key:
    key = find(connection, prefix)
    if key is None:
        raise DirectoryNotFound("Key")
    return key


def _tenant(connection: Connection, name: str) -> int:
    """The tenant of this name, which is made where there is none; whoever makes the same at once waits."""
    named = select(tenants.c.seq).where(tenants.c.name == name)
    following = select(func.max(tenants.c.seq) + 1).scalar_subquery()  # the first was given its number, and not counted
    while (seq := connection.execute(named).scalar_one_or_none()) is None:
        new = upsert(connection.dialect.name, tenants).values(seq=following, name=name, created_at=now())
        connection.execute(new.on_conflict_do_nothing())
    return int(seq)


def _check_name(of: str, name: str) -> None:
    if not (name.strip() and name.isprintable() and len(name) <= _LONGEST_NAME):
        raise ValueError(f"the name of {of} has to be from 1 to {_LONGEST_NAME} characters on one line")


def _random(letters: str, length: int) -> str:
    return "".join(secrets.choice(letters + string.digits) for _ in range(length))


def _hash(text: str) -> str:
    return sha256(text.encode()).hexdigest()
