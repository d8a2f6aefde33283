"""Fixtures for other people's tests: the fakes, ready to be sent to and looked into (entry point pytest11).

    def test_a_sale_reaches_meta(stripe_gateway, meta_capi, shop):       # `shop`: a fixture of your own
        shop.configure(stripe_secret=stripe_gateway.secret, pixel=meta_capi.pixel_id, token=meta_capi.token,
                       graph_url=meta_capi.url)
        sale = stripe_gateway.send(shop.url + "/webhooks/stripe")
        assert sale.status == 202
        assert meta_capi.wait_until_counted(sale.sale_id)["custom_data"]["currency"] == "BRL"

Every test has a pixel, a token, secrets and buyers of its own, which follow from the test's name. Servers start when
the first test asks for them and end with the session, or with the process if it is killed. Nothing here imports the
reference or Locust, and nothing is imported before a fixture is used.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from harness.probes.meta import MetaProbe
    from harness.stack.processes import Nursery
    from simulators.gateways import FakeGateway, Webhook
    from simulators.people import Order

READY_S = 30.0
ARRIVAL_S = 10.0
SEND_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """One webhook that was sent, and how it was answered."""

    status: int
    text: str = field(repr=False)
    sale_id: str
    """The sale's own id as the vendor writes it: what Meta should get as `order_id`."""
    order: Order
    webhook: Webhook

    @property
    def email_hash(self) -> str:
        """What Meta should get as `em`."""
        return hashlib.sha256(self.order.buyer.email.strip().lower().encode()).hexdigest()


class GatewayFixture:
    """One vendor, with a secret that belongs to this test."""

    def __init__(self, fake: FakeGateway, key: str) -> None:
        self.fake = fake
        self.name = fake.name
        self.secret = fake.new_secret(key)
        self._key = key
        self._numbers = itertools.count(1)

    def order(self, **changes: Any) -> Order:
        """A new order by a new buyer; `changes` replaces fields of it (`amount=Decimal("10")`, `tracking={…}`)."""
        from simulators.people import order  # noqa: PLC0415 -- nothing before it is used

        return order(f"{self._key}/{self.name}/{next(self._numbers)}", now_s=int(time.time()), **changes)

    def webhook(
        self, to: str, event: str = "approved", *, order: Order | None = None, dialect: str = "vendor", **changes: Any
    ) -> Webhook:
        """The signed request, not sent: `.url`, `.headers`, `.body`."""
        from simulators import gateways  # noqa: PLC0415 -- likewise

        sale = order or self.order(**changes)
        return gateways.webhook(
            self.fake, sale, event, dialect=dialect, secret=self.secret, url=to, now_s=int(time.time())
        )

    def send(
        self,
        to: str,
        event: str = "approved",
        *,
        order: Order | None = None,
        dialect: str = "vendor",
        tamper: str | None = None,
        another_tenants_secret: str | None = None,
        allow_host: str | None = None,
        **changes: Any,
    ) -> Sent:
        """Sign and POST one webhook, as the vendor does: no proxy, no redirect followed.

        `tamper` spoils it by name (docs/catalogue.md); `another_tenants_secret` is what
        that tampering signs with. Sends to this machine only, unless `allow_host` names the host.

        Raises:
            LookupError: no such event, dialect or tampering; says the nearest.
            ValueError: another machine.
            requests.RequestException: nobody answered within ten seconds.
        """
        import requests  # noqa: PLC0415 -- likewise

        from simulators.gateways._tamper import Signing, chunks, without_framing  # noqa: PLC0415
        from simulators.gateways._tamper import tamper as spoil  # noqa: PLC0415

        _check_host(to, allow_host)
        sale = order or self.order(**changes)
        webhook = self.webhook(to, event, order=sale, dialect=dialect)
        if tamper:
            signing = Signing(
                gateway=self.fake,
                dialect=dialect,
                secret=self.secret,
                url=to,
                now_s=int(time.time()),
                another_tenants_secret=another_tenants_secret,
            )
            webhook = spoil(tamper, webhook, signing)
        pieces = chunks(webhook)
        with requests.Session() as session:
            session.trust_env = False
            answer = session.post(
                webhook.url,
                data=webhook.body if pieces is None else iter(pieces),
                headers=without_framing(webhook),
                timeout=SEND_S,
                allow_redirects=False,
            )
        return Sent(
            status=answer.status_code, text=answer.text, sale_id=self.fake.sale_id(sale), order=sale, webhook=webhook
        )


class MetaFixture:
    """A pixel of the fake Meta that belongs to this test."""

    def __init__(self, url: str, pixel_id: str, token: str) -> None:
        from harness.probes.meta import MetaProbe  # noqa: PLC0415 -- nothing before it is used

        self.url = url
        """In the place of https://graph.facebook.com."""
        self.pixel_id = pixel_id
        self.token = token
        self._probe: MetaProbe = MetaProbe(url, pixel_id)
        self._probe.set_tokens([token])

    @property
    def calls(self) -> list[dict[str, Any]]:
        """Everything that was sent to the pixel so far, refused calls too (docs/contracts.md shows one)."""
        return self._probe.calls()

    @property
    def events(self) -> list[dict[str, Any]]:
        """The events of all calls, each with its `verdict`: counted, duplicate or refused."""
        return [event for call in self.calls for event in call["events"]]

    def wait_until_counted(self, order_id: str, *, within_s: float = ARRIVAL_S) -> dict[str, Any]:
        """The event that Meta counted for that order.

        Raises:
            AssertionError: it did not come in time; says what came instead.
        """
        from harness.errors import NotSeenInTime  # noqa: PLC0415 -- likewise

        def about(calls: list[dict[str, Any]]) -> list[dict[str, Any]]:
            events = [event for call in calls for event in call["events"] if event["verdict"] == "counted"]
            return [one for one in events if (one["custom_data"] or {}).get("order_id") == order_id]

        goal = f"order {order_id} counted by Meta"
        try:
            return about(self._probe.wait_for(lambda calls: bool(about(calls)), goal=goal, within_s=within_s))[0]
        except NotSeenInTime as error:
            raise AssertionError(str(error)) from None

    def fail(self, fault: str, *, times: int | None = 1, **parameters: Any) -> None:
        """The next `times` calls of this pixel fail so (None: until `recover`); docs/fakes.md lists the faults."""
        self._probe.arm(fault, strikes=times, probability=1.0, seed=0, **parameters)

    def recover(self) -> None:
        """Nothing fails any more."""
        self._probe.disarm()

    def expire_token(self) -> None:
        """The token dies, as after sixty days."""
        self._probe.set_token(self.token, state="expired", expires_at_s=int(time.time()) - 1)


