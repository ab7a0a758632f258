// The table of all cells: filters for every column, a search, sorting, columns to choose, a CSV.

T.table = () => {
  const place = document.querySelector("[data-cells]");
  const hint = document.getElementById("hint");
  const columns = T.table.columns();
  const rows = T.study.workloads.flatMap((workload) => workload.cells.digest.map((_, index) => ({ workload, index })));
  const words = T.table.words(columns, rows);
  const filterKey = (column) => `f:${column.key}`;
  T.state.standard({ q: "", sort: "", cols: "", ...Object.fromEntries(columns.map((column) => [filterKey(column), ""])) });

  // What is chosen.
  const visible = () => {
    const chosen = (T.state.get("cols") || "").split(",").filter(Boolean);
    const kept = columns.filter((column) => chosen.includes(column.key));
    return kept.length ? kept : columns;
  };
  const sorted = () => {
    const chosen = T.state.get("sort");
    const column = columns.find((one) => one.key === chosen.replace(/^-/, ""));
    return column && { column, sign: chosen.startsWith("-") ? -1 : 1 };
  };

  // The rows that are asked for, and what of it cannot be understood or is not there.
  const asked = () => {
    const wanted = T.table.search(T.state.get("q"), columns, words);
    const problems = [...wanted.problems];
    const tests = [...wanted.tests];
    for (const column of columns) {
      const text = T.state.get(filterKey(column));
      if (!text) continue;
      const test = T.table.test(column, text);
      if (test) tests.push(test);
      else problems.push(`“${text}” is no filter of ${column.title}: write 0.1, >0.1, <=5 or 0.01..0.1.`);
    }
    const shown = problems.length ? [] : rows.filter((row) => tests.every((test) => test(row)));
    const order = sorted();
    if (order) {
      const { column, sign } = order;
      const keys = new Map(shown.map((row) => [row, column.sort(row)]));
      shown.sort((a, b) => T.table.compare(keys.get(a), keys.get(b), sign)); // equal ones keep the page's order
    }
    return { shown, problems, filtered: tests.length > 0 || problems.length > 0 };
  };

  // The table itself: as many rows as were scrolled to.
  const head = T.el("tr", {});
  const filters = T.el("tr", { class: "filters" });
  const body = T.el("tbody", {});
  const more = T.el("div", { class: "more" });
  const table = T.el("table", { class: "cells" }, T.el("thead", {}, head, filters), body);
  const box = T.el("div", { class: "scroll tall", tabindex: 0, role: "region", "aria-label": "All cells" }, table, more);
  const count = T.el("output", { class: "count" });
  const trouble = T.el("p", { class: "found trouble", role: "status" });
  const note = T.el("p", { class: "lead printed" });
  let current = asked();

  const line = (row, shown) => {
    const name = T.called(row.workload, row.index);
    const made = T.el("tr", { "data-digest": row.workload.cells.digest[row.index] });
    shown.forEach((column, k) => {
      const text = column.text(row);
      const opener = k === 0 && T.atlas(row.workload) && T.el("button", { type: "button", class: "open", tabindex: -1, "aria-label": `${text}: open ${name}` }, text);
      made.append(T.el(k === 0 ? "th" : "td", { class: column.look(row) || null, scope: k === 0 ? "row" : null }, opener || text));
    });
    made.row = row;
    return made;
  };
  const fill = (until) => {
    const from = body.rows.length;
    const shown = visible();
    body.append(...current.shown.slice(from, until).map((row) => line(row, shown)));
    more.hidden = body.rows.length >= current.shown.length;
    if (from === 0) T.table.reach(body, body.rows[0]);
    T.table.stick(table);
  };
  new IntersectionObserver((entries) => entries.some((entry) => entry.isIntersecting) && !more.hidden && fill(body.rows.length + CHUNK),
    { root: box, rootMargin: "600px" }).observe(more);

  const heads = () => {
    const order = sorted();
    head.replaceChildren(...visible().map((column) => {
      const own = order?.column === column;
      const next = own && order.sign > 0 ? `-${column.key}` : column.key;
      const button = T.el("button", { type: "button", title: `${column.about}; sort`, onclick: () => {
        T.state.set({ sort: next });
        head.querySelector(`[data-key="${column.key}"] button`)?.focus();
      } }, column.title);
      return T.el("th", { scope: "col", class: column.numeric ? "n" : null, "data-key": column.key, "data-title": column.title, "aria-sort": own ? (order.sign > 0 ? "ascending" : "descending") : null }, button);
    }));
  };
  const inputs = new Map(columns.map((column) => [column, T.table.input(column, (text) => T.state.set({ [filterKey(column)]: text }))]));
  const fields = () => filters.replaceChildren(...visible().map((column) => T.el("td", {}, inputs.get(column))));

  const search = T.el("input", { type: "search", placeholder: words.example, oninput: T.table.later(() => T.state.set({ q: search.value })) });
  const clear = T.el("button", { type: "button", onclick: () => {
    T.state.set({ q: "", ...Object.fromEntries(columns.map((column) => [filterKey(column), ""])) });
    search.focus();
  } }, "Clear filters");
  const boxes = columns.map((column) => T.el("label", {}, T.el("input", { type: "checkbox", value: column.key, onchange: () => {
    const kept = boxes.map((label) => label.firstChild).filter((one) => one.checked).map((one) => one.value);
    T.state.set({ cols: kept.length === columns.length ? "" : kept.join() });
  } }), column.title));
  const chooser = T.el("details", { class: "chooser" }, T.el("summary", {}, "Columns"), T.el("fieldset", {}, T.el("legend", { class: "unseen" }, "Columns that are shown"), ...boxes));
  const save = T.el("button", { type: "button", onclick: () => T.table.download(T.table.csv(current.shown, visible())) }, "Download CSV");
  place.append(T.el("div", { class: "controls" }, T.el("label", { class: "menu" }, T.el("span", {}, "search"), search), count, clear, save, chooser), trouble, box, note);

  const show = () => {
    current = asked();
    const kept = visible();
    for (const [column, input] of inputs) {
      if (input !== document.activeElement || T.state.get(filterKey(column)) === "") input.value = T.state.get(filterKey(column));
      const bad = T.state.get(filterKey(column)) && !T.table.test(column, T.state.get(filterKey(column)));
      input.toggleAttribute("aria-invalid", Boolean(bad));
    }
    if (search !== document.activeElement || !T.state.get("q")) search.value = T.state.get("q");
    for (const label of boxes) label.firstChild.checked = kept.some((column) => column.key === label.firstChild.value);
    count.value = current.filtered ? `${current.shown.length} of ${rows.length} cells` : `${rows.length} cells`;
    clear.hidden = !current.filtered;
    trouble.textContent = current.problems.join(" ") || (current.shown.length ? "" : "No cell is all of this.");
    body.replaceChildren();
    box.scrollTop = 0;
    fill(CHUNK);
  };
  const lay = () => {
    heads();
    fields();
    show();
  };

  T.table.keys(body, (row) => T.show(row.workload, row.index));
  hint.append(" Filters take 0.1, >0.1, <=5 or 0.01..0.1.");
  T.state.on(["q", ...columns.map(filterKey)], show);
  T.state.on(["sort", "cols"], lay);
  // On paper: as many rows as can be read, whatever was scrolled to.
  let before = 0;
  window.addEventListener("beforeprint", () => {
    before = body.rows.length;
    const many = current.shown.length;
    note.textContent = many > PRINTED ? `The first ${PRINTED} of ${many.toLocaleString("en")} cells; the page itself has all.` : "";
    if (before < PRINTED) fill(PRINTED);
  });
  window.addEventListener("afterprint", () => {
    [...body.rows].slice(before).forEach((row) => row.remove());
    more.hidden = body.rows.length >= current.shown.length;
  });
  lay();
};

