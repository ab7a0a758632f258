// What every part of the page uses: elements, numbers in words, the data, and the state in the address.
// All scripts of this folder run in one function, in the order of report/_assets.py.
"use strict";

const T = {};

// An element: T.el("td", { class: "n" }, "text", child). A function under "onclick" is a listener.
T.el = (tag, attributes = {}, ...children) => {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
};

// Numbers as trainscape.numerals writes them. Of two that are as near Python takes the even one, where
// toFixed and toExponential take the larger.
const rounded = (value, digits) => {
  const exact = value.toExponential(40);
  const [kept, exponent] = [exact.slice(0, exact.indexOf(".") + digits), exact.slice(exact.indexOf("e"))];
  const rest = exact.slice(kept.length, exact.indexOf("e"));
  const even = "02468".includes(kept.replace(".", "").at(-1));
  return /^50*$/.test(rest) && even ? Number(kept + exponent) : Number(value.toExponential(digits - 1));
};
const power = (value) => Number(value.toExponential(40).split("e")[1]);

T.fixed = (value, decimals) => {
  const digits = power(value) + 1 + decimals;
  return (digits > 0 ? rounded(value, digits) : value).toFixed(decimals);
};

// Three digits; powers of ten where they are shorter, a whole part below 10,000 in full.
T.number = (value, digits = 3) => {
  if (value === null || value === undefined) return "–";
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "nan" : value < 0 ? "-inf" : "inf";
  const short = rounded(value, digits);
  if (short === 0) return "0";
  const size = Math.abs(short);
  if (size < 1e-3 || size >= 1e9) return short.toExponential().replace("e+", "e");
  if (size < 1e4) return size >= 1000 || digits <= power(short) ? T.fixed(value, 0) : String(short);
  const [unit, suffix] = size >= 1e6 ? [1e6, "M"] : [1e3, "k"];
  return String(Number(T.fixed(short / unit, digits))) + suffix;
};

// A share in percent; a user's metric may be one by name alone, and large.
const percent = (share) => (Math.abs(100 * share) < 1e4 ? T.fixed(100 * share, 1) : T.number(100 * share));

// A value of the workload's metric: a share in percent with one decimal, else three digits.
T.score = (value, workload, unit = true) => {
  if (value === null || value === undefined) return "–";
  const metric = workload.metric;
  if (metric.unit === "fraction") return percent(value) + (unit ? "%" : "");
  return T.number(value) + (unit && metric.unit ? " " + metric.unit : "");
};

// A difference of the metric with its sign, which zero has not; of shares in points.
T.signed = (value, workload, digits = 3) => {
  const size = Math.abs(value);
  const text = workload.metric.unit === "fraction" ? percent(size) : T.number(size, digits);
  return (/[1-9a-z]/.test(text) ? (value < 0 ? "−" : "+") : "") + text;
};

// Seconds in a fitting unit: the first whose bound they are below.
T.seconds = (value) => {
  if (value === null || value === undefined) return "–";
  const units = [[1e-3, 1e-6, "µs"], [1, 1e-3, "ms"], [100, 1, "s"], [6000, 60, "min"]];
  const [, size, unit] = units.find(([bound]) => Math.abs(value) < bound) ?? [Infinity, 3600, "h"];
  return `${T.number(value / size)} ${unit}`;
};

const unpacked = async (id) => {
  const bytes = Uint8Array.from(atob(document.getElementById(id).textContent), (c) => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).text();
};

T.packed = unpacked;

// The page's data: T.study, as report/_data.py writes it, with cells as objects that know their place.
T.load = async () => {
  T.study = JSON.parse(await unpacked("data"));
  for (const workload of T.study.workloads) {
    const { axes, cells } = workload;
    workload.has = (column) => column in cells;
    workload.count = cells.digest.length;
    // A cell by its number: axes in words, every other column as it is.
    workload.cell = (i) => {
      const found = { index: i };
      for (const [name, column] of Object.entries(cells)) found[name] = name in axes ? axes[name][column[i]] : column[i];
      return found;
    };
    workload.byDigest = new Map(cells.digest.map((digest, i) => [digest, i]));
    // A finalist has another digest on its fresh seeds: it is the same setting.
    for (const [digest, { digest: fresh }] of Object.entries(workload.confirmed)) {
      workload.byDigest.set(fresh, workload.byDigest.get(digest));
    }
    const name = (i) => [cells.optimizer[i], cells.batch_size[i], cells.lr[i], cells.schedule[i]].join();
    const places = new Map(cells.digest.map((_, i) => [name(i), i]));
    // The number of the cell with these values; undefined where none was trained.
    workload.index = (cell) => {
      const at = (axis) => axes[axis].indexOf(cell[axis]);
      return workload.at(at("optimizer"), at("batch_size"), at("lr"), at("schedule"));
    };
    // The number of the cell at these places on the axes; undefined where none was trained.
    workload.at = (optimizer, batch, lr, schedule) => places.get([optimizer, batch, lr, schedule].join());
  }
};

