"""A training step compiled to C: what computes it fast, and what has it compiled."""
