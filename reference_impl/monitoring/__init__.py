"""What the pipeline counts and tells CloudWatch; infra/pipeline.yaml says what it is alarmed about."""
