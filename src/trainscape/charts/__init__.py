"""The page's charts, as Vega-Lite: each a function from claims and tables to a :class:`Chart`."""

from trainscape.charts._chart import Chart as Chart