class PagerDutyFixture:
    """A service of the fake PagerDuty that belongs to this test."""

    def __init__(self, url: str, key: str) -> None:
        self.url = url
        """In the place of https://events.pagerduty.com."""
        self.routing_key = key
        """The integration key: 32 hex digits."""

    @property
    def sns_url(self) -> str:
        """Where an SNS topic is subscribed to."""
        return f"{self.url}/integration/{self.routing_key}/enqueue"

    def wait_for_incidents(self, count: int = 1, *, within_s: float = ARRIVAL_S) -> list[dict[str, Any]]:
        """The incidents of this key, once there are so many, or those that there are after that time."""
        import requests  # noqa: PLC0415 -- nothing before it is used

        deadline, after = time.monotonic() + within_s, 0
        found: dict[int, dict[str, Any]] = {}
        while True:
            left_s = max(0.0, deadline - time.monotonic())
            params = {"after": str(after), "count": "1", "wait_s": f"{left_s:.3f}"}
            answer = requests.get(f"{self.url}/_golive/incidents", params=params, timeout=left_s + SEND_S)
            answer.raise_for_status()
            told = answer.json()
            after = told["next"]
            ours = (one for one in told["incidents"] if one["key_last4"] == self.routing_key[-4:])
            found.update((one["number"], one) for one in ours)
            if len(found) >= count or not left_s:
                return list(found.values())


def _check_host(url: str, allowed: str | None) -> None:
    from simulators.loopback import check_address  # noqa: PLC0415 -- likewise

    check_address(url, allow_host=allowed, permit="allow_host='HOST'")


def _key(request: pytest.FixtureRequest) -> str:
    return hashlib.sha256(request.node.nodeid.encode()).hexdigest()


@pytest.fixture(scope="session")
def _golive_nursery() -> Iterator[Nursery]:
    from harness.stack.processes import Nursery  # noqa: PLC0415 -- nothing before it is used

    nursery = Nursery(lambda _: None)
    yield nursery
    nursery.stop_all()


@pytest.fixture(scope="session")
def _golive_logs() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="golive-logs-") as folder:
        yield Path(folder)


def _started(name: str, nursery: Nursery, logs: Path) -> str:
    from harness.stack.simulators import LocalSimulator  # noqa: PLC0415 -- nothing before it is used

    fake = LocalSimulator(name)
    child = fake.start(nursery, env=dict(os.environ), log=logs / f"{name}.log")
    fake.wait_ready(child, within_s=READY_S)
    return fake.url


@pytest.fixture(scope="session")
def _golive_meta_url(_golive_nursery: Nursery, _golive_logs: Path) -> str:
    return _started("meta", _golive_nursery, _golive_logs)


@pytest.fixture
def meta_capi(request: pytest.FixtureRequest, _golive_meta_url: str) -> MetaFixture:
    """A fake Meta Conversions API with a pixel and a token of this test's own."""
    key = _key(request)
    return MetaFixture(_golive_meta_url, str(10**14 + int(key[:14], 16) % (9 * 10**14)), f"EAA{key}")


@pytest.fixture(scope="session")
def _golive_pagerduty_url(_golive_nursery: Nursery, _golive_logs: Path) -> str:
    return _started("pagerduty", _golive_nursery, _golive_logs)


@pytest.fixture
def pagerduty(request: pytest.FixtureRequest, _golive_pagerduty_url: str) -> PagerDutyFixture:
    """A fake PagerDuty with an integration key of this test's own."""
    return PagerDutyFixture(_golive_pagerduty_url, _key(request)[:32])


def _gateway_fixture(name: str) -> Any:
    @pytest.fixture(name=f"{name}_gateway")
    def fixture(request: pytest.FixtureRequest) -> GatewayFixture:
        from simulators.gateways import gateway  # noqa: PLC0415 -- nothing before it is used

        return GatewayFixture(gateway(name), _key(request))

    fixture.__doc__ = f"A fake {name}: signs and sends webhooks with a secret of this test's own."
    return fixture


def _gateway_names() -> list[str]:
    """The files in the folder of the fake gateways; none is imported."""
    spec = find_spec("simulators")
    home = Path(next(iter(spec.submodule_search_locations or ()))) if spec else Path()
    return sorted(path.stem for path in (home / "gateways").glob("[!_]*.py"))


#: `stripe_gateway`, `hotmart_gateway` … for every fake gateway that there is.
globals().update({f"{name}_gateway": _gateway_fixture(name) for name in _gateway_names()})
