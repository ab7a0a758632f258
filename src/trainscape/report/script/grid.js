// A part of the grid as a table of coloured fields, and all parts at once, small. Others say what a field shows.

// The words of `places` are a caption, what the fields show, and the names of columns and rows.
// open(i) is called where a reader chooses a cell, hint(event, i) where one points at it; i may be undefined.
T.grid = (open, hint) => {
  const table = T.el("table", { class: "map-grid", role: "grid" });
  const every = T.el("div", { class: "map-all", hidden: true });
  let shown = []; // the fields, row by row: {i, node}
  let wide = 0;
  let focus = 0;

  const reach = (at) => {
    shown[focus]?.node.setAttribute("tabindex", "-1");
    focus = at;
    shown[focus]?.node.setAttribute("tabindex", "0");
  };
  // A field is {i, text, note, look, words}: `look` are classes of style/map.css.
  const draw = (places, fields) => {
    const held = table.contains(document.activeElement);
    wide = places.columns.length;
    table.style.setProperty("--columns", wide);
    shown = fields.map(({ i, text, note, look, words }) => {
      const lines = [T.el("b", {}, text), note ? T.el("small", {}, note) : null];
      return { i, node: T.el("td", { class: look, tabindex: "-1", "data-i": i, "aria-label": words }, ...lines) };
    });
    const row = (name, r) => T.el("tr", {}, T.el("th", { scope: "row" }, name), ...shown.slice(r * wide, (r + 1) * wide).map((field) => field.node));
    table.replaceChildren(
      T.el("caption", {}, places.title, T.el("small", {}, `${places.about}; columns are learning rates, rows batch sizes`)),
      T.el("thead", {}, T.el("tr", {}, T.el("td", {}), ...places.columns.map((name) => T.el("th", { scope: "col" }, name)))),
      T.el("tbody", {}, ...places.rows.map(row)),
    );
    reach(Math.max(0, Math.min(focus, shown.length - 1)));
    if (held) shown[focus]?.node.focus();
  };
  // Marks the open cell; undefined for none.
  const mark = (i) => {
    shown.forEach(({ i: own, node }) => node.setAttribute("aria-selected", String(own !== undefined && own === i)));
    every.querySelectorAll(".open").forEach((node) => node.classList.remove("open"));
    if (i !== undefined) every.querySelector(`[data-i="${i}"]`)?.classList.add("open");
    const at = shown.findIndex((field) => field.i === i && i !== undefined);
    if (at >= 0) reach(at);
  };
  // All parts: each {title, pressed, show, columns, fields}; of the fields only {i, look}. None hides them.
  const multiples = (parts, across) => {
    every.hidden = !parts.length;
    every.style.setProperty("--across", across);
    every.replaceChildren(...parts.map(({ title, pressed, show, columns, fields }) => T.el("div", { class: "mini" },
      T.el("button", { type: "button", class: "link", "aria-pressed": String(pressed), onclick: show }, title),
      T.el("div", { class: "mini-grid", style: `grid-template-columns: repeat(${columns}, 1fr)`, "aria-hidden": "true" },
        ...fields.map(({ i, look }) => T.el("i", { class: look, "data-i": i }))))));
  };

  const step = { ArrowLeft: () => (focus % wide ? -1 : 0), ArrowRight: () => ((focus + 1) % wide ? 1 : 0), ArrowUp: () => (focus >= wide ? -wide : 0), ArrowDown: () => (focus + wide < shown.length ? wide : 0), Home: () => -(focus % wide), End: () => wide - 1 - (focus % wide), Enter: () => 0, " ": () => 0 };
  table.addEventListener("keydown", (event) => {
    if (!(event.key in step) || event.ctrlKey || event.metaKey || event.altKey || !event.target.closest("td")) return;
    event.preventDefault();
    reach(focus + step[event.key]());
    shown[focus].node.focus();
    open(shown[focus].i);
  });
  const at = (event) => {
    const node = event.type === "pointerleave" ? null : event.target.closest?.("[data-i]");
    return node ? Number(node.dataset.i) : undefined;
  };
  for (const area of [table, every]) {
    area.addEventListener("pointermove", (event) => hint(event, at(event)));
    area.addEventListener("pointerleave", (event) => hint(event, at(event)));
    area.addEventListener("click", (event) => open(at(event)));
  }
  return { table, every, draw, mark, multiples, focus: () => shown[focus]?.node.focus(), looks: () => shown.map(({ node }) => node.classList) };
};

