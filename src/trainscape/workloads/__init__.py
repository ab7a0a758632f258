"""Workloads, one file each: dataset + model + loss + metric + target."""

from trainscape.workloads._base import Metric, Workload, example_mean, registry, workload
from trainscape.workloads._regression import MSE, mean_squared_error

__all__ = [
    "MSE",
    "Metric",
    "Workload",
    "example_mean",
    "mean_squared_error",
    "registry",
    "workload",
]
