"""The pages as an ASGI app. The server around it checks the Host header; everything else is checked here.

- `/` lists the questions that wait, `/ID` shows one and takes the decision, which a form posts there.
- A request without a session gets the login. Without one (on this computer) it gets a page that says how to go on.
- A POST request has to come from a page of this server: Origin, session and the form's token have to fit.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, Protocol
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from contacts_mcp.approval_page._html import CONTENT_SECURITY_POLICY, Html
from contacts_mcp.approval_page._sessions import Session, Sessions, scheme_of
from contacts_mcp.approval_page._views import (
    APPROVE,
    DECISION_FIELD,
    KEEP,
    TICKED,
    TOKEN_FIELD,
    TYPED_FIELD,
    PageFault,
    Views,
)
from contacts_mcp.contract import AuthenticationFailed, ContactsError, PermissionDenied
from contacts_mcp.guard import Approval, Consent, Prompt, Refused, build_prompt
from contacts_mcp.middleware import BODY_SCOPE_KEY, BodyLimitMiddleware, ErrorMiddleware, Refusal
from contacts_mcp.server import ApprovalDesk, Caller, OpenQuestion, OutdatedApproval

MAX_BODY_BYTES = 16 * 1024
MAX_FIELDS = 64
MAX_REQUESTS_AT_ONCE = 4
_FORM_TYPE = "application/x-www-form-urlencoded"
_METHODS = ("GET", "POST")
_SECURITY_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    # Not `no-referrer`: browsers then send `Origin: null` with a form, and the origin is what we check.
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}

Form = Mapping[str, str]


class Login(Protocol):
    """How a person proves in a browser which caller they are."""

    async def log_in(self, request: Request, form: Form) -> Caller | Response:
        """Return who the person is, after they posted a form, or the response that goes on with the login.

        `form` has the fields of a POST request from a page of this server; it is empty otherwise. Raises PageFault.
        """
        ...


@dataclass(frozen=True, slots=True)
class Deciding:
    """Whose decisions the pages take, and what is recorded of them.

    Attributes:
        consent: the way in which a person is reached who does not decide as an approver.
        name_of: returns what the trail records of a person; empty if that is not known.
        decides_own: whether an approver can decide on their own calls, too, as a person who is none.
    """

    consent: Consent
    name_of: Callable[[Caller], str]
    decides_own: bool = True

    def consent_of(self, viewer: Caller, approval: Approval) -> Consent:
        """Return what a decision of this person on a call is."""
        is_own = self.decides_own and approval.principal == viewer.principal
        return Consent.APPROVER if viewer.may_approve and not is_own else self.consent


def approval_pages(
    desk: ApprovalDesk,
    sessions: Sessions,
    login: Login,
    views: Views,
    deciding: Deciding,
    login_routes: Sequence[BaseRoute] = (),
) -> ASGIApp:
    """Serve the pages of pending approvals, and further pages of the login."""
    pages = _Pages(desk, sessions, login, views, deciding)
    routes = [
        *login_routes,
        Route("/", pages.list_pending, methods=_METHODS),
        Route("/{approval}", pages.show_or_decide, methods=_METHODS),
    ]
    return protected(Router(routes, redirect_slashes=False, default=not_found), views)


def protected(app: ASGIApp, views: Views) -> ASGIApp:
    """Limit bodies, answer errors with a page, and give every response the headers that protect it."""

    def render(refusal: Refusal, _scope: Scope) -> ASGIApp:
        page = views.message("This did not work", as_sentence(refusal.message))
        return page_response(page, refusal.status, refusal.headers)

    async def with_faults(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await (app if scope["method"] in _METHODS else _wrong_method)(scope, receive, send)
        except PageFault as fault:
            page = views.message(fault.title, fault.text)
            await page_response(page, fault.status, fault.headers)(scope, receive, send)
        except ContactsError as exc:
            is_denied = isinstance(exc, PermissionDenied | AuthenticationFailed)
            status = HTTPStatus.FORBIDDEN if is_denied else HTTPStatus.SERVICE_UNAVAILABLE
            title = "You cannot decide on this" if is_denied else "This does not work now"
            page = views.message(title, f"{as_sentence(exc.message)} Nothing was decided.")
            await page_response(page, status)(scope, receive, send)

    return ErrorMiddleware(BodyLimitMiddleware(with_faults, render, limit_bytes=MAX_BODY_BYTES), render)


def page_response(page: Html, status: HTTPStatus = HTTPStatus.OK, headers: Form | None = None) -> Response:
    """Return a page as a response that no other site can frame, read or keep."""
    return HTMLResponse(page, status, {**_SECURITY_HEADERS, **(headers or {})})


def redirect(address: str) -> Response:
    """Return a response that lets the browser fetch another page."""
    return RedirectResponse(address, HTTPStatus.SEE_OTHER, _SECURITY_HEADERS)


class _Pages:
    def __init__(self, desk: ApprovalDesk, sessions: Sessions, login: Login, views: Views, deciding: Deciding) -> None:
        self._desk = desk
        self._sessions = sessions
        self._login = login
        self._views = views
        self._deciding = deciding
        self._active: Counter[str] = Counter()

    async def list_pending(self, request: Request) -> Response:
        """Show what waits for the person; if that is one question, show it."""
        session = self._sessions.find(request)
        if session is None:
            return await self._log_in(request)
        base = request.scope.get("root_path", "")
        pending = await self._pending(session.caller)
        if len(pending) == 1:
            return redirect(f"{base}/{pending[0].id}")
        return page_response(self._views.pending(pending, base))

    async def show_or_decide(self, request: Request) -> Response:
        """Show one question, or take the decision on it."""
        session = self._sessions.find(request)
        if session is None:
            return await self._log_in(request)
        with self._one_of_few(session.caller):
            return await self._show_or_decide(request, session)

    async def _show_or_decide(self, request: Request, session: Session) -> Response:
        form = read_form(request)
        viewer = session.caller
        approval = await self._desk.find(viewer, request.path_params["approval"], of_all=viewer.may_approve)
        if approval is None:
            text = "It may have expired, or another caller has asked it. Nothing was decided here."
            raise PageFault(HTTPStatus.NOT_FOUND, "There is no such question", text)
        if decision := await self._desk.decision_on(approval):
            status = HTTPStatus.CONFLICT if request.method == "POST" else HTTPStatus.OK
            return page_response(self._views.decided_before(decision), status)
        question = await self._open(viewer, approval)
        prompt = _prompt_of(question)
        if request.method == "POST":
            return await self._decide(request, session, question, prompt, form)
        return self._show(session, question, prompt)

    @contextmanager
    def _one_of_few(self, viewer: Caller) -> Iterator[None]:
        """Let a person have few requests at a time: building a question may read the whole directory.

        Raises PageFault.
        """
        if self._active[viewer.principal] >= MAX_REQUESTS_AT_ONCE:
            text = "This server is still busy with your other requests. Load the page again in a moment."
            raise PageFault(HTTPStatus.TOO_MANY_REQUESTS, "Too many requests", text)
        self._active[viewer.principal] += 1
        try:
            yield
        finally:
            self._active[viewer.principal] -= 1
            if not self._active[viewer.principal]:
                del self._active[viewer.principal]

    async def _log_in(self, request: Request) -> Response:
        answer = await self._login.log_in(request, read_form(request))
        if isinstance(answer, Response):
            return answer
        response = redirect(request.url.path)
        self._sessions.open(request, answer, response)
        return response

    async def _open(self, viewer: Caller, approval: Approval) -> OpenQuestion:
        try:
            return await self._desk.open(viewer, approval)
        except OutdatedApproval as exc:
            raise _outdated(exc) from None

    def _show(
        self,
        session: Session,
        question: OpenQuestion,
        prompt: Prompt,
        *,
        given: Form = MappingProxyType({}),
        error: str = "",
    ) -> Response:
        token = self._sessions.make_token(session, question.approval, question.target.fingerprint)
        page = self._views.question(question.approval, prompt, token, given, error)
        return page_response(page, HTTPStatus.UNPROCESSABLE_ENTITY if error else HTTPStatus.OK)

    async def _decide(
        self, request: Request, session: Session, question: OpenQuestion, prompt: Prompt, form: Form
    ) -> Response:
        approval, viewer = question.approval, session.caller
        consent, name = self._deciding.consent_of(viewer, approval), self._deciding.name_of(viewer)
        if not self._sessions.is_token(form.get(TOKEN_FIELD, ""), session, approval, question.target.fingerprint):
            raise PageFault(HTTPStatus.FORBIDDEN, "This form is outdated", "Nothing was decided. Load the page again.")
        decision = form.get(DECISION_FIELD)
        try:
            if decision == KEEP:
                await self._desk.keep(approval, consent, name)
            elif decision == APPROVE:
                await self._desk.approve(viewer, question, _to_answer(prompt, form), consent, name)
            else:
                return self._show(session, question, prompt, error="Nothing was decided. Press one of the buttons.")
        except OutdatedApproval as exc:
            raise _outdated(exc) from None
        except Refused as exc:
            error = f"{as_sentence(exc.message)} Nothing was decided; try again."
            return self._show(session, question, prompt, given=form, error=error)
        others, base = len(await self._pending(viewer)), request.scope.get("root_path", "")
        return page_response(self._views.decided(prompt, is_approved=decision == APPROVE, others=others, base=base))

    async def _pending(self, viewer: Caller) -> list[Approval]:
        return await self._desk.list_pending(viewer, of_all=viewer.may_approve)


def as_sentence(message: str) -> str:
    """Return the message of an error as a sentence."""
    return f"{message[:1].upper()}{message[1:]}."


def read_form(request: Request) -> Form:
    """Return the fields of a form that a page of this server has posted; none for a GET request.

    Raises PageFault for a request of another site or program, and for a body that no form of ours has.
    """
    if request.method != "POST":
        return {}
    own = f"{scheme_of(request)}://{request.headers.get('host', '')}"
    if request.headers.getlist("origin") != [own]:
        text = "The form was not sent by a page of this server. Nothing was decided."
        raise PageFault(HTTPStatus.FORBIDDEN, "Refused", text)
    is_form = request.headers.get("content-type", "").partition(";")[0].strip().lower() == _FORM_TYPE
    try:
        body = request.scope[BODY_SCOPE_KEY].decode() if is_form else None
        pairs = parse_qsl(body, keep_blank_values=True, strict_parsing=True, max_num_fields=MAX_FIELDS) if body else []
    except ValueError:
        pairs = []
    if not pairs or len(dict(pairs)) != len(pairs):
        raise PageFault(HTTPStatus.BAD_REQUEST, "Refused", "This is not a form of these pages. Nothing was decided.")
    return dict(pairs)


def _prompt_of(question: OpenQuestion) -> Prompt:
    try:
        return build_prompt(question.call, question.target)
    except Refused as exc:
        raise PageFault(
            HTTPStatus.CONFLICT, "This cannot be shown", f"{as_sentence(exc.message)} Nothing was decided."
        ) from None


def _to_answer(prompt: Prompt, form: Form) -> dict[str, Any]:
    """Return the answer as a form of a host gives it, for the guard to judge."""
    if not prompt.phrase:
        return {"decision": prompt.yes}
    ticked = {name: True for name, value in form.items() if name.startswith("also_") and value == TICKED}
    return {"typed": form.get(TYPED_FIELD, ""), **ticked}


def _outdated(error: OutdatedApproval) -> PageFault:
    text = f"{as_sentence(error.message)} Nothing was decided here; the assistant has to ask again."
    return PageFault(HTTPStatus.CONFLICT, "This question is no longer open", text)


async def _wrong_method(_scope: Scope, _receive: Receive, _send: Send) -> None:
    text = "These pages know only GET and POST."
    raise PageFault(HTTPStatus.METHOD_NOT_ALLOWED, "Refused", text, {"Allow": ", ".join(_METHODS)})


async def not_found(_scope: Scope, _receive: Receive, _send: Send) -> None:
    """Answer a request for another path."""
    raise PageFault(HTTPStatus.NOT_FOUND, "Not found", "There is no page at this address.")
