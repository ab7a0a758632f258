"""The fused training of a pack: trials of one workload and batch size as one tensor program."""
