// Optimizers compared: a click on one makes it the reference.

T.forest = () => {
  for (const [workload, place] of T.places("forest")) {
    const names = workload.found.optimizers.map((row) => row.optimizer);
    const own = `ref:${workload.name}`;
    T.state.standard({ [own]: names[0] });
    const choose = (name) => T.state.set({ [own]: name });
    const menu = T.menu("compared with", names, T.state.get(own), choose);
    place.querySelector(".controls").append(menu);
    T.charts.when(workload, "forest", (chart) => {
      const show = () => {
        menu.lastElementChild.value = T.state.get(own);
        chart.set({ reference: T.state.get(own) });
      };
      chart.click((row) => row.optimizer && choose(row.optimizer));
      T.state.on([own], show);
      show();
    });
  }
};
