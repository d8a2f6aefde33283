"""The words that a scenario may use. Scenarios import this package and nothing else of golive.

A scenario reads like the promise it proves:

    order = pipeline.gateway(like="stripe").order()
    order.deliver()
    pipeline.meta.wait_until_counted(order)
"""

from harness.errors import HarnessError, NotSeenInTime, PromiseBroken
from harness.faults.network import ArmedToxic
from harness.target import Refusal
from harness.testing.alarms import Alarms, Page, alarms_table
from harness.testing.answers import Answer, Click, Visitor, must_accept, must_refuse, sha256
from harness.testing.balancer import Balancer
from harness.testing.dashboard import DashboardView
from harness.testing.database import DatabaseView
from harness.testing.drill import Drill
from harness.testing.experiment import experiments, run_experiment
from harness.testing.gateway import Gateway, PlacedOrder
from harness.testing.meta import MetaView
from harness.testing.model import Model, ModelOptions
from harness.testing.network import NetworkView
from harness.testing.pipeline import Pipeline
from harness.testing.stack_info import StackInfo
from harness.testing.target import TargetView
from harness.testing.traffic import Traffic
from harness.testing.travelling import TravellingPipeline
from harness.waiting import wait_until

__all__ = [
    "Alarms",
    "Answer",
    "ArmedToxic",
    "Balancer",
    "Click",
    "DashboardView",
    "DatabaseView",
    "Drill",
    "Gateway",
    "HarnessError",
    "MetaView",
    "Model",
    "ModelOptions",
    "NetworkView",
    "NotSeenInTime",
    "Page",
    "Pipeline",
    "PlacedOrder",
    "PromiseBroken",
    "Refusal",
    "StackInfo",
    "TargetView",
    "Traffic",
    "TravellingPipeline",
    "Visitor",
    "alarms_table",
    "experiments",
    "must_accept",
    "must_refuse",
    "run_experiment",
    "sha256",
    "wait_until",
]