const CHUNK = 60; // rows that are made at once
const PRINTED = 200; // style/table.css hides the others on paper

// Every column with how it reads a row: its value, its words, what it sorts by, what a filter compares.
T.table.columns = () => T.study.columns.map((about) => {
  const { key, kind } = about;
  const value = ({ workload, index }) => {
    if (key === "workload") return workload.name;
    const column = workload.cells[key];
    if (column === undefined) return null;
    return key in workload.axes ? workload.axes[key][column[index]] : column[index];
  };
  const also = (name) => ({ workload, index }) => workload.cells[name]?.[index] ?? null;
  const std = also(`${key}_std`);
  const [reached, seeds, diverged, failed] = ["reached", "seeds", "diverged", "failed"].map(also);
  const plus = (row, write, spread) => {
    const [mean, deviation] = [value(row), std(row)];
    return mean === null ? "–" : write(mean) + (deviation === null ? "" : ` ± ${spread(deviation)}`);
  };
  const share = ({ workload }) => workload.metric.unit === "fraction";
  const score = (row, digits) => (one) => (share(row) ? T.score(one, row.workload, false) : T.number(one, digits));
  const lost = (row) => [["diverged", diverged(row)], ["failed", failed(row)]].filter(([, many]) => many);
  const texts = {
    number: (row) => T.number(value(row)),
    score: (row) => plus(row, score(row, 3), score(row, 2)),
    loss: (row) => plus(row, (one) => T.number(one), (one) => T.number(one, 2)),
    status: (row) => lost(row).map(([word, many]) => `${word} ${many}/${seeds(row)}`).join(", ") || value(row),
    steps: (row) => (value(row) === null ? "not reached" + (reached(row) ? ` (${reached(row)}/${seeds(row)})` : "") : `${value(row)} (${reached(row)}/${seeds(row)})`),
    change: (row) => (value(row) === null ? "–" : (value(row) < 0 ? "−" : value(row) > 0 ? "+" : "") + T.number(Math.abs(value(row)))),
    seconds: (row) => (also("step_time")(row) === null ? "not measured here" : T.seconds(value(row))),
  };
  // A number as it is read off the table, so that what stands there can be typed.
  const read = {
    score: (row, one) => (share(row) ? Number(T.fixed(100 * one, 1)) : Number(one.toPrecision(3))),
    size: (_, one) => one,
    steps: (_, one) => one,
  }[kind] ?? ((_, one) => Number(one.toPrecision(3)));
  const numeric = ["number", "size", "score", "loss", "steps", "seconds", "change"].includes(kind);
  const spoken = { status: (row) => [value(row) === "ok" && failed(row) ? "" : value(row), ...lost(row).map(([word]) => word)],
    verdict: (row) => (value(row) === "take" ? ["take", "may be best"] : [value(row)]) }[kind] ?? ((row) => [String(value(row) ?? "")]);
  return {
    ...about,
    numeric,
    value,
    text: texts[kind] ?? ((row) => String(value(row) ?? "–")),
    sort: kind === "verdict" ? (row) => ({ take: 0, "may be best": 1 }[value(row)] ?? null) : value,
    look: (row) => (numeric ? "n" : kind === "status" ? `s ${value(row) === "ok" && failed(row) ? "failed" : value(row)}` : kind === "said" ? `s ${value(row)}` : kind === "digest" ? "digest" : ""),
    says: spoken, // the words that a filter by words finds the row by
    // A number as one types it (in percent of shares), exact and as it is shown.
    numbers: (row) => {
      const one = value(row);
      return one === null ? null : [kind === "score" && share(row) ? 100 * one : one, read(row, one)];
    },
    exact: { score: [key, `${key}_std`], loss: [key, `${key}_std`], steps: [key, "reached", "seeds"], status: [key, "seeds", "diverged", "failed"] }[kind] ?? [key],
  };
});

