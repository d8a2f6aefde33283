"""Every metric that is published, and its unit. The alarms and the dashboard of infra/pipeline.yaml read them by name.

| metric | by | |
|---|---|---|
| WebhookRequests | web | webhooks that somebody who can prove himself has sent, and those that we failed |
| WebhookFailures | web | of these: 5xx, and proven bodies that we do not understand |
| WebhookLatencyMs | web | of these: from the first byte in our hands to the answer |
| AccountsRefusingAll | web | accounts that were fine and had every webhook of the minute refused for its signature |
| DispatchesEnded, DispatchesFailed | consumer | purchases: delivered, dead-lettered, expired; the latter two fail |
| DispatchLatencyMs | consumer | one call to Meta, for each event in it |
| Purchases, PurchasesMatched | scheduler | new purchases, and those for which a click was found |
| SecondsSinceBreakerClosed | scheduler | of the breaker that is not closed for the longest; 0: all are closed |
| TokenSecondsLeft | scheduler | of the token that ends first; 0: Meta refuses one; at most `FOR_EVER_S` |
| DatabaseConnectionsPercent | scheduler | of max_connections |
| AnalyticsAgeSeconds | scheduler | since the customers' numbers were last brought up to date |
| Heartbeats | all | 1 from each process that has done a step lately; dimension Process |

Every metric has the dimension Environment. No dimension tells of a person or a tenant.
"""

from __future__ import annotations

from collections.abc import Mapping

NAMESPACE = "Golive"

COUNTERS = (
    "WebhookRequests",
    "WebhookFailures",
    "DispatchesEnded",
    "DispatchesFailed",
    "Purchases",
    "PurchasesMatched",
    "Heartbeats",
)
SPREADS = ("WebhookLatencyMs", "DispatchLatencyMs")
"""Distributions: their percentiles are wanted."""
GAUGES = (
    "AccountsRefusingAll",
    "SecondsSinceBreakerClosed",
    "TokenSecondsLeft",
    "DatabaseConnectionsPercent",
    "AnalyticsAgeSeconds",
)

UNITS: Mapping[str, str] = {
    **dict.fromkeys(COUNTERS, "Count"),
    **dict.fromkeys(SPREADS, "Milliseconds"),
    "AccountsRefusingAll": "Count",
    "SecondsSinceBreakerClosed": "Seconds",
    "TokenSecondsLeft": "Seconds",
    "DatabaseConnectionsPercent": "Percent",
    "AnalyticsAgeSeconds": "Seconds",
}
