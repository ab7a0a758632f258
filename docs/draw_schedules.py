"""Draw docs/schedules.svg, every schedule over a run: `python docs/draw_schedules.py`."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from trainscape.figures import panels, style
from trainscape.schedules import Clock, Schedule, registry

CLOCK = Clock(epoch=20, total=400)
ACROSS, WIDTH, HEIGHT, GAP = 5, 1.6, 0.8, 0.35
INK = "#1f77b4"  # legible on light and dark
# a validation loss that stops falling a third into the run, for the schedule that follows it
LOSSES = [max(1 - epoch / 10, 0.4) for epoch in range(CLOCK.total // CLOCK.epoch)]


def factors(schedule: Schedule) -> list[float]:
    """The factor of every step, feedback after every epoch included."""
    after = [1.0, *(schedule.feedback(LOSSES[: n + 1]) for n in range(len(LOSSES)))]
    return [f * after[k // CLOCK.epoch] for k, f in enumerate(schedule.table(CLOCK))]


def main(file: Path) -> None:
    """Draw a panel per schedule, each with its own defaults."""
    names = registry.names()
    rows = -(-len(names) // ACROSS)
    with mpl.rc_context(style.RC):
        figure = Figure(figsize=(ACROSS * (WIDTH + GAP) + GAP, rows * (HEIGHT + GAP) + 0.1))
        for i, name in enumerate(names):
            row, column = divmod(i, ACROSS)
            bottom = (rows - 1 - row) * (HEIGHT + GAP) + 0.1
            axes = panels.place(figure, GAP + column * (WIDTH + GAP), bottom, WIDTH, HEIGHT)
            axes.plot(factors(registry.get(name)()), color=INK, linewidth=1.4)
            axes.set(title=name, ylim=(-0.05, 1.08), xticks=[], yticks=[0, 1])
            axes.spines[["top", "right"]].set_visible(False)
        style.save(figure, file)


if __name__ == "__main__":
    main(Path(__file__).with_name("schedules.svg"))
