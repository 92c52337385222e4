"""``python -m ters_train``."""

from .cli import main

main(prog_name="ters-train")
