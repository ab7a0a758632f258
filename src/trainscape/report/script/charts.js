// The live charts. A still picture stands in each place; when a reader gets to it, Vega draws in it.

T.charts = (() => {
  const made = new Map(); // by place, a promise of its chart
  const wanted = new Map(); // by workload and kind, what to do when the chart is there
  const tip = T.el("div", { id: "tip", hidden: true });
  let vega = null;

  const runtime = () => {
    vega ??= T.packed("vega").then((source) => {
      document.head.append(T.el("script", {}, source));
      return window.vega;
    });
    return vega;
  };

  const hint = (_, event, item, value) => {
    tip.hidden = value === null || value === undefined || value === "";
    if (tip.hidden) return;
    const lines = typeof value === "object" ? Object.entries(value) : [["", String(value)]];
    tip.replaceChildren(...lines.map(([name, text]) => T.el("div", {}, name ? T.el("span", {}, name + " ") : null, String(text))));
    const box = tip.getBoundingClientRect();
    const left = Math.min(event.pageX + 12, scrollX + document.documentElement.clientWidth - box.width - 4);
    tip.style.transform = `translate(${Math.max(4, left)}px, ${event.pageY + 14}px)`;
  };

  // A chart: {view, set(signals), rows(name, rows), click(listener)}; every change draws anew.
  const build = async (figure) => {
    const { parse, View } = await runtime();
    const plot = figure.querySelector(".plot");
    const spec = T.study.specs[figure.dataset.workload][figure.dataset.kind];
    const view = new View(parse(spec), { renderer: "svg", hover: true });
    const width = () => Math.max(240, Math.floor(plot.clientWidth));
    view.tooltip(hint).width(width()).logLevel(0);
    const live = T.el("div", { class: "live", "aria-hidden": "true" }); // the plot itself is described
    view.initialize(live).hover();
    await view.runAsync();
    // Both at once, for a moment, would move all below, and the browser would scroll: clicks would miss.
    plot.replaceChildren(live);
    let last = width();
    new ResizeObserver(() => {
      if (width() !== last && plot.clientWidth) view.width((last = width())).runAsync();
    }).observe(plot);
    return {
      view,
      figure,
      set: (signals) => {
        for (const [name, value] of Object.entries(signals)) view.signal(name, value);
        return view.runAsync();
      },
      rows: (name, rows) => view.data(name, rows).runAsync(),
      click: (listener) => view.addEventListener("click", (_, item) => item?.datum && listener(item.datum)),
    };
  };

  const start = (figure) => {
    if (!made.has(figure)) {
      const chart = build(figure);
      made.set(figure, chart);
      const name = `${figure.dataset.workload} ${figure.dataset.kind}`;
      chart.then((live) => (wanted.get(name) ?? []).forEach((listener) => listener(live)));
    }
    return made.get(figure);
  };

  return {
    // Draws each chart live when it comes near the screen.
    watch: () => {
      document.body.append(tip);
      const seen = new IntersectionObserver((entries) => {
        for (const entry of entries) {
          if (!entry.isIntersecting) continue;
          seen.unobserve(entry.target);
          start(entry.target);
        }
      }, { rootMargin: "200px" });
      document.querySelectorAll("figure[data-kind]").forEach((figure) => seen.observe(figure));
    },
    // Does something with a chart as soon as it is live.
    when: (workload, kind, listener) => {
      const name = `${workload.name} ${kind}`;
      wanted.set(name, [...(wanted.get(name) ?? []), listener]);
    },
    start,
    // Shows lines beside the pointer: {name: text}; null hides them.
    hint: (event, lines) => hint(null, event, null, lines),
  };
})();
