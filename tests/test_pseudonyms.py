"""Pseudonyms of callers in the audit trail."""

from hashlib import sha256

from contacts_mcp.pseudonyms import key_pseudonym, key_pseudonym_of_hash, subject_pseudonym


def test_key_pseudonym_is_the_beginning_of_the_keys_sha256() -> None:
    assert key_pseudonym("secret") == f"key:{sha256(b'secret').hexdigest()[:32]}"


def test_stored_hash_of_a_key_gives_the_pseudonym_of_the_key() -> None:
    assert key_pseudonym_of_hash(sha256(b"secret").hexdigest()) == key_pseudonym("secret")


def test_subject_pseudonym_names_the_issuer_and_not_the_subject() -> None:
    pseudonym = subject_pseudonym("https://id.example.com", "ola@example.com")

    assert (
        pseudonym
        == f"oauth:https://id.example.com#{sha256(b'https://id.example.com#ola@example.com').hexdigest()[:32]}"
    )


def test_same_subject_of_two_issuers_has_two_pseudonyms() -> None:
    assert subject_pseudonym("https://a.example", "1") != subject_pseudonym("https://b.example", "1")
