"""Sample answers, word for word from the documentation of the Contacts API."""

CONTACT_ID = "f47ac10b-58cc-4372-a567-0e02b2c3d479"

CONTACT = {
    "id": CONTACT_ID,
    "type": "person",
    "name": "Ola Nordmann",
    "company_name": "ACME AS",
    "phone_number": "+4799999999",
    "email": "ola@example.com",
    "tags": ["vip", "newsletter"],
    "notes": "Key contact for project X",
    "created_at": "2025-01-15T09:30:00Z",
    "updated_at": "2025-01-15T09:30:00Z",
}

CONTACT_ROW = {
    "id": "a1b2c3d4-5678-9abc-def0-123456789abc",
    "first_name": "Ola",
    "last_name": "Nordmann",
    "email": "ola@example.com",
    "phone_number": "+4799999999",
    "contact_type": "person",
    "tags": ["vip"],
}

CONTACT_PAGE = {"contacts": [CONTACT_ROW], "total": 1, "page": 1, "per_page": 50}

GROUP = {
    "id": "a1b2c3d4-1234-5678-9abc-def012345678",
    "name": "Newsletter Subscribers",
    "description": "Customers who opted in for newsletter",
    "member_count": 150,
    "created_at": "2025-01-15T09:30:00Z",
}

GROUP_LIST = {"groups": [{name: value for name, value in GROUP.items() if name != "description"}]}

MEMBER_LIST = {
    "members": [
        {
            "id": "b2c3d4e5-6789-0abc-def1-234567890abc",
            "first_name": "Ola",
            "last_name": "Nordmann",
            "phone_number": "+4799999999",
        }
    ]
}
