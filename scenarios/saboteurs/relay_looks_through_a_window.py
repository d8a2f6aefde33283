"""The relay asks for what the last half second has brought: whoever stands still for a moment leaves sales behind."""

from reference_impl.dispatch import outbox
from scenarios.saboteurs._patching import rewrite

CAUGHT_BY = ("R-52[hotmart-vendor]",)


def patch() -> None:
    """A window instead of a mark."""
    recent = "WHERE sent_at IS NULL AND created_at > now() - interval '0.5 seconds' AND (claimed"
    rewrite(outbox, "_CLAIM", "WHERE sent_at IS NULL AND (claimed", recent, used_by="claim")
