"""The calls to Windows itself, each a few lines of ctypes around one documented function; they decide nothing.

On Windows ``calls`` goes to its own libraries. Tests give ``Calls`` functions with the documented parameters instead,
so that what is handed over and what is given back is looked at on any system; that Windows does what it documents is
not. Whoever changes a line holds it against the page of the function that is named beside it. Every failure is an
OSError with the number Windows gave.
"""

import ctypes
import errno
import sys
from functools import cache
from pathlib import Path
from typing import Any, Protocol

_FILE_OBJECT = 1  # SE_FILE_OBJECT
_OWNER = 0x1  # OWNER_SECURITY_INFORMATION
_DACL = 0x4  # DACL_SECURITY_INFORMATION
_PROTECTED = 0x80000000  # PROTECTED_DACL_SECURITY_INFORMATION
_UNPROTECTED = 0x20000000  # UNPROTECTED_DACL_SECURITY_INFORMATION
_REVISION = 1  # SDDL_REVISION_1
_REPLACE_EXISTING = 0x1  # MOVEFILE_REPLACE_EXISTING
_WRITE_THROUGH = 0x8  # MOVEFILE_WRITE_THROUGH
_TOKEN_QUERY = 0x8
_TOKEN_USER = 1
_ALREADY_EXISTS = 183
_LONGEST_PATH = 260


class Libraries(Protocol):
    """Where the functions of Windows come from."""

    def named(self, name: str) -> Any:
        """Give a library by its name; its functions take what they are given and answer with an int."""
        ...

    def last_error(self) -> int:
        """Give the number of the last failure of this thread."""
        ...

    def error(self, number: int) -> OSError:
        """Make an error of a number of Windows."""
        ...


class _OfWindows:
    """The libraries of the Windows this runs on."""

    @staticmethod
    @cache
    def named(name: str) -> Any:
        if sys.platform == "win32":
            return ctypes.WinDLL(name, use_last_error=True)
        raise _not_here()

    def last_error(self) -> int:
        if sys.platform == "win32":
            return ctypes.get_last_error()
        raise _not_here()

    def error(self, number: int) -> OSError:
        if sys.platform == "win32":
            return ctypes.WinError(number)
        raise _not_here()


def _not_here() -> OSError:
    return OSError(errno.ENOSYS, "this is a call to Windows, and this is another system")


class _SecurityAttributes(ctypes.Structure):
    _fields_ = [
        ("length", ctypes.c_uint32),
        ("descriptor", ctypes.c_void_p),
        ("inherit_handle", ctypes.c_int32),
    ]