// A workload's map in its place: the frame, menus for its part, all parts at once, and the open cell.
// `opening` says the part that is shown at first and the digest of the cell that is open, if any; `more`
// are further menus, each [label, choices, its name in the address]; hint(event, i) is that of T.grid.
T.grid.facets = (workload, place, { opening, more = [], hint }) => {
  const { axes, cells, map } = workload;
  const key = (name) => `${name}:${workload.name}`;
  const labels = { o: axes.optimizer, s: axes.schedule };
  T.state.standard(
    { [key("o")]: opening.optimizer, [key("s")]: opening.schedule, [key("all")]: "no", [key("cell")]: opening.digest ?? "none" },
    { [key("o")]: labels.o, [key("s")]: labels.s, [key("cell")]: ["none", ...workload.byDigest.keys()], ...Object.fromEntries(more.map(([, choices, name]) => [key(name), choices.map(([value]) => value)])) },
  );
  const opened = () => workload.byDigest.get(T.state.get(key("cell")));
  const shown = () => Object.values(labels).map((names, k) => Math.max(0, names.indexOf(T.state.get(key("os"[k])))));

  const grid = T.grid((i) => T.open(workload, i), hint);
  const legend = T.el("div", { class: "map-key" });
  place.querySelector(".map-main").replaceChildren(T.el("div", { class: "map-box" }, grid.table), legend);
  place.querySelector(".map-view").after(grid.every);
  place.querySelector(".lead")?.append(T.el("span", { class: "clicks" }, " A click or the arrow keys open a cell."));

  const controls = place.querySelector(".controls");
  const menu = (label, choices, name, onchange) => {
    const made = T.menu(label, choices, T.state.get(key(name)), onchange);
    if (choices.length > 1) controls.append(made);
    return [name, made.lastElementChild];
  };
  // Another optimizer or schedule keeps the open cell's batch size and rate.
  const move = (name) => (choice) => {
    T.state.set({ [key(name)]: choice });
    const i = opened();
    const next = i === undefined ? undefined : workload.at(shown()[0], cells.batch_size[i], cells.lr[i], shown()[1]);
    if (next !== undefined) T.state.set({ [key("cell")]: cells.digest[next] });
  };
  const menus = Object.fromEntries([
    menu("optimizer", labels.o, "o", move("o")),
    menu("schedule", labels.s, "s", move("s")),
    ...more.map(([label, choices, name]) => menu(label, choices, name, (choice) => T.state.set({ [key(name)]: choice }))),
  ]);
  const many = T.el("input", { type: "checkbox", onchange: () => T.state.set({ [key("all")]: many.checked ? "yes" : "no" }) });
  const count = labels.o.length * labels.s.length;
  if (count > 1) controls.append(T.el("label", { class: "menu" }, many, `all ${count} at once`));

  // The batch sizes and rates that an optimizer is tried with; the largest batch stands on top.
  const lines = (o) => ({ rows: [...map.grid[o].batch_size].reverse(), columns: map.grid[o].lr });
  const list = (o, s) => lines(o).rows.flatMap((b) => lines(o).columns.map((l) => workload.at(o, b, l, s)));
  // The part that is shown, as field(i) has it, and if that is asked for every part at once, small, in
  // the colours of look(i). Where there is no cell, i is undefined.
  const draw = (title, about, field, look) => {
    const [o, s] = shown();
    const { rows, columns } = lines(o);
    grid.draw({
      title: `${labels.o[o]}, ${labels.s[s]}: ${title}`,
      about,
      columns: T.grid.names(columns.map((l) => axes.lr[l])),
      rows: rows.map((b) => String(axes.batch_size[b])),
    }, list(o, s).map((i) => ({ i, ...field(i) })));
    menus.o.value = labels.o[o];
    menus.s.value = labels.s[s];
    many.checked = T.state.get(key("all")) === "yes";
    grid.multiples(many.checked ? labels.o.flatMap((optimizer, a) => labels.s.map((schedule, b) => ({
      title: `${optimizer}, ${schedule}`,
      pressed: a === o && b === s,
      show: () => T.state.set({ [key("o")]: optimizer, [key("s")]: schedule }),
      columns: lines(a).columns.length,
      fields: list(a, b).map((i) => ({ i, look: look(i) })),
    }))) : [], labels.s.length);
    mark();
  };
  const mark = () => grid.mark(opened());
  place.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && opened() !== undefined) {
      T.state.set({ [key("cell")]: "none" });
      grid.focus();
    }
  });
  T.state.on([key("cell")], mark);
  return { grid, legend, menus, key, count, shown, opened, list, draw };
};

// Short names for the values of an axis, with enough digits to tell them apart.
T.grid.names = (values) => {
  for (let digits = 3; digits < 17; digits++) {
    const names = values.map((value) => T.number(value, digits));
    if (new Set(names).size === values.length) return names;
  }
  return values.map(String);
};

// The colour bar; `looks` are the colours' classes, worst first.
T.grid.bar = (looks, ticks) => T.el("p", { class: "map-bar" }, T.el("span", {}, "worse"),
  T.el("span", { class: "map-ramp" }, ...looks.map((look) => T.el("i", { class: look })), T.el("span", { class: "map-ticks" }, ...ticks.map((words) => T.el("span", {}, words)))),
  T.el("span", {}, "better"));

T.grid.sign = (look, words) => T.el("span", { class: "map-sign" }, T.el("i", { class: look, "aria-hidden": "true" }), words);
