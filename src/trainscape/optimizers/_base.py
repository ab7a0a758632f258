"""What an optimizer is: hyperparameters, state, and an update rule written for one model."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, ClassVar

from trainscape.checks import hold

if TYPE_CHECKING:  # rules use tensor methods only, so that listing a grid never imports torch
    from collections.abc import Iterable, Mapping

    import torch
    from torch import Tensor

    Now = Mapping[str, Tensor]


@dataclass(frozen=True)
class Optimizer:
    """An update rule; the dataclass fields of a subclass are its hyperparameters.

    A field's type says what it takes, with the interval of a number beside it:
    ``beta1: Annotated[float, "[0, 1)"] = 0.9`` (:mod:`trainscape.checks`).

    The rule is written as if for one parameter tensor of one model. The engine calls it with the
    parameters of many models stacked on a leading axis and ``lr`` shaped to broadcast, so a rule
    may use only element-wise operations whose result does not depend on an element's position.
    Those that round once (``mul``, ``add``, ``addcmul``, ``addcdiv``, ``lerp``, ``sqrt``, ``div``)
    qualify; ``pow`` with a fractional exponent does not: its vector and scalar code differ in the
    last bit.

    A rule that needs a parameter whole, for a norm or a product, says ``elementwise = False``. It
    is called once per parameter of the model, with that parameter of T trials: ``param``, ``grad``
    and what :meth:`init` returns are (T, *shape), ``lr`` is (T, 1, …, 1). No number of a trial may
    depend on T: it reduces over the axes after the first only (:mod:`._norms`), and multiplies
    matrices in batches of two at least.

    Args:
        clip_norm: the longest gradient, over all parameters of a model together, that a rule is
            given: the engine scales a longer one to it, as ``torch.nn.utils.clip_grad_norm_`` does;
            None for whatever comes.

    Attributes:
        elementwise: whether the rule is the same for any shape; then it is called with many
            parameters side by side.
    """

    name: ClassVar[str]
    elementwise: ClassVar[bool] = True

    clip_norm: Annotated[float, "(0, inf)"] | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        """Refuse hyperparameters that are not what their fields declare."""
        hold(self)

    def init(self, param: Tensor) -> dict[str, Tensor]:
        """The state before the first step: named tensors shaped like ``param``.

        What is one number per trial, such as a sum of its rates, is shaped like ``param[..., :1]``.
        States are dicts and no classes: the engine takes them as they are, torch.optim keeps its
        own so, and a rule of three lines, such as a plugin's, needs no second class.
        """
        return {}

    def scalars(self, step: int) -> dict[str, float]:
        """Numbers that the step alone decides, such as bias corrections, for :meth:`update`.

        They stand apart so that every step is the same program, which a GPU captures once and then
        launches again and again.

        Args:
            step: the number of the step, counted from 1.

        Returns:
            The same names at every step.
        """
        return {}

    def update(
        self, param: Tensor, grad: Tensor, state: dict[str, Tensor], lr: Tensor, now: Now
    ) -> None:
        """Do one step in place on ``param`` and ``state``; ``grad`` may be overwritten.

        Args:
            param: the parameters, any shape.
            grad: the gradient of the mean batch loss, shaped like ``param``.
            state: what :meth:`init` returned, as the last step left it.
            lr: the learning rate of this step, broadcastable to ``param``.
            now: this step's :meth:`scalars`, each a tensor of no dimension.
        """
        raise TypeError(f"optimizer {self.name!r} defines no update rule")

    def evaluated(self, param: Tensor, state: dict[str, Tensor]) -> Tensor | None:
        """The weights to evaluate the model at, as a new tensor; None for ``param`` itself.

        For rules that average: training goes on at ``param``. Called between steps, with what
        :meth:`update` left.
        """
        return None

    def now(self, step: int, like: Tensor) -> Now:
        """The :meth:`scalars` of a step as tensors of the type and device of ``like``."""
        return {name: like.new_tensor(value) for name, value in self.scalars(step).items()}

    def reference(self, params: Iterable[Tensor], lr: float) -> torch.optim.Optimizer | None:
        """The same rule in ``torch.optim``: the tests' oracle and the loop that throughput times.

        None where torch has no counterpart; throughput then times this rule itself.
        """
        return None

    def __str__(self) -> str:
        """What messages call it."""
        return self.name


def root(square: Tensor) -> Tensor:
    """√ of a running mean square, as a new tensor.

    MKL takes ten times as long for zeros, and dark pixels' weights have nothing else: what is below
    1e-36, whose root no ε lets count, is taken for that.
    """
    return square.clamp_min(1e-36).sqrt_()


def zeros(param: Tensor, *names: str) -> dict[str, Tensor]:
    """A state of these names, all zero and shaped like ``param``."""
    return {name: param.new_zeros(param.shape) for name in names}
