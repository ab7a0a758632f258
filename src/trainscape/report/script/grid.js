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
