"""Names that models give for files, as both systems understand them. These tests need neither system."""

from pathlib import PurePath, PurePosixPath, PureWindowsPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contacts_mcp.operating_system import InvalidName, split_name

POSIX = PurePosixPath("/srv/files")
WINDOWS = PureWindowsPath("C:\\Users\\ola\\Files")


def refusal(root: PurePath, name: str) -> str:
    with pytest.raises(InvalidName) as refused:
        split_name(root, name)
    return str(refused.value)


@pytest.mark.parametrize(
    ("name", "steps"),
    [
        ("a.csv", ["a.csv"]),
        ("deep\\a.csv", ["deep", "a.csv"]),
        ("deep/er\\a.csv", ["deep", "er", "a.csv"]),
        (".\\a.csv", ["a.csv"]),
        ("C:\\Users\\ola\\Files\\a.csv", ["a.csv"]),
        ("c:/users/OLA/files/Deep/A.csv", ["Deep", "A.csv"]),
        ("Kunder og venner (2).csv", ["Kunder og venner (2).csv"]),
        ("console.csv", ["console.csv"]),
        ("nul1.csv", ["nul1.csv"]),
        ("com10.csv", ["com10.csv"]),
        ("brønnøysund~1.csv", ["brønnøysund~1.csv"]),
    ],
)
def test_windows_name_is_split_into_steps(name: str, steps: list[str]) -> None:
    assert split_name(WINDOWS, name) == steps


@pytest.mark.parametrize(
    "name",
    [
        "..\\a.csv",
        "deep/../../a.csv",
        "deep\\..\\a.csv",
        "D:\\a.csv",
        "C:\\Users\\ola\\a.csv",
        "C:\\Users\\ola\\Files2\\a.csv",
        "C:\\Users\\ola\\Files\\..\\a.csv",
        "C:a.csv",
        "C:",
        "\\a.csv",
        "/etc/passwd",
        "\\\\server\\share\\a.csv",
        "//server/share/a.csv",
        "\\\\?\\C:\\Users\\ola\\Files\\a.csv",
        "\\\\.\\NUL",
        "\\\\.\\C:\\a.csv",
    ],
)
def test_windows_name_that_leads_out_is_refused(name: str) -> None:
    """By dots, another drive, a drive without a path, a share, or a path of devices."""
    assert "leads out of the folder" in refusal(WINDOWS, name)


@pytest.mark.parametrize(
    "name",
    [
        "NUL",
        "nul",
        "con.csv",
        "AUX.tar.gz",
        "deep\\PRN",
        "Com1.csv",
        "lpt9",
        "COM¹",
        "CONIN$",
        "nul .csv",
        "NUL\\a.csv",
    ],
)
def test_reserved_windows_name_is_refused(name: str) -> None:
    """It is a device, in each folder and with each extension."""
    assert "reserved name of Windows" in refusal(WINDOWS, name)


@pytest.mark.parametrize("name", ["a.csv:b", "a.csv::$DATA", "deep:b\\a.csv", "deep\\a.csv:b"])
def test_other_stream_of_a_windows_file_is_refused(name: str) -> None:
    assert refusal(WINDOWS, name)


@pytest.mark.parametrize("name", ["a.csv.", "a.csv ", "deep.\\a.csv", "... ", ".. ", "a.csv. ."])
def test_windows_name_that_equals_another_one_is_refused(name: str) -> None:
    assert "ends with a dot or a space" in refusal(WINDOWS, name)


@pytest.mark.parametrize("name", ["", ".", "a\0b", "a?.csv", "*", "a|b", 'a"b', "a\nb", "deep\\", "a" * 256, "\ud800"])
def test_text_that_is_no_windows_name_is_refused(name: str) -> None:
    assert "is not a file name" in refusal(WINDOWS, name)


@pytest.mark.parametrize("name", [".env", ".ssh\\a.csv", "deep\\.a.csv"])
def test_hidden_windows_name_is_refused(name: str) -> None:
    assert "hidden" in refusal(WINDOWS, name)


@given(st.text(max_size=40) | st.text(alphabet="ab.:\\/ ?~CN\0", max_size=20))
def test_windows_name_never_leads_out(name: str) -> None:
    """Whatever the text is, the steps are plain names below the folder."""
    try:
        steps = split_name(WINDOWS, name)
    except InvalidName:
        return
    path = WINDOWS.joinpath(*steps)
    assert path.parts == (*WINDOWS.parts, *steps)
    assert not any(set(step) & set('\\/:*?"<>|') or step in ("", ".", "..") for step in steps)


@pytest.mark.parametrize("name", ["NUL", "a.csv:b", "a.csv.", "a?.csv", "deep\\a.csv", "C:a.csv"])
def test_windows_rules_do_not_apply_on_posix(name: str) -> None:
    assert split_name(POSIX, name) == [name]
