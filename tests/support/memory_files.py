"""The files of a registry without a disk: a dict of paths."""

import posixpath
from collections.abc import Mapping

from scheduler.errors import SchedulerError
from scheduler.registry.reader import Reading, read_registry

FOLDER = "/data"


class MemoryFiles:
    """Files that stand in `/data`, by their absolute path."""

    def __init__(self, contents: Mapping[str, bytes | str] | None = None) -> None:
        self._contents = dict(contents or {})
        self.read_paths: list[str] = []

    def read(self, path: str) -> bytes:
        """Return the content of a file."""
        self.read_paths.append(path)
        if path not in self._contents:
            raise SchedulerError(f"{path} cannot be read: no such file")
        content = self._contents[path]
        return content if isinstance(content, bytes) else content.encode()

    def resolve(self, folder: str, path: str) -> str:
        """Return the path, absolute and normal."""
        if path.startswith("{statics}/"):
            return path
        return posixpath.normpath(posixpath.join(folder, path))

    def folder_of(self, file: str) -> str:
        """Return the folder of a file."""
        return posixpath.dirname(posixpath.join(FOLDER, file))


def read(
    text: bytes | str, contents: Mapping[str, bytes | str] | None = None, timezone: str = "UTC"
) -> Reading:
    """Return what the reader says of a registry in `/data/registry.xml`."""
    data = text if isinstance(text, bytes) else text.encode()
    files = MemoryFiles({"/data/registry.xml": data, **(contents or {})})
    return read_registry(data, file="registry.xml", files=files, timezone=timezone)
