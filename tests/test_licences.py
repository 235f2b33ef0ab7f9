"""The licences of all dependencies allow the same use as the package's own."""

import re
from collections.abc import Iterator
from importlib.metadata import PackageMetadata, metadata, requires

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

OURS = "wayscloud-contacts-mcp"
ALLOWED = {
    *("0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "MIT-0", "MPL-2.0", "PSF-2.0", "Python-2.0"),
    "Unlicense",
}
"""SPDX identifiers."""
SPDX_IDENTIFIERS = {
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache": "Apache-2.0",
    "Apache License 2.0": "Apache-2.0",
    "Apache License, Version 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD-3-Clause",
    "ISC License": "ISC",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "MIT license": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "The Unlicense (Unlicense)": "Unlicense",
}
"""Names in packages that use no SPDX identifiers."""
_MAX_NAME_LENGTH = 60
"""Longer fields hold the licence's text."""


def installed_with(name: str, extras: frozenset[str], seen: set[tuple[str, frozenset[str]]]) -> Iterator[str]:
    """The packages that a package needs here with these extras, and what those need in turn."""
    for requirement in map(Requirement, requires(name) or ()):
        wanted = [{"extra": extra} for extra in extras | {""}]
        if requirement.marker and not any(map(requirement.marker.evaluate, wanted)):
            continue
        needed = (canonicalize_name(requirement.name), frozenset(requirement.extras))
        if needed not in seen:
            seen.add(needed)
            yield needed[0]
            yield from installed_with(*needed, seen)


def dependencies() -> list[str]:
    extras = frozenset(metadata(OURS).get_all("Provides-Extra") or ())
    return sorted(set(installed_with(OURS, extras, set())) - {OURS})


def licence_of(about: PackageMetadata) -> str:
    """The SPDX expression, or the text that the package has instead."""
    given = [about.get("License-Expression"), about.get("License")]
    classified = [
        each.rpartition(" :: ")[2] for each in about.get_all("Classifier") or () if each.startswith("License")
    ]
    found = [each for each in [*given, *classified] if each and len(each) <= _MAX_NAME_LENGTH]
    return SPDX_IDENTIFIERS.get(found[0], found[0]) if found else ""


def is_allowed(licence: str) -> bool:
    """Whether one of the alternatives consists of only allowed licences."""
    alternatives = re.split(r"\s+OR\s+", licence.strip("()"))
    return any(set(re.split(r"\s+AND\s+", each)) <= ALLOWED for each in alternatives)


def test_every_dependency_has_an_allowed_licence():
    """Those of extras as well, and those of dependencies."""
    found = {name: licence_of(metadata(name)) for name in dependencies()}

    assert {"mcp", "pydantic-core", "asyncpg", "redis", "protobuf"} <= found.keys()
    assert {name: licence for name, licence in found.items() if not is_allowed(licence)} == {}


@pytest.mark.parametrize(
    ("licence", "allowed"),
    [
        ("MIT", True),
        ("MIT AND PSF-2.0", True),
        ("GPL-3.0-only OR MIT", True),
        ("MIT AND GPL-3.0-only", False),
        ("LGPL-2.1-or-later", False),
        ("Proprietary", False),
        ("", False),
    ],
)
def test_expression_is_allowed_if_one_alternative_is(licence, allowed):
    assert is_allowed(licence) == allowed
