// Another batch size: which learning rate goes with it, and whether it pays. Two parts of the page
// share an optimizer and the batch sizes that a reader types.

T.scaling = (() => {
  const hundredths = (value) => value.toFixed(2).replace(/^-(?=.*[1-9])/, "−").replace(/^-/, "");
  const sentence = (words) => `${words[0].toUpperCase()}${words.slice(1)}.`;
  const percent = (share) => `${T.number(100 * share)}%`;

  // A 95% interval in words, also where a side has no bound: null.
  const interval = (low, high, words = T.number) => {
    if (low === null && high === null) return "no bounds";
    if (low === null) return `at most ${words(high)}`;
    return high === null ? `at least ${words(low)}` : `95% ${words(low)} to ${words(high)}`;
  };

  // What a reader chose and typed for a workload; what is not typed is that of the
  // setting to take, or of the optimizer's best one.
  const choice = (workload) => {
    const key = (name) => `${name}:${workload.name}`;
    const start = (kind) => {
      const signals = T.study.specs[workload.name][kind]?.signals ?? [];
      return Object.fromEntries(signals.map(({ name, value }) => [name, value]));
    };
    const rates = start("lr-scaling");
    const steps = start("batch-scaling");
    const optimizer = rates.optimizer ?? steps.optimizer;
    T.state.standard({ [key("of")]: optimizer, [key("of-rates")]: rates.schedule, [key("of-steps")]: steps.schedule }, { [key("of")]: workload.axes.optimizer });
    const typed = (name) => (T.state.get(key(name)) > 0 ? Number(T.state.get(key(name))) : null);
    const { chosen, optimizers } = workload.found;
    const cell = (name) => [chosen, ...optimizers].find((row) => row?.cell.optimizer === name)?.cell;
    return {
      get: () => {
        const named = Object.fromEntries(["of", "of-rates", "of-steps"].map((name) => [name, T.state.get(key(name))]));
        const from = typed("from") ?? cell(named.of)?.batch_size ?? workload.axes.batch_size[0];
        const lr = typed("lr") ?? cell(named.of)?.lr ?? workload.axes.lr[0];
        return { ...named, from, to: typed("to") ?? 2 * from, lr };
      },
      // A rate for one optimizer says nothing of another.
      set: (values) => {
        const all = Object.entries("of" in values ? { ...values, lr: "" } : values);
        T.state.set(Object.fromEntries(all.map(([name, value]) => [key(name), value])));
      },
      on: (names, listener) => T.state.on(names.map(key), listener),
    };
  };

  const outside = (size, sizes) => size < sizes[0] || size > sizes.at(-1);

  // How the best rate changes from one batch size to another; null where the study does not bound it.
  const changed = (fit, ratio) => {
    const power = (alpha) => (alpha === null ? null : ratio ** alpha);
    const ends = [power(fit.low), power(fit.high)];
    return [power(fit.exponent), ...(ratio < 1 ? ends.reverse() : ends)];
  };

  const RULES = [["linear", 1], ["√", 0.5], ["none", 0]];

  // What α says of a typed rate: sentences.
  const rateWords = (fit, { from, to, lr }, { batch_size: sizes, lr: rates }) => {
    const { optimizer } = fit;
    if (fit.exponent === null) return { strong: `${optimizer}, ${fit.schedule}: α is not known`, rest: [sentence(fit.reason)] };
    const [factor, low, high] = changed(fit, to / from);
    const times = (value) => (value === null ? null : lr * value);
    const strong = `lr ${T.number(lr)} at batch ${T.number(from)} → ${T.number(lr * factor)} at batch ${T.number(to)}`;
    const twice = [fit.factor_low, fit.factor_high];
    const within = RULES.filter(([, alpha]) => (fit.low ?? -Infinity) <= alpha && alpha <= (fit.high ?? Infinity)).map(([name]) => name);
    const rest = [
      `Twice the batch: ${optimizer} lr × ${hundredths(fit.factor)} (${interval(...twice, hundredths)}). α = ${hundredths(fit.exponent)} (${interval(fit.low, fit.high, hundredths)}): ` +
        (within.length ? `the interval holds the rule ${within.map((name) => `“${name}”`).join(" and ")}.` : "no rule of thumb lies within."),
    ];
    if (fit.warning) rest.push(`Two batch sizes alone: ${fit.warning.split(": ").at(-1)}.`);
    if (fit.bend_high !== null && fit.bend_high < 0) rest.push(`α falls as the batch grows (by ${hundredths(-fit.bend)} a doubling): towards larger batches expect less.`);
    if (fit.edges) rest.push(`${fit.edges} best rate${fit.edges > 1 ? "s end their" : " ends its"} axis: the true one may lie beyond.`);
    const beyond = [from, to].filter((size) => outside(size, sizes));
    if (beyond.length) rest.push(`Batch ${beyond.map((size) => T.number(size)).join(" and ")} is outside those trained (${sizes[0]} to ${sizes.at(-1)}): the line is carried on, which no trial supports.`);
    else if (outside(lr * factor, rates)) rest.push(`This lr is outside those tried (${T.number(rates[0])} to ${T.number(rates.at(-1))}).`);
    return { strong, interval: interval(times(low), times(high)), rest };
  };

  // What B_crit says of two batch sizes: sentences. Steps follow S_min(1 + B_crit/B).
  const payWords = (fit, { from, to }, { batch_size: sizes }) => {
    const name = `${fit.optimizer}, ${fit.schedule}`;
    if (fit.critical === null) return { strong: `${name}: B_crit is not known`, rest: [sentence(fit.reason)] };
    const low = fit.low || null; // zero is no bound
    const ends = [low, fit.high].map((value) => (value === null ? null : 2 * value));
    const strong = `${name}: up to batch ${T.number(2 * fit.critical)} pays`;
    const trained = fit.pays === null ? "none does" : `up to ${T.number(fit.pays)} do`;
    const steps = (critical) => (critical === Infinity ? from / to : (1 + critical / to) / (1 + critical / from));
    const [middle, most, least] = [fit.critical, fit.low ?? 0, fit.high ?? Infinity].map(steps);
    const share = (value) => percent(Math.abs(1 - value));
    const rest = [
      `That is 2·B_crit; of the batches trained ${trained}. At B_crit a run takes ${Math.round(2 * fit.least_steps)} steps, twice the fewest, and twice the fewest examples.`,
    ];
    if (to !== from) {
      const [a, b] = [most, least].sort((x, y) => Math.abs(1 - x) - Math.abs(1 - y));
      const examples = (middle * to) / from - 1;
      rest.push(`From batch ${T.number(from)} to ${T.number(to)}: ${share(middle)} ${to > from ? "fewer" : "more"} steps (95% ${share(a)} to ${share(b)}), ${percent(Math.abs(examples))} ${examples < 0 ? "fewer" : "more"} examples.`);
    }
    const sure = low !== null && to <= 2 * low;
    const never = fit.high !== null && to > 2 * fit.high;
    const open = `Whether batch ${T.number(to)} pays is open: the interval allows both.`;
    if (to > from) rest.push(sure ? `Batch ${T.number(to)} pays.` : never ? `Batch ${T.number(to)} does not pay.` : open);
    if (fit.warning) rest.push(`The rate of ${fit.schedule} falls towards the end of the budget, so its steps to the target depend on the budget.`);
    if (fit.edges) rest.push(`${fit.edges} best rate${fit.edges > 1 ? "s end their" : " ends its"} axis: fewer steps may be possible there.`);
    const beyond = [from, to].filter((size) => outside(size, sizes));
    if (beyond.length) rest.push(`Batch ${beyond.map((size) => T.number(size)).join(" and ")} is outside those trained (${sizes[0]} to ${sizes.at(-1)}).`);
    return { strong, interval: interval(...ends), rest };
  };

  // A part with menus for an optimizer and a schedule, numbers to type, and what follows from them.
  const calculator = (workload, place, { kind, rows, own, asked, words }) => {
    const { axes } = workload;
    const mine = choice(workload);
    const names = axes.optimizer.filter((name) => rows.some((row) => row.optimizer === name));
    const schedules = [...new Set(rows.map((row) => row.schedule))];
    const whole = schedules.find((name) => !axes.schedule.includes(name)); // all of them together
    if (whole) schedules.unshift(...schedules.splice(schedules.indexOf(whole), 1));
    const optimizer = T.menu("optimizer", names, "", (of) => mine.set({ of }));
    const schedule = T.menu("schedule", schedules, "", (value) => mine.set({ [own]: value }));
    const menus = [names.length > 1 && optimizer, schedules.length > 1 && schedule];
    place.querySelector(".controls").append(...menus.filter(Boolean));

    const fields = Object.entries(asked).map(([name, label]) => {
      const input = T.el("input", { type: "number", min: 1e-12, step: "any", required: true, oninput: () => (input.value > 0 ? mine.set({ [name]: input.value }) : show()), onblur: () => show() });
      return [name, input, T.el("label", { class: "menu" }, T.el("span", {}, label), input)];
    });
    const said = T.el("div", { "aria-live": "polite" });
    const labels = fields.map(([, , label]) => label);
    place.querySelector(".charts").append(T.el("div", { class: "ask" }, T.el("div", { class: "fields" }, ...labels), said));

    // The fit that is shown; where an optimizer lacks the chosen schedule, its first.
    const fit = () => {
      const known = rows.filter((row) => row.optimizer === mine.get().of);
      return known.find((row) => row.schedule === mine.get()[own]) ?? known[0];
    };
    const show = () => {
      const chosen = mine.get();
      optimizer.lastElementChild.value = chosen.of;
      schedule.lastElementChild.value = fit()?.schedule ?? "";
      for (const [name, input] of fields) {
        if (document.activeElement !== input) input.value = Number(chosen[name].toPrecision(4)); // not while it is typed
      }
      const typed = fields.every(([, input]) => input.validity.valid);
      const unknown = { strong: fit() ? "–" : `${chosen.of}: not known`, rest: [] };
      const found = fit() && typed ? words(fit(), chosen, axes) : unknown;
      const within = found.interval && T.el("span", { class: "interval" }, ` ${found.interval}`);
      said.replaceChildren(
        T.el("p", { class: "value" }, T.el("strong", {}, found.strong), within),
        ...found.rest.map((text) => T.el("p", {}, text)),
      );
    };
    T.charts.when(workload, kind, (chart) => {
      const draw = () => chart.set({ optimizer: mine.get().of, schedule: fit()?.schedule ?? "" });
      mine.on(["of", own], draw);
      draw();
    });
    mine.on(["of", own, "from", "to", "lr"], show);
    show();
  };

  return () => {
    for (const [workload, place] of T.places("lr-scaling")) {
      const asked = { from: "I train with batch", lr: "and lr", to: "At batch" };
      calculator(workload, place, { kind: "lr-scaling", rows: workload.found.scaling, own: "of-rates", asked, words: rateWords });
    }
    for (const [workload, place] of T.places("batch-scaling")) {
      const asked = { from: "From batch", to: "to" };
      calculator(workload, place, { kind: "batch-scaling", rows: workload.found.critical, own: "of-steps", asked, words: payWords });
    }
  };
})();
