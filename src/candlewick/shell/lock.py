"""One process per data directory: an operating-system lock that dies with its process.

takes   a data directory
gives   a held lock, or a `UsageError` that names the process which holds it
never   trusts the file's presence or text: only the system's lock counts, the text is for people
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from candlewick.errors import UsageError

FILE_NAME = "candlewick.lock"
_TEXT_BYTES_MAX = 64
# Windows locks are mandatory, so the locked byte lies far behind the text that others read.
_LOCKED_BYTE = 1 << 30


class DirectoryLock:
    """Held from construction to `release`, or to the end of the process however it ends.

    Raises:
        UsageError: another process, or another store of this one, holds it.
    """

    def __init__(self, data_dir: Path) -> None:
        path = data_dir / FILE_NAME
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o644)
        except OSError as error:
            raise UsageError(
                f"data directory {data_dir}: cannot write its lock file ({error.strerror}); "
                "choose a directory that this user may write"
            ) from error
        if not _take(self._file):
            holder = os.read(self._file, _TEXT_BYTES_MAX).decode("ascii", "replace").strip()
            os.close(self._file)
            raise UsageError(
                f"data directory {data_dir}: in use by process {holder or '(not yet named)'}; "
                "stop that process, or choose another data directory"
            )
        os.ftruncate(self._file, 0)
        os.write(self._file, f"{os.getpid()}\n".encode())
        self._held = True

    def release(self) -> None:
        """Give it back; a second call does nothing.  The file stays: removing it would race."""
        if self._held:
            self._held = False
            os.close(self._file)


if sys.platform == "win32":
    import msvcrt

    def _take(file: int) -> bool:
        os.lseek(file, _LOCKED_BYTE, os.SEEK_SET)
        try:
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        finally:
            os.lseek(file, 0, os.SEEK_SET)
        return True

else:
    import fcntl

    def _take(file: int) -> bool:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
