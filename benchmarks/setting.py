"""Where a benchmark works, and how thoroughly."""

import tempfile
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What one round of a benchmark is given: a folder of its own, and how much is asked for."""

    folder: Path  # empty, on a disk: a folder for temporary files may be no disk
    is_quick: bool  # to see that all works; the figures mean little

    def either(self, full: int, quick: int) -> int:
        """Return a count for this setting."""
        return quick if self.is_quick else full

    def room(self, name: str) -> Path:
        """Return a new folder in the one of this round."""
        return Path(tempfile.mkdtemp(prefix=f"{name} ", dir=self.folder))
