// The study's figures, as small multiples behind one button. They stay packed until they are wanted.

T.figures = () => {
  const place = document.getElementById("figures");
  const hidden = () => T.state.get("figures") !== "shown";
  const button = T.el("button", { type: "button", "aria-expanded": "false", "aria-controls": "gallery", onclick: () => T.state.set({ figures: hidden() ? "shown" : "hidden" }) });
  const gallery = T.el("div", { id: "gallery", class: "gallery", hidden: true });
  let made = null;
  const show = async () => {
    button.setAttribute("aria-expanded", String(!hidden()));
    button.textContent = hidden() ? "Show the figures" : "Hide the figures";
    gallery.hidden = hidden();
    if (hidden()) return;
    made ??= T.packed("pictures").then((text) => gallery.append(...JSON.parse(text).map(T.figures.kind)));
    await made;
    for (const kind of gallery.children) kind.hidden = kind.dataset.workload !== T.workload().name;
  };
  T.state.standard({ figures: "hidden" });
  place.append(button, gallery);
  T.state.on(["figures", "w"], show);
  show();
};

// The figures of a kind; they are drawn when its heading is opened.
T.figures.kind = ({ workload, title, lead, figures }) => {
  const grid = T.el("div", { class: "grid" });
  const fill = () => {
    if (!kind.open || grid.childElementCount) return;
    for (const { svg, alt, caption } of figures) {
      const src = URL.createObjectURL(new Blob([svg], { type: "image/svg+xml" }));
      grid.append(T.el("figure", {}, T.el("img", { src, alt, loading: "lazy", decoding: "async" }), T.el("figcaption", {}, caption)));
    }
  };
  const count = figures.length === 1 ? "1 figure" : `${figures.length} figures`;
  const kind = T.el("details", { "data-workload": workload, ontoggle: fill }, T.el("summary", {}, `${title} (${count})`), T.el("p", { class: "lead" }, lead), grid);
  return kind;
};
