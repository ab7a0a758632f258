"""Tables and pictures -> one HTML file that opens anywhere, offline."""

from trainscape.report._page import Page
from trainscape.report._runtime import runtime
from trainscape.report._write import write

__all__ = ["Page", "runtime", "write"]
