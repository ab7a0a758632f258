"""Looks after trials that train together: brings their state back, and keeps it.

No number is made here, so this file is in no digest.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from trainscape.engine import leaving, snapshots
from trainscape.engine.encoding import UnfitError, UnkeptError
from trainscape.errors import UserError
from trainscape.numerals import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from trainscape.engine.checkpoint import Keeper
    from trainscape.engine.pack import Pack
    from trainscape.engine.unfused import Single


class Watch:
    """Looks after trials that train together: brings their state back, and keeps it.

    Args:
        keeper: keeps it.
        keys: of the trials.
        arithmetic: the backend that decides their bits.
        whole: whether it hangs on their places.
    """

    def __init__(
        self, keeper: Keeper, keys: Sequence[tuple[int, int]], arithmetic: str, whole: bool
    ) -> None:
        self.keeper, self.keys, self.arithmetic, self.whole = keeper, keys, arithmetic, whole
        self.refused = False  # by a part of the state that cannot be kept

    @contextmanager
    def over(self, of: Pack | Single) -> Iterator[None]:
        """Go on where the trials were left; keep them when the process leaves the block."""
        self._bring_back(of)
        with leaving.deferred(to_steps=_changes_as_scored(of)):
            try:
                yield
            except leaving.Leaving as asked:
                if of.done:
                    self._save(of, str(asked))
                raise

    def look(self, of: Pack | Single) -> None:
        """Between two steps: say how many are done, and keep the state where it is time.

        Raises:
            Leaving: the process was asked to leave.
        """
        leaving.check(between_steps=True)
        self.keeper.stepped(len(self.keys), of.done, of.plan.total)
        if self.keeper.due() and of.done:
            self._save(of)

    def _names(self) -> list[str]:
        return [self.keeper.name(key) for key in self.keys]

    def _at(self, of: Pack | Single) -> str:
        """How many trials there are, and the step that each of them is at."""
        each = ", each" if len(self.keys) > 1 else ""
        many = counted(len(self.keys), "trial")
        return f"{many}{each} at step {of.done:,} of {of.plan.total:,}"

    def _about(self, of: Pack | Single) -> dict[str, Any]:
        """What is to be the same when the trials go on."""
        stack = getattr(of, "stack", None)
        return {
            "backend": self.arithmetic,
            "way": type(of).__name__ if stack is None else type(stack).__name__,
            "width": stack.width if stack is not None and self.whole else 1,
            "total": of.plan.total,
        }

    def _bring_back(self, of: Pack | Single) -> None:
        if not self.keeper.holds:
            return
        found = self.keeper.kept(self._names(), self.whole)
        if found is None:
            return
        states = [state for one in found for state in one["states"]]
        step = found[0]["step"]
        try:
            for one in found:
                if one["about"] != self._about(of) or one["step"] != step:
                    raise UnfitError("it is of another backend, or of another step")
            snapshots.put(of, states, step)
        except UnfitError as error:
            self.keeper.say(f"a checkpoint is passed over, its trials begin anew: {error}")
            snapshots.reset(of)
            return
        self.keeper.say(f"resumed {self._at(of)}")

    def _save(self, of: Pack | Single, asked: str = "") -> None:
        """Keep the state, and the records of what is done.

        Args:
            of: the trials.
            asked: the signal that made the process leave.
        """
        keeper, names = self.keeper, self._names()
        many = counted(len(names), "trial")
        about = {
            "about": self._about(of),
            **dict(zip(("step", "evaluations"), snapshots.step_of(of), strict=True)),
        }
        try:
            keeper.save_records()
            if self.refused:
                return
            states = snapshots.taken(of, len(names))
            files = keeper.files(names, self.whole)
            if self.whole:
                keeper.save(files[0], {**about, "names": names, "states": states})
            else:
                for file, state in zip(files, states, strict=True):
                    keeper.save(file, {**about, "states": [state]})
        except UnkeptError as error:
            self.refused = True
            keeper.say(f"no checkpoint of {many}: the state holds {error}")
        except UserError as error:
            keeper.say_unwritten(many, error, last=bool(asked))
        else:
            keeper.saved()
            if asked:
                keeper.say(f"{asked}: kept {self._at(of)}; run again to go on")
        finally:
            keeper.tried()


def _changes_as_scored(of: Pack | Single) -> bool:
    """Whether an evaluation may change what is kept: models hold more than parameters."""
    stack = getattr(of, "stack", None)
    return stack is not None and (not stack.together or bool(stack.buffers))
