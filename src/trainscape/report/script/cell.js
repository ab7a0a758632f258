// One cell beside the map: what it came to, its seeds, its learning curves, its file.

T.cell = () => {
  for (const [workload, place] of T.places("map")) T.cell.make(workload, place);
};

// A mean over seeds and its 95% interval.
T.cell.mean = (workload, values) => {
  const mean = values.reduce((sum, one) => sum + one, 0) / values.length;
  if (values.length < 2) return { mean, low: null, high: null };
  const spread = Math.sqrt(values.reduce((sum, one) => sum + (one - mean) ** 2, 0) / (values.length - 1));
  const half = (workload.map.t[values.length] * spread) / Math.sqrt(values.length);
  return { mean, low: mean - half, high: mean + half };
};

// The rows of both charts of a cell, as report/_map.py makes those of the first.
T.cell.rows = (workload, index) => {
  const { trials, confirmed, curves, cells, metric } = workload;
  const scale = metric.unit === "fraction" ? 100 : 1;
  const rows = { seeds: [], means: [], curves: [], mean: [] };
  const fresh = confirmed[cells.digest[index]];
  for (const [values, name, numbers] of [
    [trials.val[index], "validation", workload.seeds],
    [trials.test[index], workload.map.ends, workload.seeds],
    [fresh?.val, "fresh validation", fresh?.seeds],
    [fresh?.test, "fresh test", fresh?.seeds],
  ]) {
    const known = (values ?? []).filter((value) => value !== null);
    if (!known.length) continue;
    values.forEach((value, k) => {
      const before = values.slice(0, k).filter((other) => other === value).length; // equal seeds stand side by side
      if (value !== null) rows.seeds.push({ of: name, value: scale * value, seed: numbers[k], told: T.score(value, workload), lift: (before % 2 ? 1 : -1) * Math.ceil(before / 2) });
    });
    const { mean, low, high } = T.cell.mean(workload, known);
    const span = low === null ? "" : ` (${T.score(low, workload, false)} to ${T.score(high, workload, false)})`;
    rows.means.push({ of: name, mean: scale * mean, low: low === null ? null : scale * low, high: high === null ? null : scale * high, told: T.score(mean, workload) + span });
  }
  const times = curves.of === "metric" ? scale : 1;
  const steps = curves.steps[workload.axes.batch_size[cells.batch_size[index]]] ?? [];
  const own = curves.values[index];
  own.forEach((values, k) => values.forEach((value, at) => {
    if (value !== null) rows.curves.push({ step: steps[at], seed: workload.seeds[k], value: times * curves.step * value, told: T.number(times * curves.step * value) });
  }));
  const runs = own.filter((values) => values.length); // a seed that was never evaluated has no part in the mean
  steps.forEach((step, at) => {
    const known = runs.map((values) => values[at]).filter((value) => value !== null && value !== undefined);
    if (known.length && known.length === runs.length) rows.mean.push({ step, value: (times * curves.step * known.reduce((a, b) => a + b, 0)) / known.length });
  });
  return rows;
};

// What is said of a cell's place among the others.
T.cell.verdict = (workload, cell) => {
  const { found, validated, count } = workload;
  const parts = [];
  if (cell.status === "oom") parts.push("It ran out of memory.");
  if (cell.diverged) parts.push(`${cell.diverged} of ${cell.seeds} seeds diverged: it has no mean and cannot be best.`);
  if (cell.failed) parts.push(`${cell.failed} of ${cell.seeds} seeds ended no better than chance.`);
  if (cell.verdict === "take") parts.push(`The setting to take: ${found.tied.length > 1 ? `it is one of ${found.tied.length} that may be the best.` : "it is better by validation than all others."}`);
  else if (cell.verdict) parts.push("It may be the best: it cannot be told from the best by validation.");
  else if (!validated) parts.push("Nothing is ranked: there is no validation split.");
  else if (cell.val !== null && cell.val !== undefined) parts.push("It is not among those that may be the best.");
  if (validated && cell.val !== null && cell.val !== undefined) parts.push(`Number ${cell.index + 1} of ${count} by validation on the grid's seeds.`);
  return parts.join(" ");
};

// The value at the top: what is claimed of the cell if anything is, else the mean of its seeds.
T.cell.value = (workload, cell) => {
  const { found, confirmed, trials, metric, validated } = workload;
  const claims = [found.chosen, ...(found.optimizers ?? [])].filter((own) => own && workload.byDigest.get(own.digest) === cell.index);
  const claimed = claims.find((own) => own.test?.low !== null)?.test;
  const fresh = confirmed[cell.digest];
  const split = claimed || fresh || !validated ? "test" : "val";
  const known = (fresh ?? { test: trials.test[cell.index], val: trials.val[cell.index] })[split].filter((value) => value !== null);
  if (!known.length || cell.diverged) return null;
  const { mean, low, high } = claimed ?? T.cell.mean(workload, known);
  const seeds = `${known.length} ${fresh ? "fresh " : ""}${known.length === 1 ? "seed" : "seeds"}`;
  return {
    value: T.score(mean, workload),
    interval: low === null ? "" : `${T.score(low, workload, false)} to ${T.score(high, workload)}`,
    what: `${split === "val" ? "validation" : workload.map.ends} ${metric.name}, ${seeds}`,
  };
};

