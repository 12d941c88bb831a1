
// Everything is readable without this script: it sorts, follows links inside a sandbox and unfolds for print.
(() => {
  const valueOf = (cell, isNumber) => {
    const text = cell.dataset.value ?? cell.textContent.trim();
    if (!isNumber) return text.toLowerCase();
    return text === "" || Number.isNaN(Number(text)) ? null : Number(text);
  };
  const sort = (table, heads, place) => {
    const head = heads[place], isNumber = head.classList.contains("num");
    const first = isNumber && head.dataset.better !== "lower" ? "descending" : "ascending";
    const other = first === "ascending" ? "descending" : "ascending";
    const order = head.getAttribute("aria-sort") === first ? other : first;
    for (const each of heads) each.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", order);
    const sign = order === "ascending" ? 1 : -1, body = table.tBodies[0];
    const lines = [...body.rows].map((row, index) => ({ row, index, value: valueOf(row.cells[place], isNumber) }));
    lines.sort((a, b) => {
      // What is unknown is last in either order.
      if (a.value === null || b.value === null) return (a.value === null) - (b.value === null) || a.index - b.index;
      return a.value < b.value ? -sign : a.value > b.value ? sign : a.index - b.index;
    });
    body.append(...lines.map((line) => line.row));
    table.classList.add("sorted");
  };
  for (const table of document.querySelectorAll("table.sortable")) {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, place) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      button.addEventListener("click", () => sort(table, heads, place));
      head.append(button);
    });
  }
  const unfold = (element) => {
    for (let fold = element.closest("details"); fold; fold = fold.parentElement.closest("details")) fold.open = true;
  };
  document.addEventListener("click", (event) => {
    const link = event.target.closest('a[href^="#"]');
    const target = link && document.getElementById(link.getAttribute("href").slice(1));
    if (!target) return;
    unfold(target);
    // In the frame of a platform's page, the address of a link is that of the page around it.
    if (location.protocol === "about:") {
      event.preventDefault();
      target.scrollIntoView();
    }
  });
  let unfolded = [];
  addEventListener("beforeprint", () => {
    unfolded = [...document.querySelectorAll("main details:not([open]):not(.aside)")];
    for (const fold of unfolded) fold.open = true;
  });
  addEventListener("afterprint", () => {
    for (const fold of unfolded) fold.open = false;
  });
})();