// Unknown values are last either way.
T.table.compare = (a, b, sign) => {
  if (a === null || b === null) return (a === null) - (b === null);
  return sign * (typeof a === "number" ? a - b : T.table.collator.compare(a, b));
};
T.table.collator = new Intl.Collator("en", { numeric: true, sensitivity: "base" });

const UNITS = { "": 1, "%": 1, k: 1e3, m: 1e6, "µs": 1e-6, us: 1e-6, ms: 1e-3, s: 1, min: 60, h: 3600 };
const AMOUNT = String.raw`([-−]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?)\s*(%|k|m|µs|us|ms|s|min|h)?`;
const amount = (digits, unit) => Number(digits.replace("−", "-")) * UNITS[(unit ?? "").toLowerCase()];

// What a filter text asks of a row: a function, or null where it cannot be read.
T.table.test = (column, text) => {
  const wanted = text.trim().toLowerCase();
  if (!column.numeric) return column.kind === "digest" ? (row) => column.value(row).startsWith(wanted) : (row) => column.says(row).some((one) => one.toLowerCase() === wanted);
  if (wanted === "none") return (row) => column.value(row) === null;
  const tests = wanted.split(",").map((part) => T.table.range(part.trim()));
  if (tests.some((test) => test === null)) return null;
  return (row) => {
    const numbers = column.numbers(row);
    return numbers !== null && tests.some((test) => test(...numbers));
  };
};

