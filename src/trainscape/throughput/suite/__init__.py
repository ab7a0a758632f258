"""The pytest-benchmark suite that times steps: its test, and what the test imports.

Their source is part of a record's name. The workflow runs the suite for a study; by hand,
``make throughput`` runs it for the one in params.yaml and shows the times.
"""
