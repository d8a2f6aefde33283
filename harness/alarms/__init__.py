"""CloudWatch's alarms on the harness's clock: what AWS does once it is live, and no emulator does right."""
