"""The lock of one writer, for all who write a folder over hours: datasets and training runs."""

from ..store.lock import BuilderLock as BuilderLock
from ..store.lock import remove_lock_files as remove_lock_files