T.cell.numbers = (workload, cell) => {
  const plus = (mean, std, judged) => {
    if (mean === null || mean === undefined) return null;
    const words = judged ? T.score(mean, workload, false) : T.number(mean);
    return words + (std === null || std === undefined ? "" : ` ± ${T.map.deviation(std, workload, judged)}`);
  };
  const seconds = (low, high) => (low === null || low === undefined ? "" : ` (${T.seconds(low)} to ${T.seconds(high)})`);
  const reached = cell.reached ?? 0;
  const timed = cell.step_time !== null && cell.step_time !== undefined;
  const unit = workload.metric.unit === "fraction" ? ", %" : "";
  return [
    [`validation${unit}`, plus(cell.val, cell.val_std, true)],
    [`${workload.map.ends}${unit}`, plus(cell.test, cell.test_std, true)],
    ["train loss", plus(cell.loss, cell.loss_std, false)],
    ["gap", plus(cell.gap, null, false)],
    ["steps to target", workload.map.target === null ? null : `${cell.steps === null || cell.steps === undefined ? "not reached" : T.number(cell.steps, 4)} (${reached} of ${cell.seeds} seeds)`],
    ["step time", timed ? T.seconds(cell.step_time) + (cell.noisy ? ", noisy: other work disturbed it" : "") : null],
    ["time to target", timed && cell.time !== null && cell.time !== undefined ? T.seconds(cell.time) + seconds(cell.time_low, cell.time_high) : null],
    ["failed, diverged", `${cell.failed ?? 0}, ${cell.diverged ?? 0} of ${cell.seeds} seeds`],
  ].filter(([, words]) => words !== null);
};

T.cell.file = (workload, cell) => {
  const { map, cells } = workload;
  return `${map.folder}/${cell.optimizer}/bs${cell.batch_size}-lr${map.rates[cells.lr[cell.index]]}-${cell.schedule}-${cell.digest}.json`;
};

T.cell.make = (workload, place) => {
  const key = `cell:${workload.name}`;
  const view = place.querySelector(".map-view");
  const charts = place.querySelector(".charts");
  const close = () => {
    T.state.set({ [key]: "none" });
    view.querySelector('td[tabindex="0"]')?.focus();
  };
  const head = T.el("div", { "aria-live": "polite" });
  const facts = T.el("div", {});
  const panel = T.el("aside", { class: "cell", "aria-label": "The open cell", hidden: true },
    T.el("button", { type: "button", class: "close", "aria-label": "Close the cell", onclick: close }, "×"), head, charts, facts);
  view.append(panel);

  const figure = (kind) => charts.querySelector(`[data-kind="${kind}"]`);
  const live = {};
  const redraw = (index) => {
    const rows = T.cell.rows(workload, index);
    if (figure("cell-seeds")) figure("cell-seeds").hidden = !rows.seeds.length;
    if (figure("cell-curves")) figure("cell-curves").hidden = !rows.curves.length;
    live["cell-seeds"]?.view.data("seeds", rows.seeds).data("means", rows.means).runAsync();
    live["cell-curves"]?.view.data("curves", rows.curves).data("mean", rows.mean).runAsync();
    const plot = figure("cell-seeds")?.querySelector(".plot");
    plot?.setAttribute("aria-label", `Seeds: ${rows.means.map((row) => `${row.of} ${row.told}`).join("; ")}.`);
  };
  const show = () => {
    const index = workload.byDigest.get(T.state.get(key));
    panel.hidden = index === undefined;
    view.classList.toggle("beside-cell", !panel.hidden);
    if (panel.hidden) return;
    const cell = workload.cell(index);
    const value = T.cell.value(workload, cell);
    head.replaceChildren(
      T.el("h3", {}, T.called(workload, index)),
      value ? T.el("p", { class: "value" }, T.el("strong", {}, value.value), " ", T.el("span", { class: "interval" }, `${value.interval} ${value.what}`)) : "",
      T.el("p", { class: "verdict" }, T.cell.verdict(workload, cell)),
    );
    const copy = (text, what) => T.el("button", { type: "button", onclick: () => T.copy(text(), what) }, `Copy ${what}`);
    const texts = T.snippets.buttons(workload, cell);
    const link = () => {
      const own = new URL(location.href);
      const chosen = new URLSearchParams(own.hash.includes("=") ? own.hash.slice(1) : "");
      chosen.set(key, cell.digest);
      own.hash = chosen;
      return own.href;
    };
    facts.replaceChildren(
      T.el("dl", { class: "cell-numbers" }, ...T.cell.numbers(workload, cell).flatMap(([name, words]) => [T.el("dt", {}, name), T.el("dd", {}, words)]),
        T.el("dt", {}, "digest"), T.el("dd", {}, T.el("code", {}, cell.digest)), T.el("dt", {}, "file"), T.el("dd", {}, T.el("code", {}, T.cell.file(workload, cell)))),
      T.el("p", { class: "copies" }, ...texts.flatMap((button) => [button, " "]), copy(link, "link"), " ", copy(() => cell.digest, "digest")),
    );
    redraw(index);
  };
  for (const kind of ["cell-seeds", "cell-curves"]) {
    T.charts.when(workload, kind, (chart) => {
      live[kind] = chart;
      const index = workload.byDigest.get(T.state.get(key));
      if (index !== undefined) redraw(index);
    });
  }
  T.state.on([key], show);
  show();
};
