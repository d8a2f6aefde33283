"""The Flask application, from its collaborators. Nothing is opened here."""

from __future__ import annotations

from collections.abc import Callable

from flask import Flask, request
from werkzeug.exceptions import NotFound

from reference_impl.secrets import GatewaySecrets
from reference_impl.web import bodies, errors, health, openapi, tracking, webhooks
from reference_impl.web.database import Database
from reference_impl.web.draining import announce


def create_app(
    *,
    database: Database,
    secrets: GatewaySecrets,
    queue_complaint: Callable[[], str | None],
    now_s: Callable[[], float],
    window_s: int,
    max_body_bytes: int,
    draining: Callable[[], bool] = lambda: False,
) -> Flask:
    """All routes. `max_body_bytes` holds for every request, chunked ones too (413). `draining`: see draining.py."""
    app = Flask("reference_impl", static_folder=None)
    announce(app, draining)
    bodies.limit(app, max_bytes=max_body_bytes)
    errors.register(app)
    app.register_blueprint(webhooks.blueprint(database=database, secrets=secrets, now_s=now_s, window_s=window_s))
    app.register_blueprint(tracking.blueprint(database=database, now_s=now_s))
    app.register_blueprint(health.blueprint(database=database, queue_complaint=queue_complaint, draining=draining))
    app.register_blueprint(openapi.blueprint(app))

    @app.before_request
    def _no_nul() -> None:
        # PostgreSQL has no place for one, so nothing that we know is called so.
        if "\x00" in request.path:
            raise NotFound

    return app
