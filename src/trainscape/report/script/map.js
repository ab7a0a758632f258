// The map: one part of the grid as a table of coloured fields, and menus for which part and what it shows.
// Python decides which values have which colour (report/_map.py); style/map.css has the colours.

T.map = () => {
  for (const [workload, place] of T.places("map")) T.map.make(workload, place);
};

// What a field shows: {text, note, look, words}; `look` are classes of style/map.css.
T.map.fields = (workload) => {
  const { cells, map, trials } = workload;
  const seedsOf = (i) => cells.seeds[i];
  const lost = (i) => (cells.diverged?.[i] ?? 0) + (cells.failed?.[i] ?? 0);
  const value = (i, measure) => (measure.kind === "lost" ? lost(i) / seedsOf(i) : cells[measure.kind]?.[i] ?? null);

  const told = (found, measure, i) => {
    if (measure.words === "score") return T.score(found, workload, false);
    if (measure.words === "seconds") return T.seconds(found);
    if (measure.words === "seeds") return `${lost(i)}/${seedsOf(i)}`;
    return T.number(found);
  };
  const spread = (i, measure) => {
    if (measure.kind === "steps" || measure.kind === "time") {
      const reached = cells.reached[i];
      return reached < seedsOf(i) ? `${reached}/${seedsOf(i)}` : "";
    }
    const found = cells[`${measure.kind}_std`]?.[i] ?? null;
    if (found === null) return "";
    return "±" + T.map.deviation(found, workload, measure.words === "score");
  };
  const level = (found, measure) => {
    const above = measure.bounds.filter((bound) => bound <= found).length;
    return measure.better === "max" ? above : measure.bounds.length - above;
  };

  // A cell by itself.
  const own = (i, measure) => {
    if (i === undefined) return { text: "", note: "", look: "none", words: map.searched ? "not trained" : "not in the grid" };
    const found = value(i, measure);
    const text = found === null ? "" : told(found, measure, i);
    if (cells.status[i] === "oom") return { text: "oom", note: "", look: "lost", words: "out of memory" };
    if (measure.kind !== "lost") {
      const count = `${lost(i)}/${seedsOf(i)}`;
      if (cells.diverged?.[i]) {
        return { text: `div ${cells.diverged[i]}/${seedsOf(i)}`, note: text, look: "lost", words: `${cells.diverged[i]} of ${seedsOf(i)} seeds diverged` };
      }
      if (found === null && measure.kind === "time" && cells.step_time?.[i] == null) return { text: "not measured", note: "", look: "lost plain", words: "not measured" };
      if (lost(i) === seedsOf(i)) return { text: `fail ${count}`, note: text, look: "lost", words: `no seed is better than chance${text ? `, ${text}` : ""}` };
      if (found === null) {
        const reached = cells.reached?.[i];
        return { text: "not reached", note: reached ? `${reached}/${seedsOf(i)}` : "", look: "lost plain", words: "not reached" };
      }
      if (lost(i)) return { text, note: `fail ${count}`, look: `v${level(found, measure)} few`, value: found, words: `${text}, ${count} seeds no better than chance` };
    }
    const note = measure.kind === "lost" ? "" : spread(i, measure);
    return { text, note, look: `v${level(found, measure)}`, value: found, words: `${text} ${note}`.trim() };
  };

  // The values of a measure seed by seed; null where only the whole cell has one.
  const bySeed = (i, measure) => {
    const name = { val: "val", test: "test", loss: "loss", steps: "to_target", time: "to_target" }[measure.kind];
    const found = name && trials[name][i];
    if (!found?.length || found.includes(null)) return null;
    return measure.kind === "time" ? found.map((steps) => steps * cells.step_time[i]) : found;
  };
  const mean = (values) => values.reduce((sum, one) => sum + one, 0) / values.length;

  // How a cell differs from another one, seed by seed: {by, low, high}, in logarithms if by ratio.
  const apart = (i, other, measure) => {
    const take = measure.apart === "ratio" ? Math.log : (one) => one;
    const [ours, theirs] = [bySeed(i, measure), bySeed(other, measure)];
    if (ours && theirs && ours.length === theirs.length) {
      const by = ours.map((one, k) => take(one) - take(theirs[k]));
      const middle = mean(by);
      if (by.length < 2 || !Number.isFinite(middle)) return { by: middle };
      const half = map.t[by.length] * Math.sqrt(mean(by.map((one) => (one - middle) ** 2)) / (by.length - 1));
      return { by: middle, low: middle - half, high: middle + half };
    }
    const [a, b] = [value(i, measure), value(other, measure)];
    return a === null || b === null ? null : { by: take(a) - take(b) };
  };

  const written = (by, measure, i) => {
    if (measure.apart === "ratio") return `×${T.number(Math.exp(by), Math.abs(by) < 0.1 ? 3 : 2)}`;
    const sign = by < 0 ? "−" : "+";
    if (measure.words === "seeds") return `${by ? sign : ""}${Math.abs(Math.round(by * seedsOf(i)))}/${seedsOf(i)}`;
    return measure.apart === "points" ? T.signed(by, workload) : (by ? sign : "") + T.number(Math.abs(by), 2);
  };

  // A cell against another one. `limit` is the difference that has the last colour.
  const against = (i, other, measure, limit) => {
    const plain = own(i, measure);
    if (i === undefined) return plain;
    if (other === undefined) return { text: "–", note: "", look: "lost plain", words: "nothing to compare with" };
    const found = i === other ? null : apart(i, other, measure);
    if (i === other) return { text: "itself", note: "", look: "lost plain", words: "the setting that is compared with" };
    if (!found || !Number.isFinite(found.by)) {
      const reason = plain.value === undefined ? plain : own(other, measure);
      return { ...reason, note: plain.value === undefined ? reason.note : "there", look: "lost" };
    }
    const good = measure.better === "max" ? found.by : -found.by;
    // by the root, so that a quarter of the largest difference has half of the colours
    const step = limit ? Math.round(5 * Math.sign(good) * Math.sqrt(Math.min(1, Math.abs(good) / limit))) : 0;
    const few = measure.kind !== "lost" && [i, other].some((one) => lost(one) === seedsOf(one)) ? " few" : "";
    const failed = few && ", one of the two is no better than chance";
    const text = written(found.by, measure, i);
    if (measure.kind === "lost") return { text, note: "", look: `d${5 + step}`, good, words: `${text} seeds` }; // counts, as they are
    if (found.low === undefined) return { text: `${text}?`, note: "", look: `unsure${few}`, good, words: `${text}, no interval${failed}` };
    const span = `${written(found.low, measure, i)} to ${written(found.high, measure, i)}`;
    const clear = found.low > 0 || found.high < 0;
    const words = `${text} (${span}), ${clear ? (good > 0 ? "better" : "worse") : "not told apart"}${failed}`;
    const half = (found.high - found.low) / 2;
    const note = measure.apart === "ratio" ? "" : `±${written(half, measure, i).replace("+", "")}`;
    return clear ? { text, note, look: `d${5 + step}${few}`, good, clear, words } : { text: `${text}?`, note, look: `unsure${few}`, good, words };
  };

  // The cell that a cell is compared with: "o:adam", "s:cosine", or "t", the setting to take.
  const partner = (vs) => {
    const name = vs.slice(2);
    const taken = workload.found.chosen && workload.byDigest.get(workload.found.chosen.digest);
    return (i) => {
      const at = { o: workload.axes.optimizer.indexOf(name), s: workload.axes.schedule.indexOf(name) }[vs[0]];
      if (i === undefined || vs[0] === "t") return i === undefined ? undefined : taken;
      const [o, s] = vs[0] === "o" ? [at, cells.schedule[i]] : [cells.optimizer[i], at];
      return workload.at(o, cells.batch_size[i], cells.lr[i], s);
    };
  };

  // The difference that has the last colour: nine of ten are below it, of cells that learned anything.
  const limit = (measure, of) => {
    const sizes = [];
    for (let i = 0; i < workload.count; i++) {
      const other = of(i);
      const usual = other !== undefined && other !== i && (measure.kind === "lost" || (!lost(i) && !lost(other)));
      const found = usual ? apart(i, other, measure) : null;
      if (found && Number.isFinite(found.by)) sizes.push(Math.abs(found.by));
    }
    sizes.sort((a, b) => a - b);
    return sizes[Math.floor(0.9 * (sizes.length - 1))] || sizes.at(-1) || 0;
  };

  const marks = (i) => ({ take: " tied take", "may be best": " tied" })[cells.verdict[i]] ?? "";

  return {
    value,
    told,
    // What draws every field of the maps of a measure, compared or not: i => field.
    drawer: (measure, vs) => {
      if (!vs) return { field: (i) => own(i, measure) };
      const of = partner(vs);
      const most = limit(measure, of);
      return { most, field: (i) => against(i, of(i), measure, most) };
    },
    // A difference in words.
    apart: (by, measure) => written(by, measure, 0),
    marks,
  };
};

