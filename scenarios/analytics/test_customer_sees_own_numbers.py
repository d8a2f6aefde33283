"""A-09  A customer logs in and sees their own numbers, and nobody else's.

Given  two tenants, each with a user of their own, who have sold five times and once
When   a wrong password is tried, and then each logs in with the right one
Then   the first opens nothing, and each then sees the number of their own purchases, and no word of the other
"""

import pytest

from harness.testing import DashboardView, Pipeline, wait_until


@pytest.mark.scenario("A-09", proves=("011.6/dashboard-login",), tenants=2)
def test_customer_sees_own_numbers(pipeline: Pipeline) -> None:
    # Given
    theirs = pipeline.other_tenant
    viewers = {5: pipeline.dashboard(), 1: pipeline.dashboard(tenant=theirs)}
    for viewer in viewers.values():
        viewer.create_user()
    ours = [pipeline.gateway(like="stripe").order() for _ in range(5)]
    for order in (*ours, pipeline.gateway(like="stripe", tenant=theirs).order()):
        order.deliver()
        pipeline.meta_of(order.gateway.tenant).wait_until_counted(order)
    for count, viewer in viewers.items():
        # When
        assert viewer.page() is None, "who is not logged in must see nothing"
        assert not viewer.log_in(password="not the password"), "a wrong password must open nothing"
        assert viewer.log_in(), "the right password must open the dashboard"
        # Then
        shows(pipeline, viewer, count)
    for viewer, other in ((viewers[5], theirs), (viewers[1], pipeline.tenant)):
        assert other.tenant not in (viewer.page() or ""), "a customer's page must not speak of another customer"


def shows(pipeline: Pipeline, viewer: DashboardView, count: int) -> None:
    wait_until(
        viewer.purchases,
        lambda seen: seen == count,
        goal=f"{count} purchases on the dashboard",
        within_s=pipeline.timings.analytics_s,
    )
