// Which workload is shown, where a study has several.

T.workloads = () => {
  const names = T.study.workloads.map((own) => own.name);
  const menu = T.menu("workload", names, T.workload().name, (w) => T.state.set({ w }));
  const show = () => {
    const chosen = T.workload().name;
    menu.lastElementChild.value = chosen;
    document.querySelectorAll("[data-panel]").forEach((panel) => {
      panel.hidden = panel.dataset.panel !== chosen;
    });
    // The links above lead to this workload's parts.
    const own = T.panel(T.workload());
    for (const link of document.querySelectorAll("nav [data-to]")) {
      const part = own.querySelector(`section.${link.dataset.to}`);
      link.hidden = !part;
      if (part) link.href = `#${part.id}`;
    }
  };
  if (names.length > 1) document.getElementById("workloads").append(menu);
  // A link to a part of another workload shows that one.
  const linked = document.getElementById(location.hash.slice(1));
  const panel = linked?.closest("[data-panel]");
  if (panel) T.state.set({ w: panel.dataset.panel });
  T.state.on(["w"], show);
  show();
  if (panel) linked.scrollIntoView();
};
