"""Records of plug-ins in documents."""

from collections.abc import Iterable
from typing import Any, Self

from ..errors import ConfigError
from ..plugins import Group, load, names, origin
from .base import DIGEST, Document, Text, field


class PluginRecord(Document):
    """A plug-in that made or changed values, and what to install to have it again."""

    name: Text = field("name of the part", "1")
    module: Text = field("top-level module of the part", "1")
    package: Text | None = field(
        "package that installs the module; none for a user's own file", "1", None
    )
    version: Text | None = field("version of that package", "1", None)
    digest: str = field("SHA-256 of the module's Python sources", "1", pattern=DIGEST)

    @classmethod
    def of(cls, name: str, part: Any) -> Self:
        """Return the record of a part.

        Raises
        ------
        ConfigError
            If its sources cannot be read.
        """
        where = origin(part)
        return cls(
            name=name,
            module=where.module,
            package=where.package,
            version=where.version,
            digest=where.digest,
        )

    def __str__(self) -> str:
        """Return the name of the part, and where it is from."""
        where = self.module if self.package is None else f"{self.package} {self.version}"
        return f"{self.name!r} ({where}, sources {self.digest[:12]})"

    @property
    def remedy(self) -> str:
        """What to do to have the part again."""
        if self.package is None:
            return f"pass --plugin with its module {self.module}"
        return f"pip install '{self.package}=={self.version}'"


def check_plugins(group: Group, records: Iterable[PluginRecord]) -> None:
    """Make sure that the parts by which values were made are here, and are the same.

    They are looked for among installed packages and what the user's command has imported; nothing
    is imported because a document names it.
    """
    for record in records:
        if record.name not in names(group):
            raise ConfigError(
                f"expected the plug-in {record}, got none of that name; {record.remedy}"
            )
        here = PluginRecord.of(record.name, load(group, record.name))
        if here.digest != record.digest:
            raise ConfigError(f"expected the plug-in {record}, got {here}; {_change(record, here)}")


def _change(was: PluginRecord, here: PluginRecord) -> str:
    """Return what to do about a part that is here with other sources."""
    if was.package is not None or (was.module, was.package) != (here.module, here.package):
        return was.remedy
    return "its file has changed since: restore it, or make a dataset of its own"
