"""What is installed with the package may be used by whoever may use the package."""

import re
from collections.abc import Iterator
from importlib.metadata import PackageMetadata, metadata, requires

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

OURS = "wayscloud-contacts-mcp"
ALLOWED = {
    "0BSD",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "MIT",
    "MIT-0",
    "MPL-2.0",
    "PSF-2.0",
    "Python-2.0",
    "Unlicense",
}
"""SPDX identifiers."""
SPOKEN = {
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache": "Apache-2.0",
    "Apache License 2.0": "Apache-2.0",
    "Apache License, Version 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD-3-Clause",
    "ISC License": "ISC",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "The Unlicense (Unlicense)": "Unlicense",
}
"""What packages say that use no SPDX identifiers."""
_LONGEST = 60
"""Characters of what may be a licence's name; more is its text."""


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
    """Everything that comes with the package and its extras."""
    extras = frozenset(metadata(OURS).get_all("Provides-Extra") or ())
    return sorted(set(installed_with(OURS, extras, set())) - {OURS})


def licence_of(about: PackageMetadata) -> str:
    """An SPDX expression, or whatever the package says instead."""
    given = [about.get("License-Expression"), about.get("License")]
    classified = [
        each.rpartition(" :: ")[2] for each in about.get_all("Classifier") or () if each.startswith("License")
    ]
    told = [each for each in [*given, *classified] if each and len(each) <= _LONGEST]
    return SPOKEN.get(told[0], told[0]) if told else ""


def is_allowed(licence: str) -> bool:
    """Whether one of the alternatives consists of allowed licences alone."""
    alternatives = re.split(r"\s+OR\s+", licence.strip("()"))
    return any(set(re.split(r"\s+AND\s+", each)) <= ALLOWED for each in alternatives)


def test_every_dependency_has_a_licence_that_is_allowed():
    """Those of extras as well, and those of dependencies."""
    told = {name: licence_of(metadata(name)) for name in dependencies()}

    assert {"mcp", "pydantic-core", "asyncpg", "redis", "protobuf"} <= told.keys()
    assert {name: licence for name, licence in told.items() if not is_allowed(licence)} == {}


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
def test_an_expression_is_allowed_where_all_of_one_alternative_is(licence, allowed):
    assert is_allowed(licence) == allowed
