"""What all routes share: the folder, recipes, tokens and jobs of a server."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple

from fastapi import Depends, Request

from .auth import Tokens
from .blocks import BlockCache
from .builder import Builder
from .database import Database
from .folder import Folder
from .jobs import Jobs
from .libraries import Libraries
from .ready import Ready, ReadyRecipes
from .recipes import RecipeStore


class Settings(NamedTuple):
    """How a server works."""

    hosts: tuple[str, ...] = ("127.0.0.1", "localhost", "[::1]")
    """Names that the Host header may have."""
    n_jobs: int = 1
    """Builds that run at the same time."""
    threads: int | None = None
    """Threads of each; by default one for each processor."""
    executors: Mapping[str, tuple[str, ...]] = {}
    """Options of ``tersgen build`` by the names under which clients may ask for them."""
    cache_bytes: int = 256 << 20
    """Generated rows that are kept."""


@dataclass(frozen=True)
class Server:
    """What all routes share."""

    folder: Folder
    settings: Settings
    tokens: Tokens
    ready: ReadyRecipes
    recipes: RecipeStore
    libraries: Libraries
    blocks: BlockCache
    database: Database
    jobs: Jobs
    builder: Builder
    stopping: threading.Event
    """Set when the server ends: streams of events end, too."""

    def ready_of(self, recipe: Mapping[str, Any] | str) -> Ready:
        """Return a recipe from a request, or a stored one, ready to make rows."""
        if isinstance(recipe, str):
            return self.recipes.ready(self.recipes.get(recipe))
        return self.ready.get(recipe)


def make_server(folder: Folder, owner: str, settings: Settings) -> Server:
    """Return a server of a folder, which is held; ``owner`` is its owner's token."""
    ready = ReadyRecipes(folder)
    database = Database(folder.state / "server.sqlite")
    jobs = Jobs(folder, database, settings.threads)
    return Server(
        folder=folder,
        settings=settings,
        tokens=Tokens(folder.tokens, owner),
        ready=ready,
        recipes=RecipeStore(folder, ready),
        libraries=Libraries(folder),
        blocks=BlockCache(settings.cache_bytes),
        database=database,
        jobs=jobs,
        builder=Builder(jobs, settings.n_jobs, settings.executors, settings.threads),
        stopping=threading.Event(),
    )


async def _server(request: Request) -> Server:
    server: Server = request.app.state.server
    return server


Here = Annotated[Server, Depends(_server)]
"""Parameter of a route that gets the server."""
