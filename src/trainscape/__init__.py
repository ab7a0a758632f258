"""Trainscape: how optimizer, batch size, learning rate and schedule shape training."""

__version__ = "0.1.0"