class Calls:
    """Windows, asked through its documented functions."""

    def __init__(self, libraries: Libraries) -> None:
        self._libraries = libraries

    def move_over(self, old: Path, new: Path) -> None:
        """Rename a file over another, on the disk when this returns (MoveFileExW)."""
        names = ctypes.c_wchar_p(str(old)), ctypes.c_wchar_p(str(new))
        flags = ctypes.c_uint32(_REPLACE_EXISTING | _WRITE_THROUGH)
        self._succeeded(self._kernel32.MoveFileExW(*names, flags))

    def make_folder(self, path: Path, access: str) -> None:
        """Make a folder with this access list from its first moment (CreateDirectoryW); one that is there stays."""
        descriptor = self._descriptor(access)
        try:
            attributes = _SecurityAttributes(ctypes.sizeof(_SecurityAttributes), descriptor.value, 0)
            if not self._kernel32.CreateDirectoryW(ctypes.c_wchar_p(str(path)), ctypes.byref(attributes)):
                number = self._libraries.last_error()
                if number != _ALREADY_EXISTS or not path.is_dir():
                    raise self._libraries.error(number)
        finally:
            self._kernel32.LocalFree(descriptor)

    def access_of(self, path: Path) -> str:
        """Give owner and access list of a file in SDDL (GetNamedSecurityInfoW)."""
        descriptor, text = ctypes.c_void_p(), ctypes.c_void_p()
        asked = ctypes.c_uint32(_OWNER | _DACL)
        self._was_zero(
            self._advapi32.GetNamedSecurityInfoW(
                ctypes.c_wchar_p(str(path)), _FILE_OBJECT, asked, None, None, None, None, ctypes.byref(descriptor)
            )
        )
        try:
            self._succeeded(
                self._advapi32.ConvertSecurityDescriptorToStringSecurityDescriptorW(
                    descriptor, _REVISION, asked, ctypes.byref(text), None
                )
            )
            return self._taken(text)
        finally:
            self._kernel32.LocalFree(descriptor)

    def set_access(self, path: Path, access: str, owner: str | None = None) -> None:
        """Give a folder this protected access list, and an owner; what it holds inherits (SetNamedSecurityInfoW)."""
        text = access if owner is None else f"O:{owner}{access}"
        self._set(path, text, _DACL | _PROTECTED | (_OWNER if owner is not None else 0))

    def inherit_access(self, path: Path) -> None:
        """Leave a file nothing but the access list that comes down from its folder (SetNamedSecurityInfoW)."""
        self._set(path, "D:", _DACL | _UNPROTECTED)

    def own_account(self) -> str:
        """Give the SID of the account this process runs as (OpenProcessToken, GetTokenInformation)."""
        token, needed = ctypes.c_void_p(), ctypes.c_uint32()
        process = ctypes.c_void_p(self._kernel32.GetCurrentProcess())  # -1, which stands for the own process
        self._succeeded(self._advapi32.OpenProcessToken(process, ctypes.c_uint32(_TOKEN_QUERY), ctypes.byref(token)))
        try:
            # The first call fails on purpose and says how much room the answer needs.
            self._advapi32.GetTokenInformation(token, _TOKEN_USER, None, ctypes.c_uint32(0), ctypes.byref(needed))
            buffer = ctypes.create_string_buffer(max(needed.value, ctypes.sizeof(ctypes.c_void_p)))
            self._succeeded(
                self._advapi32.GetTokenInformation(token, _TOKEN_USER, buffer, needed, ctypes.byref(needed))
            )
            # TOKEN_USER begins with the pointer to the SID.
            sid, text = ctypes.c_void_p.from_buffer(buffer), ctypes.c_void_p()
            self._succeeded(self._advapi32.ConvertSidToStringSidW(sid, ctypes.byref(text)))
            return self._taken(text)
        finally:
            self._kernel32.CloseHandle(token)

    def lock(self, descriptor: int) -> None:
        """Lock the first byte of an open file, or fail at once when another process has it (_locking)."""
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
            return
        raise _not_here()

    def is_administrator(self) -> bool:
        """Say whether this process may do what administrators may (IsUserAnAdmin)."""
        return bool(self._libraries.named("shell32").IsUserAnAdmin())

    def system_folder(self) -> Path:
        """Give the folder of Windows' own programs (GetSystemDirectoryW)."""
        buffer = ctypes.create_unicode_buffer(_LONGEST_PATH)
        self._succeeded(self._kernel32.GetSystemDirectoryW(buffer, ctypes.c_uint32(_LONGEST_PATH)))
        return Path(buffer.value)

    def profiles_folder(self) -> Path:
        """Give the folder that holds everybody's own folder, such as C:\\Users (GetProfilesDirectoryW)."""
        buffer, size = ctypes.create_unicode_buffer(_LONGEST_PATH), ctypes.c_uint32(_LONGEST_PATH)
        userenv = self._libraries.named("userenv")
        self._succeeded(userenv.GetProfilesDirectoryW(buffer, ctypes.byref(size)))
        return Path(buffer.value)

    def screen_language(self) -> int:
        """Give the number of the language Windows shows to this account (GetUserDefaultUILanguage)."""
        return int(self._kernel32.GetUserDefaultUILanguage()) & 0xFFFF  # a LANGID has 16 bits

    def _set(self, path: Path, access: str, changed: int) -> None:
        descriptor = self._descriptor(access)
        try:
            owner, dacl = ctypes.c_void_p(), ctypes.c_void_p()
            is_there, is_default = ctypes.c_int32(), ctypes.c_int32()
            parts = ctypes.byref(is_there), ctypes.byref(dacl), ctypes.byref(is_default)
            self._succeeded(self._advapi32.GetSecurityDescriptorDacl(descriptor, *parts))
            self._succeeded(
                self._advapi32.GetSecurityDescriptorOwner(descriptor, ctypes.byref(owner), ctypes.byref(is_default))
            )
            self._was_zero(
                self._advapi32.SetNamedSecurityInfoW(
                    ctypes.c_wchar_p(str(path)), _FILE_OBJECT, ctypes.c_uint32(changed), owner, None, dacl, None
                )
            )
        finally:
            self._kernel32.LocalFree(descriptor)

    def _descriptor(self, text: str) -> ctypes.c_void_p:
        """Make a descriptor of its text, to be freed (ConvertStringSecurityDescriptorToSecurityDescriptorW)."""
        made = ctypes.c_void_p()
        self._succeeded(
            self._advapi32.ConvertStringSecurityDescriptorToSecurityDescriptorW(
                ctypes.c_wchar_p(text), _REVISION, ctypes.byref(made), None
            )
        )
        return made

    def _taken(self, text: ctypes.c_void_p) -> str:
        """Give a text that Windows made for us, and free it (LocalFree)."""
        try:
            return ctypes.wstring_at(text.value or 0)
        finally:
            self._kernel32.LocalFree(text)

    def _succeeded(self, answer: int) -> None:
        """Take the answer of a function that gives zero for a failure."""
        if not answer:
            raise self._libraries.error(self._libraries.last_error())

    def _was_zero(self, answer: int) -> None:
        """Take the answer of a function that gives the number of the failure itself."""
        if answer:
            raise self._libraries.error(answer)

    @property
    def _kernel32(self) -> Any:
        return self._libraries.named("kernel32")

    @property
    def _advapi32(self) -> Any:
        return self._libraries.named("advapi32")


calls = Calls(_OfWindows())
"""This Windows; on another system every call fails."""
