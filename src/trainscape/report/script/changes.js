// The page of changes: its map, a click on a mean shift or a verdict, and how a row of the table opens a cell.

T.changes = () => {
  for (const [workload, place] of T.places("map")) T.changes.map(workload, place);
  document.querySelectorAll("a[data-verdict]").forEach((link) => link.addEventListener("click", () => {
    T.state.set({ "f:verdict": link.dataset.verdict, "f:workload": T.study.workloads.length > 1 ? link.dataset.of : "" });
  }));
};

// Opens a cell in the map, from the table.
T.cell = () => {};
T.cell.open = (workload, index) => {
  const own = workload.cell(index);
  const key = (name) => `${name}:${workload.name}`;
  T.state.set({ [key("o")]: own.optimizer, [key("s")]: own.schedule, [key("cell")]: own.digest });
};

T.changes.map = (workload, place) => {
  const { axes, cells } = workload;
  const key = (name) => `${name}:${workload.name}`;
  T.state.standard({ [key("o")]: workload.opening.o, [key("s")]: workload.opening.s, [key("all")]: "no", [key("cell")]: "none" });
  const chosen = () => ["o", "s"].map((name, k) => Math.max(0, axes[["optimizer", "schedule"][k]].indexOf(T.state.get(key(name)))));
  const opened = () => workload.byDigest.get(T.state.get(key("cell")));
  const setting = (i) => `${axes.optimizer[cells.optimizer[i]]}, ${axes.schedule[cells.schedule[i]]}, batch ${axes.batch_size[cells.batch_size[i]]}, lr ${T.number(axes.lr[cells.lr[i]])}`;
  const open = (i) => i !== undefined && T.cell.open(workload, i);
  const hint = (event, i) => T.charts.hint(event, i === undefined ? null : { [setting(i)]: "", change: cells.words[i] });

  const grid = T.grid(open, hint);
  const legend = T.el("div", { class: "map-key" });
  const told = T.el("p", { class: "map-told", role: "status" });
  const main = place.querySelector(".map-main");
  main.replaceChildren(T.el("div", { class: "map-box" }, grid.table), legend);
  place.querySelector(".map-view").after(told, grid.every);

  const controls = place.querySelector(".controls");
  const menus = ["optimizer", "schedule"].map((axis) => {
    const name = axis[0];
    const made = T.menu(axis, axes[axis], T.state.get(key(name)), (choice) => T.state.set({ [key(name)]: choice }));
    if (axes[axis].length > 1) controls.append(made);
    return made.lastElementChild;
  });
  const many = T.el("input", { type: "checkbox", onchange: () => T.state.set({ [key("all")]: many.checked ? "yes" : "no" }) });
  const maps = axes.optimizer.length * axes.schedule.length;
  if (maps > 1) controls.append(T.el("label", { class: "menu" }, many, `all ${maps} at once`));

  const field = (i) => (i === undefined ? { i, text: "", note: "", look: "none", words: "in neither version" } : { i, ...cells.field[i], words: cells.words[i] });
  // The fields of an optimizer and schedule, row by row; the largest batch stands on top.
  const fields = (o, s) => {
    const { lr, batch_size: sizes } = workload.grid[o];
    return sizes.toReversed().flatMap((b) => lr.map((l) => field(workload.at(o, b, l, s))));
  };
  const draw = () => {
    const [o, s] = chosen();
    const { lr, batch_size: sizes } = workload.grid[o];
    const list = fields(o, s);
    grid.draw({
      title: `${axes.optimizer[o]}, ${axes.schedule[s]}: change of test ${workload.metric.name}`,
      about: workload.about,
      columns: T.grid.names(lr.map((l) => axes.lr[l])),
      rows: sizes.toReversed().map((b) => String(axes.batch_size[b])),
    }, list);
    const has = (look) => list.some((one) => one.look === look);
    const signs = [
      has("same") && T.grid.sign("same", "the same"),
      has("unsure") && T.grid.sign("unsure", "?: undecided"),
      has("lost") && T.grid.sign("lost", "in one version alone"),
      has("none") && T.grid.sign("none", "in neither"),
    ].filter(Boolean);
    const count = (verdict) => list.filter(({ i }) => i !== undefined && cells.verdict[i] === verdict).length;
    const known = list.filter(({ i }) => i !== undefined).length;
    const words = `Of ${known} ${known === 1 ? "cell" : "cells"} here ${count("better")} are better, ${count("worse")} worse, ${count("undecided")} undecided. Verdicts allow for how many cells are looked at; the interval of a cell holds by itself.`;
    const bar = workload.ticks.length ? [T.grid.bar(Array.from({ length: 11 }, (_, k) => `d${k}`), workload.ticks)] : [];
    legend.replaceChildren(...bar, T.el("p", { class: "map-signs" }, ...signs), T.el("p", {}, words));
    menus[0].value = axes.optimizer[o];
    menus[1].value = axes.schedule[s];
    many.checked = T.state.get(key("all")) === "yes";
    grid.multiples(many.checked ? axes.optimizer.flatMap((name, a) => axes.schedule.map((other, b) => ({
      title: `${name}, ${other}`,
      pressed: a === o && b === s,
      show: () => T.state.set({ [key("o")]: name, [key("s")]: other }),
      columns: workload.grid[a].lr.length,
      fields: fields(a, b),
    }))) : [], axes.schedule.length);
    mark();
  };
  const mark = () => {
    const i = opened();
    grid.mark(i);
    told.textContent = i === undefined ? "" : `${setting(i)}: ${cells.words[i]}`;
  };
  T.charts.when(workload, "shifts", (chart) => chart.click((row) => {
    const name = { optimizer: "o", schedule: "s" }[row.axis];
    if (name) T.state.set({ [key(name)]: row.value });
    if (name) T.say(`The map shows ${row.value}`);
  }));
  T.state.on(["o", "s", "all"].map(key), draw);
  T.state.on([key("cell")], mark);
  draw();
};
