// Learning curves: one optimizer can be singled out.

T.curves = () => {
  for (const [workload, place] of T.places("curves")) {
    const own = `curve:${workload.name}`;
    const names = workload.found.optimizers.map((row) => row.optimizer);
    T.state.standard({ [own]: "" }, { [own]: ["", ...names] });
    const choices = [["", "all"], ...names.map((name) => [name, name])];
    const menu = T.menu("single out", choices, T.state.get(own), (name) => T.state.set({ [own]: name }));
    if (names.length > 1) place.querySelector(".controls").append(menu);
    T.charts.when(workload, "curves", (chart) => {
      const show = () => {
        menu.lastElementChild.value = T.state.get(own);
        chart.set({ optimizer: T.state.get(own) });
      };
      T.state.on([own], show);
      show();
    });
  }
};
