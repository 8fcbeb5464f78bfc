"use strict";
// A click on a header, or Enter or the space bar, sorts its table; numbers as numbers, cells without one last.
for (const table of document.querySelectorAll("table[data-sortable]")) {
  const body = table.tBodies[0];
  const headers = [...table.tHead.rows[0].cells];
  const words = new Intl.Collator(undefined, { numeric: true });

  const compare = (one, other, sign) => {
    const [a, b] = [one, other].map((cell) => parseFloat(cell.dataset.value));
    const [aless, bless] = [a, b].map(Number.isNaN);
    if (aless !== bless) return aless - bless;
    return sign * (aless ? words.compare(one.textContent, other.textContent) : a - b);
  };

  headers.forEach((header, column) => {
    header.querySelector("button").addEventListener("click", () => {
      const sign = header.getAttribute("aria-sort") === "ascending" ? -1 : 1;
      const rows = [...body.rows];
      rows.sort((one, other) => compare(one.cells[column], other.cells[column], sign));
      body.append(...rows);
      for (const each of headers) each.setAttribute("aria-sort", "none");
      header.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
    });
  });
}
// What is folded away is printed, too.
let folded = [];
addEventListener("beforeprint", () => {
  folded = [...document.querySelectorAll("details:not([open])")];
  for (const each of folded) each.open = true;
});
addEventListener("afterprint", () => {
  for (const each of folded) each.open = false;
});