T.table.range = (text) => {
  const near = (a, b) => Math.abs(a - b) <= 1e-9 * Math.abs(b);
  const between = text.match(new RegExp(`^${AMOUNT}\\s*(?:\\.\\.|…|–)\\s*${AMOUNT}$`, "i"));
  if (between) {
    const ends = [amount(between[1], between[2] ?? between[4]), amount(between[3], between[4])];
    const [low, high] = ends.sort((a, b) => a - b);
    const within = (one) => (one >= low && one <= high) || near(one, low) || near(one, high);
    return (exact, shown) => within(exact) || within(shown);
  }
  const single = text.match(new RegExp(`^(<=|>=|≤|≥|<|>|=)?\\s*${AMOUNT}$`, "i"));
  if (!single) return null;
  const bound = amount(single[2], single[3]);
  const same = (exact, shown) => near(exact, bound) || near(shown, bound);
  return {
    "<": (exact, shown) => exact < bound && !same(exact, shown),
    ">": (exact, shown) => exact > bound && !same(exact, shown),
    "<=": (exact, shown) => exact < bound || same(exact, shown),
    ">=": (exact, shown) => exact > bound || same(exact, shown),
  }[{ "≤": "<=", "≥": ">=" }[single[1]] ?? single[1]] ?? same;
};

// Every whole value that a word of the search may be, by column; and an example of a search.
T.table.words = (columns, rows) => {
  const known = new Map();
  const [sizes, rates] = ["batch_size", "lr"].map((key) => columns.find((column) => column.key === key));
  for (const column of columns.filter((one) => !one.numeric && one.kind !== "digest")) {
    const found = new Set(rows.flatMap(column.says).filter(Boolean));
    for (const word of found) known.set(word.toLowerCase(), [...(known.get(word.toLowerCase()) ?? []), column]);
  }
  const [best] = rows;
  const optimizer = columns.find((column) => column.key === "optimizer");
  const example = `${optimizer.text(best)} lr ${rates.text(best)} batch ${sizes.text(best)}`;
  return { known, sizes, rates, example };
};

