"""The recipe "Add an endpoint" of CONTRIBUTING.md: six files are enough, and a test notices each that is missing."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

pytestmark = [pytest.mark.system, pytest.mark.slow]

ROOT = Path(__file__).parent.parent
COPIED = (
    *("src", "tests", "docs", "evals", "examples", "tool_schemas", "pyproject.toml", "zensical.toml"),
    *("README.md", "CHANGELOG.md", "CONTRIBUTING.md"),
)


@dataclass(frozen=True)
class Addition:
    """What a file gets for the new endpoint. Without it, the test `notices` in the file `tests` fails."""

    file: str
    insertions: Mapping[str, str]
    """What to insert, by the text that it is inserted before; that text is empty for a new file."""
    tests: str
    notices: str

    def __str__(self) -> str:
        return self.file


CALL = Addition(
    "src/contacts_mcp/contract/calls.py",
    {
        '    "TypeFilter",': '    "TagContact",\n',
        "CALLS: tuple[": '''class TagContact(Call[Contact]):
    """Add tags to a contact. To replace or remove tags, use update_contact."""

    route = "POST /v1/contacts/{contact_id}/tags"
    risk = Risk.WRITE
    idempotent = True
    changes = Change.CONTACT
    contact_id: ContactId
    tags: Tags


''',
    },
    "tests/contract/test_calls.py",
    "test_calls_are_those_of_the_cases",
)
ROUTE = Addition(
    "src/contacts_mcp/directory/api/_routes.py",
    {
        "    TagsFilter,": "    Tags,\n",
        "from pydantic import NonNeg": "from pydantic import BaseModel, ConfigDict\n",
        '@groups_router.get("", summary': '''class NewTags(BaseModel):
    """Tags to add."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"tags": ["vip"]}]})

    tags: Tags


@contacts_router.post("/{contact_id:contact}/tags", summary="Add tags")
@returns("Contact")
async def tag_contact(tenant: CurrentTenant, contact_id: ContactId, body: NewTags) -> Response:
    """Add tags to a contact."""
    row = await tenant.database.write(_add_tags, tenant.id, contact_id, body.tags or [])
    return JSONResponse(_pick(row, _CONTACT_FIELDS))


def _add_tags(connection: Connection, tenant: int, contact_id: str, tags: list[str]) -> Row:
    stored = store.get_contact(connection, tenant, contact_id)["tags"]
    new = [tag for tag in tags if tag not in stored]
    return store.update_contact(connection, tenant, contact_id, {"tags": [*stored, *new]})


