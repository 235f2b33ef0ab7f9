"""What each page says: the open question, the list of questions, and what became of a decision."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus

from contacts_mcp.approval_page._html import (
    Html,
    described_record,
    document,
    element,
    facts_list,
    isolated,
    paragraphs,
    rich_text,
    split_records,
)
from contacts_mcp.guard import Approval, Decision, Prompt, choice_field
from contacts_mcp.wording import count, local_time

TOKEN_FIELD, DECISION_FIELD, TYPED_FIELD, KEY_FIELD = "token", "decision", "typed", "key"
KEEP, APPROVE, TICKED = "keep", "approve", "on"
"""The values of the two buttons, and of a choice."""


class PageFault(Exception):
    """A request that gets a page which says what is wrong and what to do."""

    def __init__(self, status: HTTPStatus, title: str, text: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(title)
        self.status = status
        self.title = title
        self.text = text
        self.headers = dict(headers or {})


@dataclass(frozen=True, slots=True)
class Views:
    """Renders pages.

    Attributes:
        where: says on every page where the person is.
        note: says below a question how it can end.
        login_title: the heading of the login.
        login_reason: what the login is for.
    """

    where: str
    note: str = ""
    login_title: str = "Log in to decide"
    login_reason: str = (
        "An assistant asks for a decision on your contacts. Log in with the WAYSCloud key that it uses, so that"
        " only you can decide."
    )

    def question(
        self, approval: Approval, prompt: Prompt, token: str, given: Mapping[str, str], error: str = ""
    ) -> Html:
        """Return the form on which a person decides; `error` says why the last attempt, `given`, did not count."""
        title, records = split_records(prompt.label)
        body = [
            element("h1", _verb(prompt), rich_text(title), "?"),
            element("p", *_asker(approval), class_="muted"),
            *(block for each in records for block in _facts(each.name, each.facts, is_only=len(records) == 1)),
            element("h2", "What happens"),
            *paragraphs(prompt.effect),
            *_values(prompt),
            *([element("p", prompt.warning, class_="warning")] if prompt.warning else []),
            _form(prompt, token, given, error),
            element("p", "You can decide until ", _time(approval.expires), ". Without a decision nothing is changed.",
                    class_="muted"),
            *([element("p", self.note, class_="muted")] if self.note else []),
        ]  # fmt: skip
        return document(f"{prompt.verb}?", self.where, body, "danger")

    def pending(self, approvals: Sequence[Approval], base: str) -> Html:
        """Return the list of what waits for a decision."""
        if not approvals:
            return self.message("Nothing is waiting", "There is no question to decide on. You can close this page.")
        items = (
            element("li", element("a", _tool_title(each), href=f"{base}/{each.id}"), element("br"), *_asker(each))
            for each in approvals
        )
        heading = f"{count(len(approvals), 'question')} for you"
        return document("Questions", self.where, [element("h1", heading), element("ul", *items, class_="entries")])

    def decided(self, prompt: Prompt, *, is_approved: bool, others: int, base: str) -> Html:
        """Return the page after a decision; `others` questions still wait."""
        heading = "Approved" if is_approved else "Kept as it is"
        text = (
            "The assistant can go on; you can close this page."
            if is_approved
            else "Nothing is changed, and the assistant reads that you declined. You can close this page."
        )
        what = element("p", _verb(prompt), rich_text(split_records(prompt.label)[0]))
        more = element("p", element("a", f"{count(others, 'more question')} for you", href=f"{base}/"))
        body = [element("h1", heading), what, element("p", text), *([more] if others else [])]
        return document(heading, self.where, body, "good" if is_approved else "")

    def decided_before(self, decision: Decision) -> Html:
        """Return the page of a question that was decided before."""
        what = "It was approved" if decision.is_approved else "It was declined, and nothing is changed"
        text = element("p", f"{what}, at ", _time(decision.decided_at), ". You can close this page.")
        return document("Decided before", self.where, [element("h1", "This was decided before"), text])

    def message(self, title: str, *texts: str) -> Html:
        """Return a page with a message."""
        return document(title, self.where, [element("h1", title), *(element("p", each) for each in texts)])

    def login(self, error: str = "") -> Html:
        """Return the form on which a person logs in with their key."""
        text = f"{self.login_reason} The key is checked and not stored."
        key = {"type": "password", "id": KEY_FIELD, "name": KEY_FIELD, "autocomplete": "current-password"}
        body = [
            element("h1", self.login_title),
            element("p", text),
            *_error(error),
            element(
                "form",
                element("label", "WAYSCloud key", for_=KEY_FIELD, class_="field"),
                element("input", **key, spellcheck="false", autocapitalize="none", **_described(error)),
                element("div", element("button", "Log in", type="submit"), class_="buttons"),
                method="post",
            ),
        ]
        return document("Log in", self.where, body)

    def logged_in(self, address: str) -> Html:
        """Return a page with a link, for a login that came from another site: the browser sends no cookie before."""
        link = element("p", element("a", "Continue", href=address))
        return document("Logged in", self.where, [element("h1", "You are logged in"), link])

    def not_logged_in(self, text: str, address: str) -> Html:
        """Return a page that says why a login did not count, with a link that begins another one."""
        body = [
            element("h1", "You are not logged in"),
            element("p", text),
            element("p", element("a", "Try again", href=address)),
        ]
        return document("Not logged in", self.where, body)


def _verb(prompt: Prompt) -> str:
    """Return the beginning of a heading: `Delete person …`, but `Erase permanently: person …`."""
    return f"{prompt.verb}: " if " " in prompt.verb else f"{prompt.verb} "


def _asker(approval: Approval) -> list[str]:
    name = isolated(approval.asked_by) if approval.asked_by else Html("a program that gives no name")
    as_it_says = " (as it calls itself)" if approval.asked_by else ""
    return ["Asked by ", element("strong", name), as_it_says, " at ", _time(approval.asked_at), "."]


def _time(seconds: float) -> Html:
    moment = datetime.fromtimestamp(seconds, UTC)
    return element("time", local_time(moment), datetime=moment.isoformat(timespec="seconds"))


def _facts(name: str, facts: Sequence[str], *, is_only: bool) -> list[Html]:
    return [*([] if is_only else [element("h2", rich_text(name))]), facts_list(facts)]


def _values(prompt: Prompt) -> list[Html]:
    new = [element("li", f"{name}: ", element("ins", rich_text(value))) for name, value in prompt.values.items()]
    changed = [element("li", f"{name}: ", rich_text(value)) for name, value in prompt.changes.items()]
    lists = {"New values": new, "Old and new values": changed}
    return [
        block
        for heading, items in lists.items()
        if items
        for block in (element("h2", heading), element("ul", *items, class_="entries"))
    ]


def _form(prompt: Prompt, token: str, given: Mapping[str, str], error: str) -> Html:
    """Return the form. Keep is its first button, which is the one that the Enter key presses."""
    keep = element("button", "Keep as it is", type="submit", name=DECISION_FIELD, value=KEEP)
    word = prompt.yes.capitalize() or prompt.verb
    approve = element("button", word, type="submit", name=DECISION_FIELD, value=APPROVE, class_="yes")
    return element(
        "form",
        element("input", type="hidden", name=TOKEN_FIELD, value=token),
        *_choices(prompt, given),
        *_error(error),
        *(_phrase(prompt, given.get(TYPED_FIELD, ""), error) if prompt.phrase else []),
        element("div", keep, approve, class_="buttons"),
        method="post",
        autocomplete="off",
    )


def _choices(prompt: Prompt, given: Mapping[str, str]) -> list[Html]:
    items = [
        element("label", _checkbox(choice_field(number), given), described_record(each.description), class_="choice")
        for number, each in enumerate(prompt.choices.items, 1)
    ]
    legend = element("legend", "Also erase")
    why = element("p", f"{prompt.choices.reason}. They stay unless you tick them.", class_="muted")
    more = [element("p", prompt.choices.more, class_="muted")] if prompt.choices.more else []
    return [element("fieldset", legend, why, *items, *more)] if items else more


def _checkbox(name: str, given: Mapping[str, str]) -> Html:
    return element("input", type="checkbox", name=name, value=TICKED, checked=given.get(name) == TICKED)


def _phrase(prompt: Prompt, typed: str, error: str) -> list[Html]:
    name = TYPED_FIELD
    label = element("label", "To erase, type ", rich_text(f'"{prompt.phrase}"'), for_=name, class_="field")
    attributes = {"spellcheck": "false", "autocapitalize": "none", "autocomplete": "off", "dir": "auto"}
    box = element("input", type="text", id=name, name=name, value=typed, **attributes, **_described(error))
    return [label, box, element("p", "The Enter key keeps it as it is; to erase, use the button.", class_="muted")]


def _error(error: str) -> list[Html]:
    return [element("p", error, id="error", role="alert", class_="error")] if error else []


def _described(error: str) -> dict[str, str | bool]:
    return {"aria_describedby": "error", "aria_invalid": "true", "autofocus": True} if error else {}


def _tool_title(approval: Approval) -> str:
    return approval.tool.replace("_", " ").capitalize()
