"""Workloads, one file each: dataset + model + loss + metric + target."""

from trainscape.workloads._base import (
    ACCURACY,
    Metric,
    Workload,
    cross_entropy,
    example_mean,
    registry,
    workload,
)
from trainscape.workloads._regression import MSE, mean_squared_error

__all__ = [
    "ACCURACY",
    "MSE",
    "Metric",
    "Workload",
    "cross_entropy",
    "example_mean",
    "mean_squared_error",
    "registry",
    "workload",
]
