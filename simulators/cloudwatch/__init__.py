"""A CloudWatch that takes metrics and keeps them, as AWS's own endpoint would take them; it evaluates nothing.

Does not imitate: reading by AWS's own calls, alarms, dashboards, retention. Who reads takes the datapoints as they came
(`/_golive/datapoints`), and evaluates them itself.
"""
