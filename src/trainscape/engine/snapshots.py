"""The state of trials in training, taken out and put back: bit for bit, at any step.

What a trial draws follows from its seed and the step, so its state is its weights and buffers, what
its optimizer keeps, and what was recorded so far. A pack gives a mapping for each of its trials, so
that where its place in a pack decides no bit a trial can go on in any pack. No number is made
here, so this file is in no digest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trainscape.engine.encoding import UnfitError
from trainscape.engine.pack import Pack
from trainscape.engine.snapshots_of_packs import of_pack, put_pack
from trainscape.engine.snapshots_of_singles import of_single, put_single

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trainscape.engine.unfused import Single

    State = dict[str, Any]


def step_of(of: Pack | Single) -> tuple[int, int]:
    """How many steps and how many evaluations are done."""
    history = of.history if isinstance(of, Pack) else of.history["train_loss"]
    return of.done, len(history)


def taken(of: Pack | Single, count: int) -> list[State]:
    """The states of the first ``count`` trials; tensors of their own memory, on the CPU.

    Raises:
        UnkeptError: something in them cannot be kept.
    """
    return of_pack(of, count) if isinstance(of, Pack) else [of_single(of)]


def put(of: Pack | Single, states: Sequence[State], step: int) -> None:
    """Bring trials that have just been loaded to states after ``step`` steps.

    Args:
        of: the trials.
        states: as :func:`taken` gives them; places behind them repeat the last.
        step: from 1.

    Raises:
        UnfitError: they do not fit these trials, which are to be loaded again.
    """
    try:
        if isinstance(of, Pack):
            rows = [*states, *[states[-1]] * (of.stack.width - len(states))]
            put_pack(of, rows, step)
        else:
            put_single(of, states[0], step)
    except (KeyError, IndexError, TypeError, ValueError, RuntimeError) as error:
        raise UnfitError(f"{type(error).__name__}: {error}") from error


def reset(of: Pack | Single) -> None:
    """Bring trials back to where they were when they were loaded."""
    if isinstance(of, Pack):
        of.load(of.trials)
    else:
        of.__init__(of.task, of.trial, of.apart)  # type: ignore[misc]
        of._mode(training=True)  # of the model, and of an optimizer that has modes
