"""The lock of one writer, for all who write a folder over hours: datasets and training runs."""

from ..store.lock import BuilderLock as BuilderLock