// What is chosen on the page stands in the address: a link shows the same. {o: "adam", cell: "3a90…"}
T.state = (() => {
  const defaults = {};
  const possible = {};
  const listeners = [];
  const hash = location.hash.slice(1);
  let chosen = Object.fromEntries(new URLSearchParams(hash.includes("=") ? hash : ""));
  const write = () => {
    const kept = Object.entries(chosen).filter(([name, value]) => value !== defaults[name] && value !== "");
    history.replaceState(null, "", "#" + new URLSearchParams(kept));
  };
  const tell = (names) => {
    for (const [wanted, listener] of listeners) if (wanted.some((name) => names.includes(name))) listener();
  };
  window.addEventListener("hashchange", () => {
    const text = location.hash.slice(1);
    if (!text.includes("=")) return; // a section's own anchor
    const before = chosen;
    chosen = Object.fromEntries(new URLSearchParams(text));
    tell([...new Set([...Object.keys(before), ...Object.keys(chosen)])]);
    T.state.doubt();
  });
  return {
    get: (name) => chosen[name] ?? defaults[name],
    given: (name) => chosen[name], // what the address says, if anything
    // What is chosen where the address says nothing; of some names also all that may be chosen.
    standard: (values, choices = {}) => {
      Object.assign(defaults, values);
      Object.assign(possible, choices);
    },
    // Says what an address asks for that is not on the page. Whoever reads it falls back by itself.
    doubt: () => {
      const odd = Object.entries(possible).filter(([name, values]) => name in chosen && !values.includes(chosen[name]));
      if (odd.length) T.say(`Not on this page: ${odd.map(([name]) => `${name.split(":")[0]} “${chosen[name]}”`).join(", ")}`);
    },
    set: (values) => {
      const changed = Object.keys(values).filter((name) => String(values[name]) !== String(T.state.get(name) ?? ""));
      for (const name of changed) chosen[name] = String(values[name]);
      if (changed.length) {
        write();
        tell(changed);
      }
    },
    on: (names, listener) => listeners.push([names, listener]),
  };
})();

// The workload that is shown.
T.workload = () => T.study.workloads.find((own) => own.name === T.state.get("w")) ?? T.study.workloads[0];

// The part of the page that shows a workload.
T.panel = (workload) => document.querySelector(`[data-panel="${CSS.escape(workload.name)}"]`);

// The map of a workload, in which its cells open; null where there is none.
T.atlas = (workload) => T.panel(workload).querySelector('[data-part="map"]');

// A cell in words.
T.called = (workload, index) => {
  const { optimizer, batch_size, lr, schedule } = workload.cell(index);
  return `${optimizer}, batch ${batch_size}, lr ${T.number(lr)}, ${schedule}`;
};

// Opens a cell, from wherever: the map goes to where it lies. No cell, or no map, opens nothing.
T.open = (workload, index) => {
  if (index === undefined || !T.atlas(workload)) return;
  const own = workload.cell(index);
  const key = (name) => `${name}:${workload.name}`;
  T.state.set({ w: workload.name, [key("o")]: own.optimizer, [key("s")]: own.schedule, [key("cell")]: own.digest });
};

// Opens a cell and leads the reader to the map; the browser's Back leads to where they were.
T.show = (workload, index) => {
  const map = T.atlas(workload);
  if (!map) return;
  history.pushState(null, "", location.href);
  T.open(workload, index);
  map.scrollIntoView();
  map.setAttribute("tabindex", "-1");
  map.focus({ preventScroll: true });
  T.say(`Opened ${T.called(workload, index)} in the map`);
};

// The element of a part of the page, one for each workload that has it.
T.places = function* (kind) {
  for (const workload of T.study.workloads) {
    const place = T.panel(workload).querySelector(`[data-part="${kind}"]`);
    if (place) yield [workload, place];
  }
};

// Says something to a screen reader, and shows it for a moment.
T.say = (words) => {
  const place = document.getElementById("said");
  place.textContent = words;
  place.classList.add("shown");
  clearTimeout(T.say.timer);
  T.say.timer = setTimeout(() => place.classList.remove("shown"), 2500);
};

T.copy = async (text, what) => {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = T.el("textarea", { class: "away" });
    area.value = text; // where the page is a file, some browsers have no clipboard for it
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  T.say(`Copied ${what}`);
};

// A menu: T.menu("optimizer", ["sgd", "adam"], "adam", (value) => …) gives a label with a select.
T.menu = (label, choices, chosen, onchange) => {
  const select = T.el("select", { onchange: () => onchange(select.value) });
  for (const choice of choices) {
    const [value, words] = Array.isArray(choice) ? choice : [choice, String(choice)];
    select.append(T.el("option", { value, selected: String(value) === String(chosen) }, words));
  }
  return T.el("label", { class: "menu" }, T.el("span", {}, label), select);
};
