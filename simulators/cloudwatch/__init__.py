"""A CloudWatch that takes metrics and keeps them, as AWS's own endpoint would take them; it evaluates nothing.

Whoever evaluates takes the datapoints as they came (`/_golive/datapoints`), and tells the alarms' states back
(`/_golive/alarms`), so that on-call's commands see them: DescribeAlarms, and GetMetricStatistics without percentiles.
Does not imitate: other calls that read, alarms that are put, dashboards, retention.
"""
