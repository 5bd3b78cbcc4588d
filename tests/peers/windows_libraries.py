"""The functions of Windows that ``lancert.kit.platform.win32`` calls, with the parameters Microsoft documents.

Each is called through libffi like a function of a library, so numbers, pointers and texts are really handed over. What
they do is the least that can be looked at: paths have an owner and an access list, and memory has to be given back.
"""

import ctypes
import errno
from collections.abc import Callable
from ctypes import c_int32, c_uint32, c_void_p, c_wchar_p
from pathlib import Path
from types import SimpleNamespace
from typing import Any

SID = "S-1-5-21-1004336348-1177238915-682003330-1001"
TOO_SMALL, DENIED, NOT_FOUND, EXISTS = 122, 5, 2, 183
_TOKEN, _SID, _NEEDED = 0x7007, 0x51D, 44
_ERRORS = {DENIED: errno.EACCES, NOT_FOUND: errno.ENOENT, EXISTS: errno.EEXIST, 32: errno.EACCES}


class Dlls:
    """The libraries, and what was asked of them."""

    def __init__(self) -> None:
        self.failing: dict[str, int] = {}
        """The number with which a function fails, by its name."""
        self.files: dict[str, str] = {}
        """The descriptor of each path, as text."""
        self.flags: list[int] = []
        self.moved: list[tuple[str, str, int]] = []
        self.handles: set[int] = set()
        self._memory: dict[int, tuple[str, Any]] = {}
        self._error = 0
        self._kept: list[Any] = []  # a callback that is forgotten cannot be called
        self._libraries = {
            "kernel32": self._library(
                MoveFileExW=(self._move, c_wchar_p, c_wchar_p, c_uint32),
                CreateDirectoryW=(self._make, c_wchar_p, c_void_p),
                LocalFree=(self._free, c_void_p),
                CloseHandle=(self._close, c_void_p),
                GetCurrentProcess=(lambda: -1,),
                GetSystemDirectoryW=(self._system, c_void_p, c_uint32),
                GetUserDefaultUILanguage=(lambda: 0x7FFF0C0A,),  # of a register only 16 bits count
            ),
            "advapi32": self._library(
                GetNamedSecurityInfoW=(
                    self._get,
                    *(c_wchar_p, c_int32, c_uint32, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p),
                ),
                SetNamedSecurityInfoW=(
                    self._set,
                    *(c_wchar_p, c_int32, c_uint32, c_void_p, c_void_p, c_void_p, c_void_p),
                ),
                ConvertSecurityDescriptorToStringSecurityDescriptorW=(
                    self._to_text,
                    *(c_void_p, c_uint32, c_uint32, c_void_p, c_void_p),
                ),
                ConvertStringSecurityDescriptorToSecurityDescriptorW=(
                    self._of_text,
                    *(c_wchar_p, c_uint32, c_void_p, c_void_p),
                ),
                GetSecurityDescriptorDacl=(self._dacl, c_void_p, c_void_p, c_void_p, c_void_p),
                GetSecurityDescriptorOwner=(self._owner, c_void_p, c_void_p, c_void_p),
                OpenProcessToken=(self._open_token, c_void_p, c_uint32, c_void_p),
                GetTokenInformation=(self._token, c_void_p, c_int32, c_void_p, c_uint32, c_void_p),
                ConvertSidToStringSidW=(self._sid, c_void_p, c_void_p),
            ),
            "shell32": self._library(IsUserAnAdmin=(lambda: 1,)),
            "userenv": self._library(GetProfilesDirectoryW=(self._profiles, c_void_p, c_void_p)),
        }

    def named(self, name: str) -> Any:
        """Give a library."""
        return self._libraries[name]

    def last_error(self) -> int:
        """Give the number of the last failure."""
        return self._error

    def error(self, number: int) -> OSError:
        """Make an error as Python does on Windows, with the number in its text."""
        return OSError(_ERRORS.get(number, errno.EINVAL), f"[WinError {number}]")

    @property
    def owed(self) -> list[str]:
        """Give what was handed out and not given back."""
        return [text for text, _ in self._memory.values()] + [f"handle {one}" for one in self.handles]

    def _library(self, **functions: tuple[Any, ...]) -> SimpleNamespace:
        return SimpleNamespace(
            **{name: self._function(name, does, parameters) for name, (does, *parameters) in functions.items()}
        )

    def _function(self, name: str, does: Callable[..., int], parameters: list[Any]) -> Any:
        answers_with_number = "NamedSecurityInfo" in name

        def called(*arguments: Any) -> int:
            if name in self.failing:
                self._error = self.failing[name]
                return self._error if answers_with_number else 0
            return does(*arguments)

        callback = ctypes.CFUNCTYPE(c_int32, *parameters)(called)
        self._kept.append(callback)
        # Without the types of its parameters, as every function of a library that Python loaded.
        return ctypes.cast(callback, ctypes.CFUNCTYPE(c_int32))

    def _hand_out(self, text: str, buffer: Any) -> int:
        address = ctypes.addressof(buffer)
        self._memory[address] = (text, buffer)
        return address

    def _write_pointer(self, where: int, value: int | None) -> None:
        c_void_p.from_address(where).value = value

    def _move(self, old: str, new: str, flags: int) -> int:
        self.moved.append((old, new, flags))
        return 1

    def _make(self, path: str, attributes: int) -> int:
        length, descriptor = c_uint32.from_address(attributes), c_void_p.from_address(attributes + 8)
        assert length.value == 24
        assert c_int32.from_address(attributes + 16).value == 0
        if Path(path).exists():
            self._error = EXISTS
            return 0
        Path(path).mkdir()
        self.files[path] = self._memory[descriptor.value or 0][0]
        return 1

    def _free(self, address: int | None) -> int:
        if address is not None:
            del self._memory[address]
        return 0

    def _close(self, handle: int) -> int:
        self.handles.remove(handle)
        return 1

    def _system(self, buffer: int, size: int) -> int:
        return self._write_text(buffer, size, "C:\\WINDOWS\\system32")

    def _profiles(self, buffer: int, size: int) -> int:
        return self._write_text(buffer, c_uint32.from_address(size).value, "C:\\Users")

    def _write_text(self, buffer: int, size: int, text: str) -> int:
        assert len(text) < size
        ctypes.memmove(buffer, ctypes.create_unicode_buffer(text), (len(text) + 1) * ctypes.sizeof(ctypes.c_wchar))
        return len(text)

    def _get(self, path: str, kind: int, asked: int, *pointers: int | None) -> int:
        assert (kind, asked, pointers[:4]) == (1, 5, (None, None, None, None))
        if path not in self.files:
            return NOT_FOUND
        buffer = ctypes.create_string_buffer(64)
        self._write_pointer(pointers[4] or 0, self._hand_out(self.files[path], buffer))
        return 0

    def _set(self, path: str, kind: int, changed: int, owner: int | None, group: None, dacl: int, sacl: None) -> int:
        assert (kind, group, sacl) == (1, None, None)
        text = self._memory[dacl - 8][0]
        assert (owner is None) == ("O:" not in text)
        assert owner is None or owner - 16 == dacl - 8
        self.files[path] = text
        self.flags.append(changed)
        return 0

    def _to_text(self, descriptor: int, revision: int, asked: int, text: int, length: None) -> int:
        assert (revision, asked, length) == (1, 5, None)
        known = self._memory[descriptor][0]
        self._write_pointer(text, self._hand_out(f"text {known}", ctypes.create_unicode_buffer(known)))
        return 1

    def _of_text(self, text: str, revision: int, descriptor: int, size: None) -> int:
        assert (revision, size) == (1, None)
        self._write_pointer(descriptor, self._hand_out(text, ctypes.create_string_buffer(64)))
        return 1

    def _dacl(self, descriptor: int, is_there: int, dacl: int, is_default: int) -> int:
        c_int32.from_address(is_there).value = 1
        c_int32.from_address(is_default).value = 0
        self._write_pointer(dacl, descriptor + 8)
        return 1

    def _owner(self, descriptor: int, owner: int, is_default: int) -> int:
        c_int32.from_address(is_default).value = 0
        self._write_pointer(owner, descriptor + 16 if "O:" in self._memory[descriptor][0] else None)
        return 1

    def _open_token(self, process: int, access: int, token: int) -> int:
        assert (process, access) == (2**64 - 1, 8)
        self._write_pointer(token, _TOKEN)
        self.handles.add(_TOKEN)
        return 1

    def _token(self, token: int, kind: int, buffer: int | None, size: int, needed: int) -> int:
        assert (token, kind) == (_TOKEN, 1)
        c_uint32.from_address(needed).value = _NEEDED
        if buffer is None or size < _NEEDED:
            self._error = TOO_SMALL
            return 0
        self._write_pointer(buffer, _SID)
        return 1

    def _sid(self, sid: int, text: int) -> int:
        assert sid == _SID
        self._write_pointer(text, self._hand_out("sid", ctypes.create_unicode_buffer(SID)))
        return 1
