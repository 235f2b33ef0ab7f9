"""The buttons of the README and the install page start the server. UPDATE_README=1 writes them again."""

import json
import re
from base64 import b64decode
from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree as ET

import pytest

from contacts_mcp.settings import Settings, env_name
from distribution.project import PROJECT
from doc_buttons import BUTTONS, IMAGES, SERVER_NAME, check_picture, picture_name
from doc_parts import DOCS, README

PAGES = {"README.md": README, "install.md": DOCS / "install.md"}
SETTINGS = {env_name(name) for name in Settings.model_fields}


def links(page: str) -> dict[str, str]:
    """The address of each button of a page, by its host."""
    return dict(re.findall(r"\[!\[Install in ([^\]]+)\]\([^)]+\)\]\(([^)]+)\)", PAGES[page].read_text()))


def decode(link: str) -> dict[str, list[str]]:
    """The values in a link, each exactly once."""
    values = parse_qs(urlsplit(link).query, strict_parsing=True)
    assert all(len(each) == 1 for each in values.values())
    return values


@pytest.mark.parametrize("host", BUTTONS)
def test_picture_of_a_button_is_up_to_date_and_loads_nothing(host: str) -> None:
    check_picture(host)
    text = (IMAGES / picture_name(host)).read_text()

    assert ET.fromstring(text).attrib["aria-label"] == f"Install in {host}"
    assert text.count("http") == 1  # the name space


@pytest.mark.parametrize("page", PAGES)
def test_page_has_a_button_for_each_host(page: str) -> None:
    """GitHub removes links of other schemes."""
    assert list(links(page)) == ["VS Code", "Cursor", "LM Studio"]
    assert all(link.startswith("https://") for link in links(page).values())


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("host", BUTTONS)
def test_decoded_entry_starts_the_script_of_the_packages_name(page: str, host: str) -> None:
    values = decode(links(page)[host])
    text = values["config"][0]
    entry = json.loads(text if host == "VS Code" else b64decode(text, validate=True))

    assert values["name"] == [SERVER_NAME]
    assert [entry["command"], *entry["args"]] == ["uvx", PROJECT["name"], "serve"]
    assert PROJECT["name"] in PROJECT["scripts"]
    assert set(entry.get("env", {})) <= SETTINGS


def test_vscode_asks_for_the_key_and_hides_it() -> None:
    """The entry refers to an input that the link defines."""
    values = decode(links("README.md")["VS Code"])
    entry, (question,) = json.loads(values["config"][0]), json.loads(values["inputs"][0])

    assert entry["env"]["WAYSCLOUD_API_KEY"] == f"${{input:{question['id']}}}"
    assert question["password"] is True
