"""``tersgen report``: a dataset as one page for a browser."""

from pathlib import Path

import click

from ..text import human_bytes
from .common.messages import say
from .common.options import COUNT, FILE, links_option


@click.command("report")
@click.argument("path", type=FILE)
@click.option("-o", "--output", type=FILE, required=True, help="Page to write: .html.")
@click.option(
    "--n", "n_rows", type=COUNT,
    help="Samples in the page.  [default: as many as take 16 MiB, 100 at most]",
)  # fmt: skip
@links_option
def command(path: Path, output: Path, n_rows: int | None, follow_links: bool) -> None:
    """Write the explorer with samples of the dataset at PATH as one page, which needs no server.

    The samples are spread evenly over the dataset. The page makes no request, so it may be sent by
    e-mail or put beside a publication.
    """
    from ..dataset.opening import open as open_dataset
    from ..dataset.output_file import check_output_file, write_output
    from ..errors import OutputError
    from ..serve.report import make_report

    if output.suffix.lower() not in (".html", ".htm"):
        ending = output.suffix or "no ending"
        raise OutputError(f"{output}: expected a name that ends in .html, got {ending}")
    check_output_file(output)
    page = make_report(open_dataset(path, follow_links=follow_links), n_rows)
    write_output(output, page)
    say(f"wrote {output}, {human_bytes(len(page))}")
