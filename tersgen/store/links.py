"""Whether links inside a dataset are followed: only on request, and only to regular files.

Git-annex keeps each file as a link into ``.git/annex/objects``, and the cache of Hugging Face as
one into ``blobs``. A ``FollowedFolder`` is the folder of such a dataset for readers that follow
links, wherever the folder is passed to; commands that write never make one. Neither layout has
links to folders, so these are always refused.
"""

import os
import stat
from pathlib import Path, PosixPath

from ..errors import DamagedDataError

REFUSED = (
    "got a link, which is not followed; a dataset kept by git-annex or in the cache of Hugging "
    "Face, whose files are links, is read with --follow-links (follow_links=True)"
)
_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
"""Never wait for the other end of a pipe that is in the place of a file."""


class FollowedFolder(PosixPath):
    """The folder of a dataset whose files may be links; so is each path made from it."""


def follows_links(folder: Path) -> bool:
    """Return whether links to files in a dataset's folder are followed."""
    return isinstance(folder, FollowedFolder)


def open_file(name: Path | str, follow: bool, folder: int | None = None) -> int:
    """Return the descriptor of a file for reading, which may turn out to be no plain one.

    Parameters
    ----------
    name
        The file; in the folder of the descriptor ``folder``, if that is given.
    follow
        Whether a link is followed, to a plain file alone.
    """
    if not follow:
        return os.open(name, _FLAGS | os.O_NOFOLLOW, dir_fd=folder)
    is_link = stat.S_ISLNK(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
    if is_link:
        try:
            facts = os.stat(name, dir_fd=folder)
        except OSError as error:
            raise DamagedDataError(
                f"expected a file, got a link to what is not there ({error.strerror}); get it "
                "first: git annex get, or download it again"
            ) from None
        if not stat.S_ISREG(facts.st_mode):  # opening a device may do something
            raise DamagedDataError("expected a file, got a link to a folder, pipe or device")
    return os.open(name, _FLAGS | (0 if is_link else os.O_NOFOLLOW), dir_fd=folder)