''',
    },
    "tests/directory/service/test_openapi.py",
    "test_documented_endpoints_are_those_of_the_api",
)
CASE = Addition(
    "tests/endpoint_cases.py",
    {
        ")\nEXTENSIONS = (": """    EndpointCase(
        "tag_contact",
        "POST /v1/contacts/{ola}/tags",
        Risk.WRITE,
        {"contact_id": "ola", "tags": ["vip"]},
        {"tags": ["vip"]},
    ),
"""
    },
    "tests/contract/test_calls.py",
    "test_calls_are_those_of_the_cases",
)
SAMPLE = Addition(
    "tests/client/samples/tag_contact.json",
    {"": json.dumps({"id": "b2c3d4e5-6789-0abc-def1-234567890abc", "type": "person", "name": "Ola", "tags": ["vip"]})},
    "tests/client/test_calls.py",
    "tag_contact",
)
CHANGELOG = Addition(
    "CHANGELOG.md",
    {"- Every malformed request": "- `tag_contact` adds tags to a contact.\n"},
    "tests/test_readme.py",
    "test_changelog_names_every_tool",
)
DOCS = Addition("docs/tools.md", {}, "tests/docs/test_pages.py", "test_tool_reference_shows_what_each_tool_answers")
"""Written by the command in CONTRIBUTING.md, as are `tool_schemas` and the table in README.md."""
BY_HAND = (CALL, ROUTE, CASE, SAMPLE, CHANGELOG)
GENERATED_PARTS = [
    "tests/test_readme.py::test_generated_part_of_the_readme_is_up_to_date",
    "tests/docs/test_pages.py::test_generated_part_of_a_page_is_up_to_date",
    "tests/docs/test_pages.py::test_tool_reference_shows_what_each_tool_answers",
]

ENDPOINT_TESTS = """
    tests/contract/test_calls.py tests/client/test_calls.py tests/directory/service/test_openapi.py
    tests/directory/service/test_tenants.py tests/directory/service/test_pages.py tests/resources/test_effects.py
    tests/server/test_endpoints.py tests/server/test_scopes.py tests/tools/test_catalog.py
    tests/tools/test_neutral_values.py tests/test_readme.py tests/docs/test_pages.py
""".split()
"""Plain tests that read the table of cases or the catalog."""
CHOSEN = (
    "tag_contact or TagContact or those_of_the_cases or public or documented_endpoint or described_fields or "
    "is_described or page_shows or every_writing_tool or (sees_nothing and block and both) or hints or toolset or "
    "changelog or generated or reference"
)
"""The part of these tests that concerns a new endpoint."""


@dataclass(frozen=True)
class Copy:
    """A copy of the repository."""

    folder: Path

    def apply(self, addition: Addition) -> None:
        path = self.folder / addition.file
        text = path.read_text() if path.exists() else ""
        for anchor, inserted in addition.insertions.items():
            assert anchor in text, (addition.file, anchor)
            text = text.replace(anchor, f"{inserted}{anchor}", 1) if anchor else inserted
        path.write_text(text)

    def undo(self, addition: Addition) -> str:
        """Bring a file back to what it is in the repository, and return what it was."""
        path, original = self.folder / addition.file, ROOT / addition.file
        text = path.read_text()
        if original.exists():
            shutil.copyfile(original, path)
        else:
            path.unlink()
        return text

    def run(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "PYTHONPATH": str(self.folder / "src"), **variables}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)  # compiling the copy again would take seconds each time
        environment.pop("COVERAGE_PROCESS_CONFIG", None)  # the copy's package is not the one whose coverage is measured
        command = [sys.executable, "-m", *arguments]
        return subprocess.run(
            command, cwd=self.folder, env=environment, capture_output=True, text=True, timeout=600, check=False
        )

    def test(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return self.run("pytest", "-n0", "-q", "-p", "no:cacheprovider", *arguments, **variables)


@pytest.fixture(scope="module")
def extended(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    """A copy with the new endpoint and what the commands generate for it."""
    copy = Copy(tmp_path_factory.mktemp("repository"))
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, copy.folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copyfile(ROOT / name, copy.folder / name)
    for addition in BY_HAND:
        copy.apply(addition)
    done = copy.run("contacts_mcp", "schemas")
    assert done.returncode == 0, done.stderr
    copy.test(*GENERATED_PARTS, UPDATE_README="1")
    return copy


def test_six_files_are_enough_for_an_endpoint_and_each_of_them_is_needed(extended: Copy) -> None:
    """In one test, so that one worker makes the copy once."""
    done = extended.test(*ENDPOINT_TESTS, "-k", CHOSEN)

    assert done.returncode == 0, done.stdout[-6_000:] + done.stderr[-2_000:]
    assert "tag_contact" in (extended.folder / DOCS.file).read_text()
    assert [missing.file for missing in (*BY_HAND, DOCS) if not is_noticed(extended, missing)] == []


def is_noticed(copy: Copy, missing: Addition) -> bool:
    """Whether a test fails without one of the files."""
    added = copy.undo(missing)
    done = copy.test(missing.tests, "-k", missing.notices)
    (copy.folder / missing.file).write_text(added)
    return done.returncode == 1 and f"FAILED {missing.tests}" in done.stdout
