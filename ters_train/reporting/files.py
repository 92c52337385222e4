"""Small files of a run, each replaced as a whole or not at all."""

from tersgen.dataset.output_file import replace_file as replace_file
