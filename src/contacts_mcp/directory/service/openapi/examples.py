"""Examples from the API's page, and for the extensions some like them."""

from typing import Any

_ID = "f47ac10b-58cc-4372-a567-0e02b2c3d479"
_OTHER_ID = "a1b2c3d4-5678-9abc-def0-123456789abc"
_GROUP_ID = "a1b2c3d4-1234-5678-9abc-def012345678"
_MEMBER_ID = "b2c3d4e5-6789-0abc-def1-234567890abc"
_TIME = "2025-01-15T09:30:00Z"

NEW_CONTACT: dict[str, Any] = {
    "type": "person",
    "name": "Ola Nordmann",
    "phone_number": "+4799999999",
    "email": "ola@example.com",
    "tags": ["vip"],
}
CONTACT: dict[str, Any] = {
    "id": _ID,
    "type": "person",
    "name": "Ola Nordmann",
    "company_name": "ACME AS",
    "phone_number": "+4799999999",
    "email": "ola@example.com",
    "tags": ["vip", "newsletter"],
    "notes": "Key contact for project X",
    "created_at": _TIME,
    "updated_at": _TIME,
}
CONTACT_PAGE: dict[str, Any] = {
    "contacts": [
        {
            "id": _OTHER_ID,
            "first_name": "Ola",
            "last_name": "Nordmann",
            "email": "ola@example.com",
            "phone_number": "+4799999999",
            "contact_type": "person",
            "tags": ["vip"],
        }
    ],
    "total": 1,
    "page": 1,
    "per_page": 50,
}
ERASURE = {"reason": "Customer requested data deletion per GDPR Article 17"}
NEW_GROUP = {"name": "VIP Customers", "description": "High-value customers for priority support"}
GROUP: dict[str, Any] = {
    "id": _GROUP_ID,
    "name": "Newsletter Subscribers",
    "description": "Customers who opted in for newsletter",
    "member_count": 150,
    "created_at": _TIME,
}
GROUPS = {"groups": [{"id": _GROUP_ID, "name": "Newsletter Subscribers", "member_count": 150, "created_at": _TIME}]}
MEMBERS = {"members": [{"id": _MEMBER_ID, "first_name": "Ola", "last_name": "Nordmann", "phone_number": "+4799999999"}]}
NEW_MEMBERS = {"contact_ids": [_OTHER_ID, _MEMBER_ID]}
ADDED = {"added": 2}  # the page's 3, to two ids, would be no example of this service
ADDITIONS = {"extensions": ["batch", "scan"]}
SCAN = {"fields": ["id", "name"], "rows": [[_ID, "Ola Nordmann"]], "next": "1"}
BATCH = {
    "creates": [{"type": "person", "name": "Kari Nordmann"}],
    "updates": [{"id": _ID, "tags": ["vip", "newsletter"]}],
}
RESULTS = {"results": [{"status": 201, "id": _MEMBER_ID}, {"status": 404, "detail": "Contact not found"}]}
FAULTS = {"detail": [{"loc": ["body", "name"], "msg": "must not be empty", "type": "blank"}]}
