// Optimizers compared: a click on one makes it the reference.

T.forest = () => {
  for (const [workload, place] of T.places("forest")) {
    const names = workload.found.optimizers.map((row) => row.optimizer);
    const own = `ref:${workload.name}`;
    T.state.standard({ [own]: names[0] }, { [own]: names });
    const choose = (name) => names.includes(name) && T.state.set({ [own]: name });
    const chosen = () => (names.includes(T.state.get(own)) ? T.state.get(own) : names[0]);
    const words = (reference) => {
      const rows = workload.found.against[reference] ?? [];
      const told = rows.map(({ optimizer, difference, verdict }) => `${optimizer} ${T.signed(difference.mean, workload)}, ${verdict}`);
      return `Paired differences in test ${workload.metric.name} to ${reference}: ${told.join("; ")}.`;
    };
    const menu = T.menu("compared with", names, chosen(), choose);
    place.querySelector(".controls").append(menu);
    T.charts.when(workload, "forest", (chart) => {
      const show = () => {
        menu.lastElementChild.value = chosen();
        chart.figure.querySelector(".plot").setAttribute("aria-label", words(chosen()));
        chart.set({ reference: chosen() });
      };
      chart.click((row) => choose(row.optimizer ?? String(row.value).split(", ")[0]));
      T.state.on([own], show);
      show();
    });
  }
};