// A standard deviation: of a share in its digits, else two, since it is itself uncertain.
T.map.deviation = (value, workload, judged) =>
  judged && workload.metric.unit === "fraction" ? T.score(value, workload, false) : T.number(value, 2);

T.map.make = (workload, place) => {
  const { axes, cells, map, found } = workload;
  const fields = T.map.fields(workload);
  const taken = workload.byDigest.get(found.chosen?.digest);
  const opening = { ...(found.chosen?.cell ?? workload.cell(0)), digest: cells.digest[taken] };
  const measures = map.measures.map((one) => [one.kind, one.title]);
  const rivals = [
    ["", "nothing"],
    ...(found.chosen ? [["t", "the setting to take"]] : []),
    ...(axes.optimizer.length > 1 ? axes.optimizer.map((name) => [`o:${name}`, name]) : []),
    ...(axes.schedule.length > 1 ? axes.schedule.map((name) => [`s:${name}`, name]) : []),
  ];
  T.state.standard({ [`m:${workload.name}`]: map.measures[0].kind, [`vs:${workload.name}`]: "" });

  const hint = (event, i) => {
    if (i === undefined) return T.charts.hint(event, null);
    const { measure, vs } = chosen();
    const lines = { [`${part(i)}, ${setting(i)}`]: "", [measure.title]: fields.drawer(measure, "").field(i).words };
    if (vs) lines[against(vs)] = now.field(i).words;
    if (cells.verdict[i]) lines.verdict = cells.verdict[i];
    return T.charts.hint(event, lines);
  };
  const more = [["colour", measures, "m"], ["compare with", rivals, "vs"]];
  const facets = T.grid.facets(workload, place, { opening, more, hint });
  const { grid, legend, menus, key, count } = facets;

  // No cell is compared with itself.
  const itself = () => facets.shown().map((at, k) => `${"os"[k]}:${axes[["optimizer", "schedule"][k]][at]}`);
  // What the map shows, from the address; what the address has wrong is as if it were not there.
  const chosen = () => {
    const [kind, vs] = ["m", "vs"].map((name) => T.state.get(key(name)));
    const known = rivals.some(([value]) => value === vs) && !itself().includes(vs);
    return { measure: map.measures.find((one) => one.kind === kind) ?? map.measures[0], vs: known ? vs : "" };
  };

  const setting = (i) => `batch ${axes.batch_size[cells.batch_size[i]]}, lr ${T.number(axes.lr[cells.lr[i]])}`;
  const part = (i) => `${axes.optimizer[cells.optimizer[i]]}, ${axes.schedule[cells.schedule[i]]}`;

  // The best cells by what the colour shows, among some; none if the colour shows differences or losses of seeds.
  const every = cells.digest.map((_, i) => i);
  const best = (list, measure, vs) => {
    if (vs || measure.kind === "lost") return [];
    const known = list.filter((i) => i !== undefined && cells.status[i] === "ok" && !cells.failed?.[i] && fields.value(i, measure) !== null);
    const values = known.map((i) => fields.value(i, measure));
    const top = values.reduce((a, b) => (measure.better === "max" ? Math.max(a, b) : Math.min(a, b)), measure.better === "max" ? -Infinity : Infinity);
    return known.filter((_, k) => values[k] === top);
  };

  const against = (vs) => `against ${vs === "t" ? "the setting to take" : vs.slice(2)}`;

  let now = null; // what draws a field
  const draw = () => {
    const { measure, vs } = chosen();
    now = fields.drawer(measure, vs);
    const list = facets.list(...facets.shown());
    const boxed = new Set(best(list, measure, vs));
    const field = (i) => {
      const own = now.field(i);
      const said = [own.words, boxed.has(i) && "best of this map", i !== undefined && cells.verdict[i]].filter(Boolean).join(", ");
      return { ...own, look: `${own.look}${fields.marks(i)}${boxed.has(i) ? " best" : ""}`, words: said };
    };
    const top = new Set(best(every, measure, vs));
    const look = (i) => `${now.field(i).look}${fields.marks(i)}${top.has(i) ? " best" : ""}`;
    facets.draw(`${measure.title}${vs ? `, ${against(vs)}` : ""}`, vs ? differences(measure) : measure.about, field, look);
    explain({ measure, vs }, list, [...boxed]);
    menus.m.value = measure.kind;
    menus.vs.value = vs;
    for (const choice of menus.vs.options) choice.disabled = itself().includes(choice.value);
  };

  const differences = (measure) =>
    ({
      points: measure.words === "seeds" ? "seeds more or fewer" : "difference in points ± half a 95% interval over paired seeds",
      ratio: "ratio of the two, over paired seeds",
      difference: "difference",
    })[measure.apart];

  // The colour bar, the signs that occur, and in words what the box marks or what differs.
  const explain = ({ measure, vs }, list, boxed) => {
    const levels = Array.from({ length: vs ? 11 : measure.bounds.length + 1 }, (_, k) => `${vs ? "d" : "v"}${k}`);
    const good = measure.better === "max" ? now.most : -now.most;
    const ticks = vs ? [-1, -0.25, 0, 0.25, 1].map((share) => fields.apart(share * good, measure)) : measure.ticks;
    const looks = grid.looks();
    const has = (name) => looks.some((look) => look.contains(name));
    const signs = [
      has("best") && T.grid.sign("best", "best by the colour"),
      has("tied") && T.grid.sign("tied", "may be the best"),
      has("take") && T.grid.sign("tied take", "the setting to take"),
      looks.some((look) => look.contains("lost") && !look.contains("plain")) && T.grid.sign("lost", "every seed failed, or one diverged"),
      has("few") && T.grid.sign("few", vs ? "one of the two failed with every seed" : "some seeds failed"),
      has("unsure") && T.grid.sign("unsure", "?: not told apart, or no interval"),
      list.includes(undefined) && T.grid.sign("none", map.searched ? "not trained" : "not in the grid"),
    ].filter(Boolean);
    legend.replaceChildren(T.grid.bar(levels, ticks), T.el("p", { class: "map-signs" }, ...signs), T.el("p", { class: "map-words" }, ...words({ measure, vs }, list, boxed)));
  };

  const words = ({ measure, vs }, list, boxed) => {
    if (vs) {
      const known = list.filter((i) => i !== undefined).map((i) => now.field(i)).filter((field) => field.good !== undefined);
      const better = known.filter((field) => field.clear && field.good > 0).length;
      const worse = known.filter((field) => field.clear && field.good < 0).length;
      if (measure.kind === "lost") {
        const [fewer, more] = [known.filter((field) => field.good > 0).length, known.filter((field) => field.good < 0).length];
        return [`Of ${known.length} cells that can be compared ${fewer} lost fewer seeds, ${more} lost more. These are counts, without an interval.`];
      }
      const apart = measure.kind === "gap" ? " The gap has no interval." : " Each interval holds by itself, not for all fields at once.";
      return [`Of ${known.length} cells that can be compared ${better} are better, ${worse} worse, ${known.length - better - worse} not told apart.${apart}`];
    }
    if (measure.kind === "lost") {
      const clean = list.filter((i) => i !== undefined && fields.value(i, measure) === 0).length;
      return [`${clean} of ${list.filter((i) => i !== undefined).length} cells lost no seed.`];
    }
    if (!boxed.length) return ["No cell of this map has a value."];
    const value = (i) => fields.told(fields.value(i, measure), measure, i) + (measure.words === "score" && workload.metric.unit === "fraction" ? "%" : "");
    const said = [`Boxed: the best of this map by ${measure.title}, ${value(boxed[0])} at ${boxed.length > 1 ? `${boxed.length} settings` : setting(boxed[0])}. `];
    const all = best(every, measure, vs);
    if (all.some((i) => boxed.includes(i))) said.push(count > 1 ? "No other map has a better one." : "");
    else said.push("The best of all maps: ", T.el("button", { type: "button", class: "link", onclick: () => T.open(workload, all[0]) }, `${part(all[0])}, ${setting(all[0])}`), ` (${value(all[0])}).`);
    return said;
  };

  T.state.on(["o", "s", "m", "vs", "all"].map(key), draw);
  draw();
};
