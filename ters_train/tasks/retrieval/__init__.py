"""Retrieval: embeddings by which a spectrum is found in a library, however large."""

from .task import Retrieval, RetrievalOptions

__all__ = ["Retrieval", "RetrievalOptions"]
