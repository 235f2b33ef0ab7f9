r"""What a name is that a model gives for a file in the folder: pure functions, for the names of both systems.

On Windows a name can lead out of a folder, or to something that is no file, without any `..`: `C:secret.csv` and
`\\server\share`, `NUL.csv` is a device, `a.csv:b` is another stream of a file, and `a.csv.` and `a.csv ` are `a.csv`.
"""

import os
import re
from pathlib import PurePath, PureWindowsPath

_MAX_NAME_LENGTH = 255  # bytes, or UTF-16 units on Windows; on most file systems
_RESERVED = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³])\s*(\..*)?", re.IGNORECASE | re.DOTALL)
_NOT_IN_NAMES = re.compile(r'[\x00-\x1f<>"|?*]')

_OUTSIDE = "leads out of the folder for files; use a name below it"
_NOT_A_NAME = "is not a file name"
_HIDDEN = "is hidden or in a hidden folder; hidden files cannot be used"


class InvalidName(ValueError):
    """A name that cannot be used; the text says why, as the end of a sentence that begins with the argument."""


class HiddenFile(OSError):
    """The file system marks a file or a folder as hidden."""

    def __str__(self) -> str:
        return _HIDDEN


def split_name(root: PurePath, name: str) -> list[str]:
    """Split a name below the folder `root`, or absolute within it, into the steps from the folder to the file.

    The names are those of the system whose path `root` is. Raises InvalidName.
    """
    is_windows = isinstance(root, PureWindowsPath)
    path = type(root)(name)
    if path.anchor:
        try:
            path = path.relative_to(root)
        except ValueError:
            raise InvalidName(_OUTSIDE) from None
    steps = list(path.parts)
    if ".." in steps:
        raise InvalidName(_OUTSIDE)
    ends = ("/", "\\") if is_windows else ("/",)
    if not steps or name.endswith(ends):
        raise InvalidName(_NOT_A_NAME)
    for step in steps:
        if reason := _find_windows_fault(step) if is_windows else _find_fault(step):
            raise InvalidName(reason)
    if any(step.startswith(".") for step in steps):  # in a home folder these are settings and keys
        raise InvalidName(_HIDDEN)
    return steps


def _find_fault(step: str) -> str:
    """Return why a step is not a name on POSIX; empty if it is one."""
    try:
        is_name = "\0" not in step and len(os.fsencode(step)) <= _MAX_NAME_LENGTH and not step.isspace()
    except UnicodeEncodeError:  # a lone surrogate
        is_name = False
    return "" if is_name else _NOT_A_NAME


def _find_windows_fault(step: str) -> str:
    """Return why a step is not a name on Windows; empty if it is one."""
    if ":" in step:
        return "contains a colon, which names a drive or another stream of a file; choose a plain name"
    if _RESERVED.fullmatch(step):
        return "is a reserved name of Windows, such as CON or NUL; choose another name"
    if step.endswith((".", " ")):
        return "ends with a dot or a space, which Windows ignores; choose a plain name"
    try:
        length = len(step.encode("utf-16-le")) // 2
    except UnicodeEncodeError:  # a lone surrogate
        return _NOT_A_NAME
    if _NOT_IN_NAMES.search(step) or length > _MAX_NAME_LENGTH or step.isspace():
        return _NOT_A_NAME
    return ""
