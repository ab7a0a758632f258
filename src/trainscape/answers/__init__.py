"""Tables -> claims: what to use, how sure that is, and what to run next. As data, not in words.

:func:`answer` says all of one workload; ``results/answers.json`` holds it, and the page puts it
into words. :func:`headline` takes the few numbers that commits are compared by. :func:`fastest` and
:func:`pareto` rest on seconds, which hold for one machine: ``results/timings.json`` holds them.
"""

from trainscape.answers._answer import Asked, answer
from trainscape.answers._fastest import fastest, pareto
from trainscape.answers._headline import headline

__all__ = ["Asked", "answer", "fastest", "headline", "pareto"]
