"use strict";
// Sorting and filtering of the table of all cells. Without it the table is whole.
(() => {
  const table = document.getElementById("table");
  const body = table.tBodies[0];
  const heads = [...table.tHead.rows[0].cells];
  const rows = [...body.rows];
  const words = rows.map((row) => [...row.cells].map((field) => field.textContent).join(" ").toLowerCase());
  const text = new Intl.Collator("en", { numeric: true, sensitivity: "base" });

  // A number's exact value is in data-v, empty where it is unknown.
  const keyOf = (row, column) => {
    const field = row.cells[column];
    if (!("v" in field.dataset)) return field.textContent;
    return field.dataset.v === "" ? null : Number(field.dataset.v);
  };

  const compare = (a, b, sign) => {
    if (a === null || b === null) return (a === null) - (b === null); // unknown is last either way
    return sign * (typeof a === "number" ? a - b : text.compare(a, b));
  };

  const sort = (column) => {
    const head = heads[column];
    const order = head.getAttribute("aria-sort") === "ascending" ? "descending" : "ascending";
    const sign = order === "ascending" ? 1 : -1;
    heads.forEach((other) => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", order);
    const keyed = rows.map((row, index) => [keyOf(row, column), index, row]);
    keyed.sort((a, b) => compare(a[0], b[0], sign) || a[1] - b[1]);
    body.append(...keyed.map((entry) => entry[2]));
  };

  // A number is meant whole ("64" is not 640 or a part of a digest), a name may be begun only.
  const matches = (text, word) => (/^[\d.]/.test(word) ? text.split(/\s+/).includes(word) : text.includes(word));

  const filter = document.getElementById("filter");
  const count = document.getElementById("count");
  const show = () => {
    const wanted = filter.value.toLowerCase().split(/\s+/).filter((word) => word && !["batch", "lr"].includes(word));
    let shown = 0;
    rows.forEach((row, index) => {
      row.hidden = !wanted.every((word) => matches(words[index], word));
      shown += row.hidden ? 0 : 1;
    });
    count.textContent = wanted.length ? `${shown} of ${rows.length}` : "";
  };

  heads.forEach((head, column) => head.firstElementChild.addEventListener("click", () => sort(column)));
  filter.addEventListener("input", show);
  filter.closest(".filter").hidden = false;
})();
