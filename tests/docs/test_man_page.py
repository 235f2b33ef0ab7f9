"""The man page is made from the commands. UPDATE_README=1 writes it again."""

import shutil
import subprocess

import pytest

from doc_man import MAN_PAGE, man_page
from doc_parts import UPDATE


def test_man_page_is_up_to_date() -> None:
    if UPDATE:
        MAN_PAGE.write_text(man_page())

    assert MAN_PAGE.read_text() == man_page()


@pytest.mark.skipif(shutil.which("groff") is None, reason="groff is not installed")
def test_man_page_is_read_without_a_warning() -> None:
    shown = subprocess.run(
        ["groff", "-man", "-Tutf8", "-ww", "-z", str(MAN_PAGE)], capture_output=True, text=True, check=True
    )

    assert shown.stderr == ""
