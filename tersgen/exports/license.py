"""Licences by their identifiers in the list of SPDX, and how other formats name them."""

from typing import Annotated

from pydantic import AfterValidator

from ..text import did_you_mean

COMMON = (
    "CC-BY-4.0", "CC-BY-SA-4.0", "CC-BY-NC-4.0", "CC-BY-NC-SA-4.0", "CC-BY-ND-4.0",
    "CC-BY-NC-ND-4.0", "CC0-1.0", "MIT", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause",
)  # fmt: skip
"""Those that the lists of CFF 1.2.0 and of the Hugging Face hub have, too (this one in lower case).

Both lists are closed, and older or shorter than that of SPDX.
"""
_OTHERS = (
    "CC-BY-3.0", "CC-BY-SA-3.0", "CDLA-Permissive-2.0", "CDLA-Sharing-1.0", "ODbL-1.0",
    "ODC-By-1.0", "PDDL-1.0", "GPL-3.0-only", "GPL-3.0-or-later", "LGPL-3.0-or-later", "MPL-2.0",
)  # fmt: skip
"""More that are suggested in place of a misspelt one."""


def _in_list(name: str) -> str:
    """Return an identifier as SPDX writes it; raise ValueError if it is not in its list."""
    from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

    try:
        known: str = canonicalize_license_expression(name)
    except InvalidLicenseExpression:
        known = " "
    if " " in known or known.startswith("LicenseRef-") or known.endswith("+"):
        raise ValueError(
            "expected the SPDX identifier of one licence, such as CC-BY-4.0, got "
            f"{name[:80]!r}{did_you_mean(name, (*COMMON, *_OTHERS))}"
        )
    return known


License = Annotated[str, AfterValidator(_in_list)]
"""A licence by its identifier in the list of SPDX, in any case."""


def license_url(license: str) -> str:
    """Return the address of the text of a licence."""
    return f"https://spdx.org/licenses/{license}"
