"""From cells to records: trials train together as one tensor program (fused), or one by one."""
