"""docs/demo.svg shows what the demo prints. UPDATE_README=1 records it again."""

import pytest

from doc_parts import DOCS, UPDATE
from doc_picture import demo_picture

pytestmark = pytest.mark.system

PICTURE = DOCS / "demo.svg"


def test_demo_picture_is_up_to_date() -> None:
    """The server that it shows is the real one, as a child process."""
    picture = demo_picture()
    if UPDATE:
        PICTURE.write_text(picture)

    assert PICTURE.read_text() == picture


def test_demo_picture_loads_nothing_from_the_network() -> None:
    """No fonts and no scripts: it is shown without a connection."""
    text = PICTURE.read_text()

    assert "http" not in text.replace('xmlns="http://www.w3.org/2000/svg"', "").replace("https://www.textualize.io", "")
    assert "<script" not in text
