"""PerfectPay's status 1 (waiting for the payment) is taken for approved: every printed boleto is a purchase."""

from reference_impl.gateways import perfectpay
from scenarios.saboteurs._patching import biting, swap

CAUGHT_BY = ("G-10[perfectpay-vendor-pending]", "G-25[perfectpay-vendor]")


def patch() -> None:
    """One status more."""
    swap(perfectpay, "_PAID", lambda paid: paid | {1})
    swap(perfectpay, "_paid", biting)
