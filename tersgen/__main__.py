"""``python -m tersgen``."""

from .cli import main

main(prog_name="tersgen")
