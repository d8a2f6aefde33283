"""What a vendor carried through the checkout for us: only what has our own or Meta's shape is believed."""

from __future__ import annotations

import re

from reference_impl.domain.conversion import Trail

_CLICK_ID = re.compile(r"^[A-Za-z0-9_-]{1,32}$")
_FBCLID = re.compile(r"^[A-Za-z0-9_.-]{20,500}$")
_FBP = re.compile(r"^fb\.\d+\.\d{10,13}\.[A-Za-z0-9_.-]{1,60}$")
_FBC = re.compile(r"^fb\.\d+\.\d{10,13}\.[A-Za-z0-9_.-]{1,500}$")


def trail(*, click_id: str | None, fbclid: str | None = None, fbp: str | None = None, fbc: str | None = None) -> Trail:
    """The trail of what has the right shape. A vendor's own label (HOTMART_CHECKOUT…) is no fbclid."""
    believable = fbclid is not None and not fbclid.startswith("HOTMART_")
    return Trail(
        click_id=_shaped(_CLICK_ID, click_id),
        fbclid=_shaped(_FBCLID, fbclid) if believable else None,
        fbp=_shaped(_FBP, fbp),
        fbc=_shaped(_FBC, fbc),
    )


def _shaped(pattern: re.Pattern[str], text: str | None) -> str | None:
    return text if text is not None and pattern.match(text) else None


def carried(**parameters: str | None) -> dict[str, str]:
    """The parameters that hold something."""
    return {name: value for name, value in parameters.items() if value}
