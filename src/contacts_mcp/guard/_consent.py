"""Consent: the ways in which a person can be reached, and what is recorded and reported of each."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Literal


class Rung(StrEnum):
    """A way to reach a person. The guard takes the first one that the host and the operator allow."""

    FORM = "form"  # a form that the host shows
    APP = "app"  # the panel, which the host shows in the chat (MCP Apps)
    PAGE = "page"  # a page that the server opens in the browser of this computer
    URL = "url"  # the address of a page, which the host gives to the person
    TERMINAL = "terminal"  # `contacts-mcp approvals`, on a terminal
    APPROVER = "approver"  # another person, whose scope or key allows it


class Consent(StrEnum):
    """How a call was allowed to run; the audit trail records it."""

    NONE_NEEDED = "none_needed"
    FORM = "form"  # a person chose the word in a form that the host showed
    FORM_TYPED = "form_typed"  # a person typed the target's name into a form
    APP = "app"  # a person decided in the panel; the host kept its secret from the model
    PAGE = "page"  # a person decided on a page of this computer
    URL = "url"  # a person who logged in as the caller decided on the server's page
    TERMINAL = "terminal"  # a person decided in a terminal
    APPROVER = "approver"  # a person who may approve the calls of others decided
    TWO_STEP = "two_step_not_verified"  # a token came back; nothing proves that a person saw the preview


ConsentWord = Literal["person", "not needed", "not verified"]
"""What the answer of a call says about consent, so that a model can report it."""

CONSENT_WORDS: Mapping[Consent, ConsentWord] = {
    **dict.fromkeys(Consent, "person"),
    Consent.NONE_NEEDED: "not needed",
    Consent.TWO_STEP: "not verified",
}
