// The page of changes: its map, and what a click on a mean shift or a verdict does.

T.changes = () => {
  for (const [workload, place] of T.places("map")) T.changes.map(workload, place);
  document.querySelectorAll("a[data-verdict]").forEach((link) => link.addEventListener("click", () => {
    T.state.set({ "f:verdict": link.dataset.verdict, "f:workload": T.study.workloads.length > 1 ? link.dataset.of : "" });
  }));
};

T.changes.map = (workload, place) => {
  const { cells, map } = workload;
  const hint = (event, i) => T.charts.hint(event, i === undefined ? null : { [T.called(workload, i)]: "", change: cells.words[i] });
  const facets = T.grid.facets(workload, place, { opening: map.opening, hint });
  const { key, opened, legend } = facets;
  const told = T.el("p", { class: "map-told", role: "status" });
  place.querySelector(".map-view").after(told);

  const field = (i) => (i === undefined ? { text: "", note: "", look: "none", words: "in neither version" } : { ...cells.field[i], words: cells.words[i] });
  const draw = () => {
    facets.draw(`change of test ${workload.metric.name}`, map.about, field, (i) => field(i).look);
    const list = facets.list(...facets.shown());
    const has = (look) => list.some((i) => field(i).look === look);
    const signs = [
      has("same") && T.grid.sign("same", "the same"),
      has("unsure") && T.grid.sign("unsure", "?: undecided"),
      has("lost") && T.grid.sign("lost", "in one version alone"),
      has("none") && T.grid.sign("none", "in neither"),
    ].filter(Boolean);
    const count = (verdict) => list.filter((i) => i !== undefined && cells.verdict[i] === verdict).length;
    const known = list.filter((i) => i !== undefined).length;
    const words = `Of ${known} ${known === 1 ? "cell" : "cells"} here ${count("better")} are better, ${count("worse")} worse, ${count("undecided")} undecided. Verdicts allow for how many cells are looked at; the interval of a cell holds by itself.`;
    const bar = map.ticks.length ? [T.grid.bar(Array.from({ length: 11 }, (_, k) => `d${k}`), map.ticks)] : [];
    legend.replaceChildren(...bar, T.el("p", { class: "map-signs" }, ...signs), T.el("p", {}, words));
  };
  const tell = () => {
    const i = opened();
    told.textContent = i === undefined ? "" : `${T.called(workload, i)}: ${cells.words[i]}`;
  };
  T.charts.when(workload, "shifts", (chart) => chart.click((row) => {
    const name = { optimizer: "o", schedule: "s" }[row.axis];
    if (name) T.state.set({ [key(name)]: row.value });
    if (name) T.say(`The map shows ${row.value}`);
  }));
  T.state.on(["o", "s", "all"].map(key), draw);
  T.state.on([key("cell")], tell);
  draw();
  tell();
};
