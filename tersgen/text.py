"""Texts that a terminal shows and never obeys."""


def printable(text: str) -> str:
    r"""Return a text with what could steer a terminal spelt out.

    >>> print(printable("a\x1b[31mb"))
    a\x1b[31mb
    """
    return "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)
