"""The Flask application, from its collaborators. Nothing is opened here."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from flask import Blueprint, Flask

from reference_impl.monitoring.webhooks import WebhookWatch
from reference_impl.sealing import Seals
from reference_impl.secrets import GatewaySecrets
from reference_impl.web import bodies, errors, health, limits, openapi, tracking, webhooks
from reference_impl.web.database import Database
from reference_impl.web.draining import announce
from reference_impl.web.intake import Intake, Rules
from reference_impl.web.visitor import Visitors


def create_app(
    *,
    database: Database,
    secrets: GatewaySecrets,
    seals: Seals,
    visitors: Visitors,
    queue_complaint: Callable[[], str | None],
    now_s: Callable[[], float],
    webhook_rules: Rules,
    trusted_hops: int,
    max_body_bytes: int,
    wake: Callable[[], None] = lambda: None,
    draining: Callable[[], bool] = lambda: False,
    pages: Sequence[Blueprint] = (),
    watch: WebhookWatch | None = None,
) -> Flask:
    """All routes, and beside them the `pages` for people.

    `max_body_bytes` holds for every request, chunked ones too (413). `wake` is called when the outbox holds something
    new: see bell.py. `draining`: see draining.py. `watch` is told how each webhook ended.
    """
    app = Flask("reference_impl", static_folder=None)
    announce(app, draining)
    bodies.limit(app, max_bytes=max_body_bytes)
    errors.register(app)
    limits.register(app)
    app.register_blueprint(
        webhooks.blueprint(
            intake=Intake(database=database, secrets=secrets, seals=seals, wake=wake, rules=webhook_rules),
            now_s=now_s,
            trusted_hops=trusted_hops,
            watch=watch,
        )
    )
    app.register_blueprint(tracking.blueprint(database=database, visitors=visitors, wake=wake, now_s=now_s))
    app.register_blueprint(health.blueprint(database=database, queue_complaint=queue_complaint, draining=draining))
    app.register_blueprint(openapi.blueprint(app))
    app.config[openapi.PAGES] = frozenset(one.name for one in pages)
    for one in pages:
        app.register_blueprint(one)
    return app
