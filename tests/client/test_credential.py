"""The key is found in the SDK's order, sent in the right header, and never shown."""

import json
import traceback

import httpx
import pytest

from contacts_mcp.client import BASE_URL, ContactsClient, Credential, InvalidCredential, find_credential
from contacts_mcp.client._credentials import parse_base_url
from contacts_mcp.client._http import proxy_for
from contacts_mcp.contract import AuthenticationFailed, CreateContact, GetContact
from support.services import CONTACT, CONTACT_ID, KEY


@pytest.fixture
def home(tmp_path):
    """A home folder; calling the result writes its credentials file."""
    folder = tmp_path / ".wayscloud"
    folder.mkdir()

    def write(content):
        (folder / "credentials").write_text(content if isinstance(content, str) else json.dumps(content))
        return tmp_path

    return write


class TestFinding:
    def test_credential_order_is_arguments_environment_file(self, home):
        """The official SDK's order."""
        place = home({"version": 1, "token": "from-file"})
        environ = {"WAYSCLOUD_API_KEY": "env-key", "WAYSCLOUD_TOKEN": "env-token"}
        found = [
            find_credential(environ, place, api_key="arg-key", token="arg-token"),
            find_credential(environ, place, token="arg-token"),
            find_credential(environ, place),
            find_credential({"WAYSCLOUD_TOKEN": "env-token"}, place),
            find_credential({}, place),
        ]

        assert [credential.secret for credential in found] == [
            "arg-key",
            "arg-token",
            "env-key",
            "env-token",
            "from-file",
        ]
        assert [credential.source for credential in found][2:] == [
            "WAYSCLOUD_API_KEY",
            "WAYSCLOUD_TOKEN",
            "~/.wayscloud/credentials",
        ]

    def test_blank_credential_counts_as_absent(self, home):
        """Users switch a variable off by emptying it."""
        environ = {"WAYSCLOUD_API_KEY": " ", "WAYSCLOUD_TOKEN": ""}

        assert find_credential(environ, home({"token": "  "}), api_key="") is None

    def test_missing_credential_is_none(self, tmp_path):
        """A missing file is not an error."""
        assert find_credential({}, tmp_path) is None

    def test_whitespace_around_a_key_is_stripped(self, tmp_path):
        """It comes from copying and from files."""
        assert find_credential({"WAYSCLOUD_API_KEY": f" {KEY}\n"}, tmp_path).secret == KEY

    @pytest.mark.parametrize("content", ["{nonsense s3cret", '"s3cret"', '{"token": ["s3cret"]}', "{}"])
    def test_malformed_credentials_file_is_named_but_not_quoted(self, home, content):
        """The error says what to do."""
        with pytest.raises(InvalidCredential) as refused:
            find_credential({}, home(content))

        shown = "".join(traceback.format_exception(refused.value))
        assert "credentials" in str(refused.value)
        assert "WAYSCLOUD_API_KEY" in str(refused.value)
        assert "s3cret" not in shown

    def test_binary_credentials_file_is_rejected(self, home):
        """The error does not contain the content."""
        place = home("")
        (place / ".wayscloud" / "credentials").write_bytes(b"\xff\xfe\xfd")

        with pytest.raises(InvalidCredential):
            find_credential({}, place)

    def test_unreadable_credentials_file_is_rejected(self, tmp_path):
        """A folder with that name, for instance."""
        (tmp_path / ".wayscloud" / "credentials").mkdir(parents=True)

        with pytest.raises(InvalidCredential, match="cannot be read"):
            find_credential({}, tmp_path)

    @pytest.mark.parametrize("secret", ["two words", "line\nbreak", "tab\tbed", "nøkkel", "zero\u200bwidth", "nul\0"])
    def test_key_with_unsendable_characters_is_rejected_but_not_quoted(self, tmp_path, secret):
        """It could not be a header value."""
        with pytest.raises(InvalidCredential, match="WAYSCLOUD_TOKEN") as refused:
            find_credential({"WAYSCLOUD_TOKEN": secret}, tmp_path)

        assert secret not in str(refused.value)


class TestShowing:
    @pytest.mark.parametrize(
        ("secret", "masked"),
        [
            (KEY, "wayscloud_pat_…"),
            ("wayscloud_api_x", "wayscloud_api_…"),
            ("wayscloud_pat_", "…"),
            ("wayscloud_S3cret", "…"),
            ("s3cret", "…"),
        ],
    )
    def test_masked_key_shows_only_its_kind(self, secret, masked):
        """No part of the secret is shown."""
        credential = Credential.token(secret, "here")

        assert credential.masked == masked
        assert secret not in f"{credential} {credential!r} {[credential]}"

    async def test_client_repr_shows_base_url_and_masked_key(self):
        """repr() is written to logs."""
        async with ContactsClient(credential=Credential.key(KEY, "here")) as client:
            assert repr(client) == (
                f"<ContactsClient of {BASE_URL} with <Credential wayscloud_pat_… from here, sent as X-API-Key>>"
            )
        async with ContactsClient() as client:
            assert "no credential" in repr(client)


