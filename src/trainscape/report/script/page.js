// Starts the page: loads the data, lets every part set itself up, and draws what is on the screen.

(async () => {
  await T.load();
  T.state.standard({ w: T.study.workloads[0].name }, { w: T.study.workloads.map((own) => own.name) });
  document.documentElement.classList.add("scripted");
  for (const part of [T.workloads, T.cards, T.forest, T.sensitivity, T.map, T.cell, T.scaling, T.cost, T.curves, T.table, T.figures, T.print, T.changes]) part?.();
  T.charts.watch();
  // A link to a section leaves what is chosen in the address.
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.('a[href^="#"]');
    const place = link && document.getElementById(link.getAttribute("href").slice(1));
    if (!place) return;
    event.preventDefault();
    place.scrollIntoView();
    place.setAttribute("tabindex", "-1");
    place.focus({ preventScroll: true });
  });
  // A link to a cell leads to it.
  const linked = T.study.workloads?.find((own) => own.byDigest?.has(T.state.given(`cell:${own.name}`)));
  if (linked) T.atlas(linked)?.scrollIntoView({ behavior: "instant" });
  T.state.doubt();
  document.documentElement.dataset.ready = "yes"; // tests wait for it
})();
