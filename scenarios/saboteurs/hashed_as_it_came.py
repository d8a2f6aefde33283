"""E-mails are hashed as the buyer typed them: Meta matches none that has a capital letter."""

from reference_impl.domain import normalise
from scenarios.saboteurs._patching import bite, swap

CAUGHT_BY = ("P-01[hotmart-vendor]", "P-01[kiwify-plan]")


def patch() -> None:
    """Trim, and no more."""

    def email(text: str | None) -> str | None:
        bite()
        return (text or "").strip() or None

    swap(normalise, "email", lambda _: email)
