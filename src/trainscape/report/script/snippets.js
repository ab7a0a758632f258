// A setting as text to paste: into params.yaml, and into a training loop in plain PyTorch.

// A cell, or an optimizer and a rate alone: {yaml, torch}. Python wrote the parts (pipeline/snippets.py).
T.snippets = (workload, cell) => {
  const { optimizer, schedule, factor } = T.study.snippets;
  const rate = String(cell.lr);
  const axes = [`  optimizer: [${optimizer[cell.optimizer].yaml}]`, `  lr: [${rate}]`];
  const lines = ["import torch", optimizer[cell.optimizer].torch.replaceAll("{lr}", rate)];
  if (cell.schedule !== undefined) {
    axes.splice(1, 0, `  batch_size: [${cell.batch_size}]`);
    axes.push(`  schedule: [${schedule[cell.schedule].yaml}]`);
    lines.splice(1, 0, `batch_size = ${cell.batch_size}`);
    lines.push(factor[workload.name][cell.schedule][cell.batch_size]);
  }
  const how = cell.schedule === undefined ? "in params.yaml's grid; its other axes stay" : "for params.yaml, in place of its grid";
  return { yaml: `# ${how}\ngrid:\n${axes.join("\n")}\n`, torch: `${lines.join("\n")}\n` };
};

T.snippets.buttons = (workload, cell) => {
  const texts = T.snippets(workload, cell);
  return ["yaml", "torch"].map((kind) => {
    const name = kind === "yaml" ? "YAML" : "PyTorch";
    return T.el("button", { type: "button", onclick: () => T.copy(texts[kind], name) }, `Copy ${name}`);
  });
};

// The cards of the first screen: copy their setting, show it in the map.
T.cards = () => {
  for (const card of document.querySelectorAll(".card[data-setting]")) {
    const workload = T.study.workloads.find((own) => own.name === card.closest("[data-panel]").dataset.panel);
    const cell = JSON.parse(card.dataset.setting);
    const place = T.el("p", { class: "copies" }, ...T.snippets.buttons(workload, cell));
    const index = cell.schedule === undefined ? undefined : workload.index(cell);
    if (index !== undefined && T.atlas(workload)) {
      place.append(T.el("button", { type: "button", onclick: () => T.show(workload, index) }, "Show in the map"));
    }
    card.append(place);
  }
  document.querySelectorAll("[data-copy]").forEach((button) => {
    button.hidden = false;
    button.addEventListener("click", () => T.copy(button.dataset.copy, button.dataset.what));
  });
};
