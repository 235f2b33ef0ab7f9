"""Contact files, mutated and enlarged at random: every import answers, counts each row, and stays within its bounds."""

import os
import random
import sys
import time
from pathlib import Path

import pytest

from support.hosts import Host, text_of
from support.loop_watch import MAX_TURN_SECONDS, watch_loop
from support.processes import peak_memory
from support.texts import card

MEGABYTE = 1_000_000
MAX_GROWTH_BYTES = 200 * MEGABYTE
TOLERANCE = 2
"""On a busy machine a turn takes longer: a processor that others use counts more time for the same work."""
COUNTS = ("new_contacts", "updates", "unchanged", "duplicates", "ambiguous", "invalid")
SAMPLES = [path.read_bytes() for path in sorted((Path(__file__).parents[2] / "formats" / "samples").iterdir())]
KINDS = [
    card("N:Hansen;Kari;;;", "TEL;FAX:+4722335103", "TEL;CELL:+4791235103", "EMAIL;PREF;INTERNET:b@example.org"),
    card("N;ENCODING=quoted-printable:=C3=85sen;=C3=98ystein", "NOTE;ENCODING=QUOTED-PRINTABLE:Bl=C3=", " =A5b=C3=A6r"),
    card(
        "FN;CHARSET=WINDOWS-1251:\xc8\xe2\xe0\xed",
        "NOTE;ENCODING=BASE64:!",
        "X-MS-CARDPICTURE;ENCODING=BASE64:AAAA",
        "",
    ),
    card("FN:Boss", "AGENT:", "BEGIN:VCARD", "FN:Assistant", "END:VCARD", "TEL:1") + "\ufeff" + card("FN:B"),
    "BEGIN:VADDRESSBOOK\n" + card("FN:A", "CATEGORIES:myContacts,VIP").replace("\nEND", "END") + "END:VADDRESSBOOK\n",
    "".join(f"   {line}\n" for line in card("FN:Kari", "", "Hansen", "PHONE.WORK:+4722335103").splitlines()),
    card("TEL;X-CUSTOM(CHARSET=UTF-8,ENCODING=QUOTED-PRINTABLE):+4791235103", "NOTE:C:\\nytt\\;12\\:30", "NICKNAME:K"),
    'name;phone;email\nKari Hansen;22 33 51 03 / 91 23 51 03;"Ola <ola@example.org>; kari@example.org"\n',
    "name,phone\nKari,4.47911E+11\nPer,02129/3743399\nOla,00000000\nAda,22335103 ext. 12\n",
    "Rapport,,\n\nNavn,Mobil-Nr.,Emailadresse\nKari\u200b,9123\ufe0d5103,n/a\n,,a..b@docomo.ne.jp\n",
    'First Name,Labels,Phone 1 - Label,Phone 1 - Value\nKari,"Venner, nære ::: Kor; alt",Work Fax,22335103 ::: 1\n',
    'Email Address,TAGS\na@example.org,"""VIP"",""Oslo, Norge"""\n=1+1,"=""text"""\n',
    "name,phone\nMer Celle,+4791235103,mer@example.org\nHansen, Kari,22335103\n",
    '[{"name": "Kari", "phones": [{"value": 91235103}], "tags": ["a", "b"]}, {"name": null, "x": [[[[[[1]]]]]]}]',
    '{"name": "Kari", "phone": "91235103"}\n{"name": "Ola", "phone": 9.1235103e7}\n',
]
SHAPES = [*SAMPLES, *(text.encode() for text in KINDS), KINDS[7].encode("cp1252"), KINDS[0].encode("utf-16")]
OPEN_CARD = "BEGIN:VCARD\nFN:Ola\n"
QUOTED_NOTE = OPEN_CARD + "NOTE;ENCODING=QUOTED-PRINTABLE:"
NUMBERS = "91235103; " * 1_990
CONSTRUCTS = {
    "soft line breaks": (QUOTED_NOTE, "=\n"),
    "folded soft line breaks": (QUOTED_NOTE, "=\n "),
    "quoted-printable letters": (QUOTED_NOTE, "=C3=A5"),
    "quoted-printable numbers": (OPEN_CARD + "TEL;ENCODING=QUOTED-PRINTABLE:", "=39"),
    "undeclared quoted-printable": (OPEN_CARD + "NICKNAME;CHARSET=UTF-8:", "=C3"),
    "base64": (OPEN_CARD + "NOTE;ENCODING=BASE64:", "QUJD"),
    "folds": (OPEN_CARD + "NOTE:", "x\n "),
    "blank lines": (OPEN_CARD + "NOTE:", "\n"),
    "byte order marks in a note": (OPEN_CARD + "NOTE:", "\ufeff"),
    "backslashes": (OPEN_CARD + "NOTE:", "\\"),
    "semicolons in a name": ("BEGIN:VCARD\nN:", ";"),
    "semicolons in a head": (OPEN_CARD + "TEL", ";"),
    "types": (OPEN_CARD + "TEL", ";TYPE=a"),
    "quotes in a head": (OPEN_CARD + "TEL;TYPE=", '"'),
    "quoted colons": (OPEN_CARD, 'TEL;X=":":1\n'),
    "commas": (OPEN_CARD + "CATEGORIES:", ","),
    "tags": (OPEN_CARD + "CATEGORIES:", "tag,"),
    "escaped tags": (OPEN_CARD + "CATEGORIES:", "a\\,b,"),
    "equal numbers": (OPEN_CARD, "TEL:+4791235103\n"),
    "numbers and slashes": (OPEN_CARD + "TEL:", "22335103/"),
    "labels": (OPEN_CARD, "item1.X-ABLABEL:a\nitem1.TEL:1\n"),
    "begins": ("", "BEGIN:VCARD\n"),
    "ends": ("", "END:VCARD\n"),
    "empty cards": ("", "BEGIN:VCARD\nEND:VCARD\n"),
    "joined cards": ("", "BEGIN:VCARD\nFN:A\nEND:VCARD"),
    "assistants": (OPEN_CARD, "AGENT:\nBEGIN:VCARD\n"),
    "lost addresses": (OPEN_CARD, "a@example.org\n"),
    "spaces in a card": (OPEN_CARD, " "),
    "tags of a page": (OPEN_CARD, "\n<b>"),
    "short rows": ("name\n", "x\n"),
    "short rows below many tags": (f"name,tags\nx,{';'.join(f'tag{number}' for number in range(5_000))}\n", "x\n"),
    "rows with an invalid address": ("name,email\n", "x,y\n"),
    "rows that share a number": ("name,phone\n", "x,91235103\n"),
    "rows with an invalid number": ("name,phone\n", "x,1\n"),
    "rows with too many cells": ("name\n", "x,y\n"),
    "delimiters": ("name,phone\n", ","),
    "columns": ("name", ",phone"),
    "unlike delimiters": ("name", ",a;b\t"),
    "quotes": ("name\n", '"'),
    "quoted cells": ("name\n", '"a""b"\n'),
    "line ends": ("name\n", "\r"),
    "byte order marks": ("", "\ufeff"),
    "digits": ("name,phone\nOla,", "9"),
    "numbers in fifty cells": (f"name{',phone' * 50}\nOla", f",{NUMBERS}"),
    "numbers in many cells": ("name,phone\n", f"Ola,{NUMBERS}\n"),
    "slashes in a cell": ("name,phone\n", "Ola,22335103/91235103\n"),
    "addresses in a cell": ("name,email\n", "Ola,a b@c.d <e@f.g>; h@i\n"),
    "angle brackets": ("name,email\n", f"Ola,{'<@' * 5_000}\n"),
    "spaces in a cell": ("name,phone\n", f"Ola,1{' ' * 10_000}1\n"),
    "quoted tags": ("name,tags\n", 'Ola,"""a"", ""b"""\n'),
    "formulas": ("name,phone\n", 'Ola,"=""91235103"""\n'),
    "letters of several scripts": ("name\n", "åßЖ漢🎉\n"),
    "combining marks": ("name\nOla", "\u0301"),
    "objects": ('[{"name":"x"}', ',{"name":"x"}'),
    "empty objects": ("[{}", ",{}"),
    "nested lists": ('[{"name":', "["),
    "nested objects": ("", '{"name":'),
    "lines of JSON": ("", '{"name":"x"}\n'),
    "digits in JSON": ('[{"name":"Ola","phone":', "9"),
}
"""What stands before, and what is repeated."""
SEPARATORS = (b",", b";", b"\t", b"\n", b"\r", b"=", b":", b'"', b" ")
ENDS = {"BEGIN:VCARD": "\nEND:VCARD\n", "[{": "]"}


