"""Workloads, one file each: dataset + model + loss + metric + target."""

from trainscape.workloads._base import Metric, Workload, registry, workload

__all__ = ["Metric", "Workload", "registry", "workload"]
