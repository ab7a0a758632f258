"""What every test needs before torch's first matrix product, and where shared helpers are found."""

from __future__ import annotations

import os
import sys
from pathlib import Path

# MKL reads this once, at its first call, and some tests multiply matrices before they choose a
# device: without it their last bits depend on the alignment of their operands.
os.environ["MKL_CBWR"] = "AUTO,STRICT"

sys.path.append(str(Path(__file__).parent))