// What a search asks: “adam lr 0.1 batch 64”. Words of one column are alternatives, columns add up.
T.table.search = (text, columns, { known, sizes, rates }) => {
  const spaced = text.toLowerCase().replace(/\s*(<=|>=|[<>≤≥])\s*/g, " $1").replace(/(?<![<>])=|[:"“”]/g, " ");
  const parts = spaced.split(/\s+/).filter(Boolean);
  const titles = new Map(columns.map((column) => [column.title, column]));
  const longest = (from, names) => {
    for (let end = parts.length; end > from; end--) if (names.has(parts.slice(from, end).join(" "))) return end;
    return from;
  };
  const digests = columns.find((column) => column.kind === "digest");
  const groups = new Map(); // by what they are about, alternative tests
  const problems = [];
  const add = (about, test) => groups.set(about, [...(groups.get(about) ?? []), test]);
  for (let at = 0; at < parts.length; ) {
    const value = longest(at, known);
    const title = longest(at, titles);
    const word = parts.slice(at, Math.max(value, at + 1)).join(" ");
    if (title > at && title < parts.length) {
      const column = titles.get(parts.slice(at, title).join(" "));
      const end = column.numeric ? title + 1 : Math.max(longest(title, known), title + 1);
      const wanted = parts.slice(title, end).join(" ");
      const test = T.table.test(column, wanted);
      if (test) add(column, test);
      else problems.push(`“${wanted}” is no ${column.title}.`);
      at = end;
    } else if (value > at) {
      const found = known.get(word);
      add(found.map((column) => column.key).join(), (row) => found.some((column) => T.table.test(column, word)(row)));
      at = value;
    } else if (T.table.range(word)) {
      add("number", (row) => [sizes, rates].some((column) => T.table.test(column, word)(row)));
      at += 1;
    } else if (digests && /^[0-9a-f]{4,12}$/.test(word)) {
      add("digest", T.table.test(digests, word));
      at += 1;
    } else {
      const near = [...known.keys()].filter((name) => name.startsWith(word)).sort().slice(0, 4);
      if (title > at) problems.push(`Which ${word}? Write “${word} 0.1” or the like.`);
      else problems.push(`No cell has “${word}”${near.length ? `; there is ${near.join(", ")}` : ""}.`);
      at += 1;
    }
  }
  return { problems, tests: [...groups.values()].map((tests) => (row) => tests.some((test) => test(row))) };
};

// The filter of a column: a menu where there are few values, else a field.
T.table.input = (column, onchange) => {
  const label = `Filter ${column.title}`;
  if ((column.numeric && column.kind !== "size") || column.kind === "digest") {
    const title = column.numeric ? "0.1, >0.1, <=5, 0.01..0.1, none" : "how it begins";
    const input = T.el("input", { type: "text", size: 6, "aria-label": label, title, oninput: T.table.later(() => onchange(input.value)) });
    return input;
  }
  const found = new Set();
  for (const workload of T.study.workloads) {
    if (column.key === "workload") found.add(workload.name);
    else if (column.key in workload.axes) workload.axes[column.key].forEach((one) => found.add(String(one)));
    else workload.cells.digest.forEach((_, index) => column.says({ workload, index }).forEach((one) => one && found.add(one)));
  }
  const select = T.el("select", { "aria-label": label, onchange: () => onchange(select.value) }, T.el("option", { value: "" }, "all"));
  for (const one of found) select.append(T.el("option", { value: one }, one));
  return select;
};

// Runs a listener when typing pauses.
T.table.later = (listener) => {
  let timer = 0;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(listener, 120);
  };
};

// Opening cells: a click on a row, or the arrow keys and Enter.
// One row's button is in the order of the Tab key; arrows move on.
T.table.reach = (body, row) => {
  for (const other of body.querySelectorAll('.open[tabindex="0"]')) other.tabIndex = -1;
  const button = row?.querySelector(".open");
  if (button) button.tabIndex = 0;
  return button;
};
T.table.keys = (body, open) => {
  body.addEventListener("click", (event) => {
    const line = event.target.closest("tr");
    if (line?.row && String(getSelection()) === "") open(line.row);
  });
  body.addEventListener("keydown", (event) => {
    const line = event.target.closest("tr");
    const next = { ArrowDown: line?.nextElementSibling, ArrowUp: line?.previousElementSibling, Home: body.firstElementChild, End: body.lastElementChild }[event.key];
    if (!next) return;
    event.preventDefault();
    T.table.reach(body, next)?.focus();
  });
};

// The first columns stay in sight: says how far from the left each of them is.
T.table.stick = (table) => {
  let left = 0;
  for (const [k, head] of [...table.tHead.rows[0].cells].slice(0, 3).entries()) {
    table.style.setProperty(`--left${k}`, `${left}px`);
    left += head.offsetWidth;
  }
};

// The rows as CSV, with the names of summary.csv and its values to five digits.
T.table.csv = (rows, columns) => {
  const names = [...new Set(columns.flatMap((column) => column.exact))].filter((name) => columns.some((column) => column.key === name) || T.study.workloads.some((own) => own.has(name)));
  const read = (name) => columns.find((column) => column.key === name)?.value ?? (({ workload, index }) => workload.cells[name]?.[index]);
  const readers = names.map(read);
  const quoted = (value) => {
    const text = String(value ?? "");
    return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  const lines = [names.map((name) => T.study.names[name] ?? name), ...rows.map((row) => readers.map((reader) => reader(row)))];
  return lines.map((line) => line.map(quoted).join(",") + "\r\n").join("");
};
T.table.download = (text) => {
  const address = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  T.el("a", { href: address, download: `${T.study.name}-cells.csv` }).click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
  T.say("Saved as CSV");
};