class TestSending:
    @pytest.mark.parametrize(
        ("credential", "header"),
        [
            (Credential.key("abc", "t"), ("X-API-Key", "abc")),
            (Credential.key(KEY, "t"), ("X-API-Key", KEY)),
            (Credential.token(KEY, "t"), ("X-API-Key", KEY)),
            (Credential.token("eyJhbGci.x.y", "t"), ("Authorization", "Bearer eyJhbGci.x.y")),
        ],
    )
    async def test_keys_and_tokens_are_sent_in_their_headers(self, played, credential, header):
        """The platform's own are sent as X-API-Key, other tokens as bearer tokens."""
        client = played(lambda _: httpx.Response(200, json=CONTACT), credential=credential)

        await client.send(GetContact(contact_id=CONTACT_ID))

        headers = client.requests[0].headers
        assert headers[header[0]] == header[1]
        assert ("X-API-Key" in headers) != ("Authorization" in headers)

    async def test_client_without_key_sends_no_key_header(self, played):
        """The embedded directory needs none."""
        client = played(lambda _: httpx.Response(200, json=CONTACT), credential=None)

        await client.send(GetContact(contact_id=CONTACT_ID))

        assert not {"x-api-key", "authorization"} & set(client.requests[0].headers)


class TestEnvironment:
    async def test_client_is_configured_from_the_environment(self, tmp_path):
        """Key and URL as the official SDK finds them; options are the constructor's."""
        environ = {"WAYSCLOUD_API_KEY": KEY, "WAYSCLOUD_API_URL": "https://gateway.example/ways/"}

        async with ContactsClient.from_environment(environ, tmp_path, max_connections=2) as client:
            assert "https://gateway.example/ways with" in repr(client)

    async def test_base_url_defaults_to_the_platform(self, tmp_path, monkeypatch):
        """The process's own environment is the default."""
        monkeypatch.setenv("WAYSCLOUD_API_KEY", KEY)
        monkeypatch.delenv("WAYSCLOUD_API_URL", raising=False)

        async with ContactsClient.from_environment() as client:
            assert BASE_URL in repr(client)

    def test_missing_key_raises_authentication_failed(self, tmp_path):
        """The error says what to set."""
        with pytest.raises(AuthenticationFailed, match=r"WAYSCLOUD_API_KEY.* CONTACTS_MCP_DIRECTORY"):
            ContactsClient.from_environment({}, tmp_path)

    async def test_directory_is_used_even_if_there_is_a_key(self, tmp_path):
        """As the server does; quotes around the path are noise."""
        environ = {"CONTACTS_MCP_DIRECTORY": f'"{tmp_path}/chosen.db"', "WAYSCLOUD_API_KEY": KEY}

        async with ContactsClient.from_environment(environ, tmp_path) as client:
            await client.send(CreateContact(name="Ola"))
            assert [contact.name for contact in await client.list_all()] == ["Ola"]
            assert f"{tmp_path}/chosen.db" in repr(client)

        assert (tmp_path / "chosen.db").exists()

    async def test_blank_directory_is_not_set(self, tmp_path):
        environ = {"CONTACTS_MCP_DIRECTORY": " ", "WAYSCLOUD_API_KEY": KEY}

        async with ContactsClient.from_environment(environ, tmp_path) as client:
            assert BASE_URL in repr(client)

    def test_directory_that_was_not_expanded_is_an_error(self, tmp_path):
        with pytest.raises(ValueError, match="CONTACTS_MCP_DIRECTORY: contains a placeholder"):
            ContactsClient.from_environment({"CONTACTS_MCP_DIRECTORY": "${DIR}/x.db"}, tmp_path)


class TestAddress:
    @pytest.mark.parametrize(
        "address",
        [
            "http://api.wayscloud.services",
            "http://127.0.0.1.evil.example",
            "http://10.0.0.1",
            "ftp://localhost",
            "localhost:8000",
            "",
            "https://",
            "https://x:y",
            "https://a b",
            "https://h/?q=1",
            "https://h/#f",
            "https://Us3r:Pa55w0rd@api.wayscloud.services",
            "https://Pa55w0rd@h:x",
        ],
    )
    def test_base_url_unsafe_for_a_key_is_rejected(self, address):
        """The key would travel unencrypted, or the URL is invalid; the URL is not quoted."""
        with pytest.raises(ValueError, match="base URL") as refused:
            ContactsClient(base_url=address)

        assert "Pa55w0rd" not in "".join(traceback.format_exception(refused.value))

    @pytest.mark.parametrize(
        "address",
        ["http://localhost:8000", "http://127.1.2.3", "http://[::1]:80", "https://h", "https://h/a/b/", " https://h/ "],
    )
    def test_https_and_loopback_urls_are_accepted(self, address):
        """With or without a path."""
        assert not str(parse_base_url(address)).removesuffix("://h/").endswith("/b/")

    @pytest.mark.parametrize("base_url", ["https://gw.example/ways", "https://gw.example/ways/"])
    async def test_path_prefix_of_the_base_url_is_kept(self, played, base_url):
        """Gateways need it."""
        client = played(lambda _: httpx.Response(200, json=CONTACT), base_url=base_url)

        await client.send(GetContact(contact_id=CONTACT_ID))

        assert str(client.requests[0].url) == f"https://gw.example/ways/v1/contacts/{CONTACT_ID}"

    async def test_http_is_accepted_with_a_custom_transport(self, played):
        """A transport replaces the network."""
        client = played(lambda _: httpx.Response(200, json=CONTACT), base_url="http://directory")

        assert (await client.send(GetContact(contact_id=CONTACT_ID))).id == CONTACT_ID

    def test_proxy_of_the_environment_is_used_only_for_https(self, monkeypatch):
        """Hosts in no_proxy are exempt."""
        monkeypatch.setenv("https_proxy", "http://proxy:1")
        monkeypatch.setenv("no_proxy", "internal.example")

        assert proxy_for(httpx.URL(BASE_URL)) == "http://proxy:1"
        assert proxy_for(httpx.URL("https://internal.example")) is None
        assert proxy_for(httpx.URL("http://127.0.0.1")) is None
