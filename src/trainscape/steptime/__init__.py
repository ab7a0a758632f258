"""What is timed, and how its time becomes a number: the source that throughput's digest covers.

Apart from :mod:`trainscape.throughput`, which starts it: an edit there must measure nothing again.
"""