def enlarge(name: str, size: int = MEGABYTE) -> bytes:
    before, repeated = (text.encode() for text in CONSTRUCTS[name])
    end = next((end for begin, end in ENDS.items() if before.startswith(begin.encode())), "")
    return before + repeated * ((size - len(before)) // len(repeated)) + end.encode()


def mutate(chance: random.Random) -> bytes:
    """A shape that was changed up to four times."""
    data = chance.choice(SHAPES)
    for _ in range(chance.randrange(1, 5)):
        begin, end = sorted(chance.randrange(len(data) + 1) for _ in range(2))
        match chance.randrange(7):
            case 0:
                data = data[:end] or b"x"
            case 1:
                data = data[:begin] + data[end:] or b"x"
            case 2:
                data = data[:end] + data[begin:end] * chance.choice((1, 2, 50)) + data[end:]
            case 3:
                other = chance.choice(SHAPES)
                data = data[:begin] + other[chance.randrange(len(other)) :] + data[end:]
            case 4:
                data = data[:begin] + chance.randbytes(chance.choice((1, 1, 4))) + data[begin + 1 :]
            case 5:
                before, after = (
                    chance.choice((b",", b";", b"\t", b"\n", b"\r", b"=", b":", b'"', b" ")) for _ in range(2)
                )
                data = data.replace(before, after)
            case _:
                construct = CONSTRUCTS[chance.choice([*CONSTRUCTS])][1].encode()
                data = data[:begin] + construct * chance.choice((1, 3, 100)) + data[begin:]
        data = data[:200_000]
    return data


async def import_file(directory: Host, files: Path, data: bytes) -> str:
    """The answer's text; asserts that the file is refused in one line, or that each of its rows is counted."""
    (files / "people").write_bytes(data)
    result = await directory.raw("import_contacts", path="people")
    if result.is_error:
        line = text_of(result)
        assert line.startswith("invalid: "), (line, data[:2_000])
        assert "\n" not in line
        return line
    answer = result.structured_content
    assert sum(answer[name] for name in COUNTS) == answer["rows"], (answer, data[:2_000])
    return text_of(result)


@pytest.mark.slow
async def test_mutated_file_is_imported_or_refused_in_one_line(directory, files):
    chance = random.Random(1)
    for _ in range(40):
        await import_file(directory, files, mutate(chance))


@pytest.mark.load
@pytest.mark.parametrize("seed", range(100, 110))
async def test_many_mutated_files_are_imported_or_refused_in_one_line(directory, files, seed):
    chance = random.Random(seed)
    for _ in range(300):
        await import_file(directory, files, mutate(chance))


@pytest.mark.parametrize("name", ["soft line breaks", "numbers in fifty cells", "quotes in a head", "nested objects"])
async def test_repeated_construct_of_a_file_is_imported_or_refused(directory, files, name):
    await import_file(directory, files, enlarge(name, 100_000))


@pytest.mark.parametrize("before", ["\nBEGIN:VCARD", "\nEND:VCARD", "\n", "\nBEGIN", "\nAGENT:"])
async def test_spaces_before_and_behind_a_marker_take_linear_time(directory, files, before):
    """Quadratic time would be 20 seconds, in which no other thread runs."""
    began = time.process_time()
    await import_file(directory, files, f"{card('FN:Ola')}{before}{' ' * 20_000}x\n".encode())

    assert time.process_time() - began < 2


@pytest.mark.load
@pytest.mark.skipif(sys.platform != "linux", reason="memory is measured by /proc")
@pytest.mark.parametrize("name", CONSTRUCTS)
async def test_megabyte_of_one_construct_takes_bounded_memory_and_turns(directory, files, name):
    data = enlarge(name)
    await import_file(directory, files, SHAPES[0])  # imports modules that are needed first
    before = peak_memory(os.getpid())
    async with watch_loop() as watch:
        await import_file(directory, files, data)

    assert watch.longest < MAX_TURN_SECONDS * TOLERANCE
    assert peak_memory(os.getpid()) - before < MAX_GROWTH_BYTES
