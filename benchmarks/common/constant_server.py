"""`contacts-mcp` with a client that answers each call at once from memory, so that only our server is measured."""

from typing import cast

from common.api_samples import CONTACT

from contacts_mcp.__main__ import main
from contacts_mcp.client import ContactsClient
from contacts_mcp.contract import AnswerT, Call, Contact, ProgressCallback

_CONTACT = Contact.model_validate(CONTACT)


async def _send(_client: ContactsClient, _call: Call[AnswerT], _report: ProgressCallback | None = None) -> AnswerT:
    return cast("AnswerT", _CONTACT)


if __name__ == "__main__":
    ContactsClient.send = _send  # type: ignore[method-assign]
    main()
