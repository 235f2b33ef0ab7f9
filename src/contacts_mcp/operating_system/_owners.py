"""Who runs this process, and folders and files that only this user can read.

On POSIX that is the mode. On Windows, where modes mean nothing, it is an access control list (ACL) with the user, the
system and the administrators, who correspond to root.
"""

import errno
import os
import stat
import sys
from contextlib import suppress
from pathlib import Path

_FOREIGN = "the folder belongs to another user"

if sys.platform == "win32":
    import msvcrt
    from functools import cache
    from typing import Any

    import ntsecuritycon
    import pywintypes
    import win32api
    import win32file
    import win32security

    from contacts_mcp.operating_system._windows_errors import to_os_error

    _OWNER = win32security.OWNER_SECURITY_INFORMATION
    _ACL = win32security.DACL_SECURITY_INFORMATION
    _PROTECTED_ACL = _ACL | win32security.PROTECTED_DACL_SECURITY_INFORMATION
    _INHERITED = win32security.OBJECT_INHERIT_ACE | win32security.CONTAINER_INHERIT_ACE
    _NAME_OF_ACCOUNT = 2  # EXTENDED_NAME_FORMAT.NameSamCompatible

    def user_label() -> str:
        r"""Return how the audit trail names this user, such as `user DESKTOP\ola`."""
        return f"user {win32api.GetUserNameEx(_NAME_OF_ACCOUNT)}"

    def user_id() -> str:
        """Return what identifies this user on this computer, for file names."""
        return win32security.ConvertSidToStringSid(_token_sid(win32security.TokenUser))

    def make_folder(path: Path) -> None:
        """Create a private folder, unless it exists. Raises OSError."""
        try:
            win32file.CreateDirectoryW(str(path), private_attributes())
        except pywintypes.error as exc:
            error = to_os_error(exc)
            if not (isinstance(error, FileExistsError) and path.is_dir()):
                raise error from None

    def make_private(path: Path) -> None:
        """Keep all other users out of a folder. Raises OSError if it is a link or another user's."""
        if path.is_symlink() or _is_junction(path) or not path.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        try:
            found = win32security.GetNamedSecurityInfo(str(path), win32security.SE_FILE_OBJECT, _OWNER | _ACL)
            owner = found.GetSecurityDescriptorOwner()
            if not any(owner == each for each in _own_sids()):
                raise PermissionError(errno.EACCES, _FOREIGN)
            if not _is_private(found.GetSecurityDescriptorDacl()):
                win32security.SetNamedSecurityInfo(
                    str(path), win32security.SE_FILE_OBJECT, _PROTECTED_ACL, None, None, _private_acl(), None
                )
        except pywintypes.error as exc:
            raise to_os_error(exc) from None

    def is_own_file(descriptor: int) -> bool:  # noqa: ARG001
        """Whether this user owns an open file of a private folder, to which no other user can write."""
        return True

    def keep_owner(path: str, before: os.stat_result) -> None:
        """Give a file the owner of the one that it replaces; on Windows it has the rights of its folder."""

    def may_others_read(file: Path | int) -> bool:
        """Whether the access control list of a file, or of an open one, lets other users read it. Raises OSError."""
        try:
            if isinstance(file, int):
                handle = msvcrt.get_osfhandle(file)
                found = win32security.GetSecurityInfo(handle, win32security.SE_FILE_OBJECT, _ACL)
            else:
                found = win32security.GetNamedSecurityInfo(str(file), win32security.SE_FILE_OBJECT, _ACL)
        except pywintypes.error as exc:
            raise to_os_error(exc) from None
        return not _is_private(found.GetSecurityDescriptorDacl())

    @cache
    def private_attributes() -> Any:
        """Return the security attributes of a new private file or folder; a new file in the folder inherits them."""
        descriptor = win32security.SECURITY_DESCRIPTOR()
        descriptor.SetSecurityDescriptorDacl(1, _private_acl(), 0)
        descriptor.SetSecurityDescriptorControl(win32security.SE_DACL_PROTECTED, win32security.SE_DACL_PROTECTED)
        attributes = win32security.SECURITY_ATTRIBUTES()
        attributes.SECURITY_DESCRIPTOR = descriptor
        attributes.bInheritHandle = False
        return attributes

    @cache
    def _private_acl() -> Any:
        acl = win32security.ACL()
        for sid in _trusted_sids():
            acl.AddAccessAllowedAceEx(win32security.ACL_REVISION_DS, _INHERITED, ntsecuritycon.FILE_ALL_ACCESS, sid)
        return acl

    def _is_private(acl: Any) -> bool:
        """Whether a list gives rights only to this user, the system and the administrators."""
        if acl is None:  # everybody has all rights
            return False
        trusted = _trusted_sids()
        allowed = [acl.GetAce(number) for number in range(acl.GetAceCount())]
        return all(
            any(ace[-1] == each for each in trusted)
            for ace in allowed
            if ace[0][0] != win32security.ACCESS_DENIED_ACE_TYPE
        )

    @cache
    def _trusted_sids() -> tuple[Any, ...]:
        groups = (win32security.WinLocalSystemSid, win32security.WinBuiltinAdministratorsSid)
        return (_token_sid(win32security.TokenUser), *(win32security.CreateWellKnownSid(each, None) for each in groups))

    def _own_sids() -> tuple[Any, ...]:
        """Return who may own what this user has created: with raised rights, it is the group of administrators."""
        return (_token_sid(win32security.TokenUser), _token_sid(win32security.TokenOwner))

    def _token_sid(kind: int) -> Any:
        token = win32security.OpenProcessToken(win32api.GetCurrentProcess(), win32security.TOKEN_QUERY)
        found: Any = win32security.GetTokenInformation(token, kind)
        return found[0] if isinstance(found, tuple) else found

    def _is_junction(path: Path) -> bool:
        return os.lstat(path).st_reparse_tag == stat.IO_REPARSE_TAG_MOUNT_POINT

