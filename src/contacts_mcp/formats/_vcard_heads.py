"""Reads what stands before the colon of a vCard's line: the property's name, kinds, preference and encoding."""

import re
from binascii import a2b_qp
from functools import lru_cache
from typing import Literal, NamedTuple

Transfer = Literal["", "quoted-printable", "base64"]

READ_PROPERTIES = frozenset(
    "FN N NICKNAME ORG TEL EMAIL CATEGORIES NOTE UID PRODID KIND X-ADDRESSBOOKSERVER-KIND X-ABSHOWAS X-ABLABEL".split()
)
TECHNICAL_PROPERTIES = frozenset(
    "BEGIN CLIENTPIDMAP END PRODID PROFILE REV VERSION X-ABADR X-MS-OL-DEFAULT-POSTAL-ADDRESS X-MS-OL-DESIGN".split()
)
"""Properties that say nothing about a contact."""
_STANDARD_NAMES = frozenset(
    "ADR AGENT ANNIVERSARY BDAY BEGIN BIRTHPLACE CALADRURI CALURI CATEGORIES CLASS CLIENTPIDMAP CREATED DEATHDATE "
    "DEATHPLACE EMAIL END EXPERTISE FBURL FN GENDER GEO GRAMGENDER HOBBY IMPP INTEREST JSPROP KEY KIND LABEL LANG "
    "LANGUAGE LOGO MAILER MEMBER N NAME NICKNAME NOTE ORG ORG-DIRECTORY PHOTO PRODID PROFILE PRONOUNS RELATED REV "
    "ROLE SOCIALPROFILE SORT-STRING SOUND SOURCE TEL TITLE TZ UID URL VERSION XML".split()
)
_OTHER_NAMES: dict[str, tuple[str, str]] = {
    "TEL": ("TEL", ""), "PHONE": ("TEL", ""), "TELEPHONE": ("TEL", ""), "MOBILE": ("TEL", "cell"),
    "CELL": ("TEL", "cell"), "FAX": ("TEL", "fax"), "PAGER": ("TEL", "pager"),
    "EMAIL": ("EMAIL", ""), "MAIL": ("EMAIL", ""), "E-MAIL": ("EMAIL", ""),
    "CATEGORY": ("CATEGORIES", ""), "CATEGORIES": ("CATEGORIES", ""), "GROUP": ("CATEGORIES", ""),
    "GROUPS": ("CATEGORIES", ""), "GN": ("CATEGORIES", ""), "TAGS": ("CATEGORIES", ""),
    "COMPANY": ("ORG", ""), "ORGANIZATION": ("ORG", ""), "NICKNAME": ("NICKNAME", ""), "NOTES": ("NOTE", ""),
}  # fmt: skip
"""Names that some programs write for standard ones, also after `X-`, and the kind that they mean."""
_VARIANT = re.compile(rf"({'|'.join(_OTHER_NAMES)})[\d_.,-]+(?:TYPE=)?([A-Z]*)\d*")
"""Such a name with a number or kind: `TEL1`, `PHONE.WORK`, `EMAIL_HOME`, `TEL,TYPE=CELL`."""

_PARAMETER = re.compile(r'(?:"[^"]*"|[^";]|"(?![^"]*"))+')
_TRANSFERS: dict[str, Transfer] = {
    "quoted-printable": "quoted-printable", "quotedprintable": "quoted-printable", "qp": "quoted-printable",
    "q": "quoted-printable", "base64": "base64", "b": "base64", "8bit": "", "7bit": "", "binary": "",
}  # fmt: skip
_BARE_TRANSFERS = frozenset({"quoted-printable", "base64", "8bit", "7bit"})
"""What version 2.1 writes without `ENCODING=`; a bare `b` or `q` would be a kind."""
_OTHER_PARAMETERS = frozenset("ALTID CALSCALE GEO LANGUAGE MEDIATYPE PID SORT-AS TZ VALUE WAID".split())
"""Parameters that do not tell a kind, as `TYPE`, `LABEL` and bare words do."""
_NAMED_PARAMETERS = frozenset({"ALTID", "CHARSET", "ENCODING", "PREF"})
_MAX_PREFERENCE = 101


class Head(NamedTuple):
    """What stands before the colon of a line.

    Attributes:
        name: The property's name in upper case; empty if the line is not a property.
        kinds: Types in lower case: 2.1 writes them bare, 3.0 and 4.0 as `TYPE=`.
        preference: 1 to 100, where a bare `PREF` is 1; 101 without one.
        alternative: What alternatives of one property, such as translations, have in common (`ALTID`).
    """

    group: str = ""
    name: str = ""
    kinds: frozenset[str] = frozenset()
    preference: int = _MAX_PREFERENCE
    transfer: Transfer = ""
    charset: str = ""
    alternative: str = ""


NO_PROPERTY = Head()


@lru_cache(maxsize=1024)  # the cards of a file have few different heads
def parse_head(text: str) -> Head:
    """Read a head; `NO_PROPERTY` if its name is not one of a property."""
    first, *parameters = _PARAMETER.findall(text) if '"' in text else text.split(";")
    group, name, kind = _parse_name(first.strip().upper())
    if not name:
        return NO_PROPERTY
    kinds = {kind} if kind else set()
    values: dict[str, str] = {}
    for parameter in parameters:
        key, equals, value = parameter.partition("=")
        key, value = key.strip().upper(), value.strip(' "\\')
        if equals and key in _NAMED_PARAMETERS:
            values[key] = value
        elif key.lower() in _BARE_TRANSFERS:
            values["ENCODING"] = key
        elif key not in _OTHER_PARAMETERS:
            kinds.update(_read_kind(word) for word in (value or key).split(","))
    return Head(
        group,
        name,
        frozenset(kinds),
        _preference(values.get("PREF", ""), kinds),
        _TRANSFERS.get(values.get("ENCODING", "").lower(), ""),
        values.get("CHARSET", ""),
        values.get("ALTID", ""),
    )


def _read_kind(word: str) -> str:
    """Return a kind in lower case, such as `X-CUSTOM(CHARSET=UTF-8,ENCODING=QUOTED-PRINTABLE,=46=61)` of Android."""
    if "=" in word:
        word = a2b_qp(word.encode()).decode("utf-8", "replace")
    return word.strip('\\") ').lower()


def _preference(value: str, kinds: set[str]) -> int:
    if "pref" in kinds:
        return 1
    return int(value[:3]) if value.isdecimal() else _MAX_PREFERENCE


def _parse_name(text: str) -> tuple[str, str, str]:
    """Split a name such as `ITEM1.TEL` into its group, the standard name, and a kind that it means."""
    group, _, name = text.rpartition(".")
    if name in _STANDARD_NAMES:
        return group, name, ""
    if other := _OTHER_NAMES.get(name.removeprefix("X-")):
        return group, *other
    if name.startswith("X-"):
        return group, name, ""
    if variant := _VARIANT.fullmatch(name) or _VARIANT.fullmatch(text):
        standard, kind = _OTHER_NAMES[variant[1]]
        return group, standard, kind or variant[2].lower()
    return group, "", ""
