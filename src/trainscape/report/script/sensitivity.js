// How far the learning rate may be off: both charts follow a batch size and a highlighted optimizer.

T.sensitivity = () => {
  for (const [workload, place] of T.places("sensitivity")) T.sensitivity.make(workload, place);
};

T.sensitivity.make = (workload, place) => {
  const { found, axes } = workload;
  const rows = found.sensitivity;
  const best = new Map(found.optimizers.map((row) => [row.optimizer, row.cell.batch_size]));
  const names = axes.optimizer.filter((name) => rows.some((row) => row.optimizer === name && row.batch_size === best.get(name)));
  const sizes = axes.batch_size;
  const [batchKey, focusKey] = [`safe-batch:${workload.name}`, `safe:${workload.name}`];
  T.state.standard({ [batchKey]: "best", [focusKey]: found.most_forgiving?.optimizer ?? "all" }, { [batchKey]: ["best", ...sizes.map(String)], [focusKey]: ["all", ...names] });
  let hovered = "";

  const batch = () => Number(T.state.get(batchKey)) || 0; // 0: each optimizer at its best
  const focus = () => {
    const chosen = T.state.get(focusKey);
    return names.includes(chosen) ? chosen : "";
  };

  const menu = T.menu("highlight", ["all", ...names], focus() || "all", (name) => T.state.set({ [focusKey]: name }));
  const slider = T.el("input", { type: "range", min: 0, max: sizes.length, step: 1, oninput: () => T.state.set({ [batchKey]: sizes[slider.value - 1] ?? "best" }) });
  const value = T.el("output");
  const controls = place.querySelector(".controls");
  if (sizes.length > 1) controls.append(T.el("label", { class: "menu" }, T.el("span", {}, "batch size"), slider, value));
  if (names.length > 1) controls.append(menu);
  const said = T.el("p", { class: "found", "aria-live": "polite" });
  controls.after(said);

  // What is safe, in a sentence, with a way to the cell for those who use no mouse.
  const sentence = () => {
    const name = focus() || (names.length === 1 ? names[0] : "");
    const row = rows.find((one) => one.optimizer === name && one.batch_size === (batch() || best.get(name)));
    if (!name) return ["Highlight an optimizer to shade the rates that do as well as its best."];
    if (!row?.width) return [`${name} has no rate with a value at batch ${batch()}.`];
    const { low, high, open_low, open_high } = row.width;
    const top = row.rates.find((rate) => rate.lr === row.best);
    const ends = open_low && open_high ? "at both ends" : open_low ? "at its low end" : "at its high end";
    return [
      T.el("strong", {}, `${name}, batch ${row.batch_size}: lr ${T.number(low)} to ${T.number(high)}`),
      ` is within ${workload.margin} of its best (${T.score(top.mean, workload)} at ${T.number(row.best)}), a factor of ` +
        `${T.number(high / low, 2)}${open_low || open_high ? `; the grid ends first ${ends}` : ""}. `,
      T.el("button", { type: "button", onclick: () => open(row, top) }, "Open its best cell"),
    ];
  };

  const open = (row, rate) => {
    T.open(workload, workload.at(...[["optimizer", row.optimizer], ["batch_size", row.batch_size], ["lr", rate.lr], ["schedule", rate.schedule]].map(([axis, at]) => axes[axis].indexOf(at))));
  };

  const charts = [];
  const draw = () => {
    for (const chart of charts) chart.set({ batch: batch(), focus: hovered || focus() });
  };
  const show = () => {
    slider.value = sizes.indexOf(batch()) + 1;
    value.value = batch() || "each at its best";
    slider.setAttribute("aria-valuetext", value.value);
    menu.lastElementChild.value = focus() || "all";
    said.replaceChildren(...sentence());
    draw();
  };
  for (const kind of ["sensitivity", "safe-rates"]) {
    T.charts.when(workload, kind, (chart) => {
      charts.push(chart);
      const hover = (name) => {
        if (name !== hovered) {
          hovered = name;
          draw();
        }
      };
      chart.view.addEventListener("mouseover", (_, item) => hover(item?.datum?.optimizer ?? ""));
      chart.figure.addEventListener("mouseleave", () => hover(""));
      chart.click((datum) => {
        if (datum.rate) open({ ...datum, batch_size: datum.batch }, datum);
        else if (datum.optimizer) T.state.set({ [focusKey]: datum.optimizer === focus() ? "all" : datum.optimizer });
      });
      draw();
    });
  }
  T.state.on([batchKey, focusKey], show);
  show();
};