else:
    _OTHERS = stat.S_IRWXG | stat.S_IRWXO
    _OPEN_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC

    def user_label() -> str:
        """Return how the audit trail names this user, such as `uid 1000`."""
        return f"uid {os.getuid()}"

    def user_id() -> str:
        """Return what identifies this user on this computer, for file names."""
        return str(os.getuid())

    def make_folder(path: Path) -> None:
        """Create a private folder, unless it exists. Raises OSError."""
        path.mkdir(mode=0o700, exist_ok=True)

    def make_private(path: Path) -> None:
        """Keep all other users out of a folder. Raises OSError if it is a link or another user's."""
        folder = os.open(path, _OPEN_FOLDER)
        try:
            found = os.fstat(folder)
            if found.st_uid != os.getuid():
                raise PermissionError(errno.EACCES, _FOREIGN)
            if found.st_mode & _OTHERS:
                os.fchmod(folder, 0o700)
        finally:
            os.close(folder)

    def is_own_file(descriptor: int) -> bool:
        """Whether this user owns an open file."""
        return os.fstat(descriptor).st_uid == os.getuid()

    def keep_owner(path: str, before: os.stat_result) -> None:
        """Give a file the owner of the one that it replaces, if this user may: only an administrator may."""
        with suppress(PermissionError):
            os.chown(path, before.st_uid, before.st_gid)

    def may_others_read(file: Path | int) -> bool:
        """Whether the mode of a file, or of an open one, lets other users read it. Raises OSError."""
        return bool(os.stat(file).st_mode & _OTHERS)  # noqa: PTH116 - pathlib takes no descriptor


def make_folders(path: Path) -> None:
    """Create a folder and those above it that are missing, each of them private. Raises OSError."""
    for missing in reversed([each for each in (path, *path.parents) if not each.exists()]):
        make_folder(missing)  # not all at once, or others could read the folders above
