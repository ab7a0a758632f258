// What accuracy costs: a click on a setting opens its cell; how long another grid would take.

T.cost = () => {
  // Seconds of a trial of the mean cell: its steps × the time of a step.
  const mean = (workload) => {
    const { step_time: times, batch_size: places } = workload.cells;
    const steps = (i) => workload.curves.steps[workload.axes.batch_size[places[i]]]?.at(-1);
    const known = (times ?? []).map((time, i) => time * (steps(i) ?? 0)).filter((seconds) => seconds > 0);
    return known.length ? known.reduce((sum, seconds) => sum + seconds, 0) / known.length : null;
  };

  const ask = (workload, box) => {
    const trial = mean(workload);
    if (trial === null) return;
    const [unit, amount] = Object.entries(T.study.budget)[0];
    const seeds = Math.max(...workload.cells.seeds);
    const fields = { cells: workload.count, seeds, [unit]: amount };
    const key = (name) => `grid-${name}:${workload.name}`;
    const value = (name) => (T.state.get(key(name)) > 0 ? Number(T.state.get(key(name))) : fields[name]);
    for (const name of Object.keys(fields)) {
      const input = T.el("input", { type: "number", min: 1, required: true, value: value(name), oninput: () => T.state.set({ [key(name)]: input.value }) });
      box.querySelector(".fields").append(T.el("label", { class: "menu" }, T.el("span", {}, name), input));
    }
    const show = () => {
      const asked = [...box.querySelectorAll("input")].every((input) => input.validity.valid);
      const seconds = trial * value("cells") * value("seeds") * (value(unit) / amount);
      box.querySelector("strong").textContent = asked ? T.seconds(seconds) : "–";
    };
    T.state.on(Object.keys(fields).map(key), show);
    show();
    box.hidden = false;
  };

  for (const [workload, place] of T.places("cost")) {
    const box = place.querySelector("[data-grid-time]");
    if (box) ask(workload, box);
    T.charts.when(workload, "cost", (chart) => {
      chart.click((row) => row.digest && T.open(workload, workload.byDigest.get(row.digest)));
    });
  }
};
