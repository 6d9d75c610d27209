// What pages do beyond what they do without it: the list answers while one
// types, tables on one page sort at a click, and charts say their numbers.
"use strict";

const list = () => document.getElementById("list");

// load replaces the list by that of another address, without a new page.
let latest = 0;
async function load(address, push) {
  const turn = ++latest;
  list().setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(address, { headers: { Accept: "text/html" } });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (turn !== latest) return; // a later question has overtaken this one
    const fresh = page.getElementById("list");
    if (!answer.ok || !fresh) return location.assign(address);
    list().replaceWith(fresh);
    history[push ? "pushState" : "replaceState"](null, "", address);
  } catch {
    location.assign(address); // the browser says what is wrong
  }
}

// addressOf is the address of a form without its empty fields.
function addressOf(form) {
  const fields = new URLSearchParams([...new FormData(form)].filter(([, value]) => value.trim() !== ""));
  return form.getAttribute("action") + (fields.size ? "?" + fields : "");
}

function liveList(form) {
  let timer;
  const ask = (wait) => {
    clearTimeout(timer);
    timer = setTimeout(() => load(addressOf(form), false), wait);
  };
  form.addEventListener("input", (e) => ask(e.target.type === "search" ? 250 : 0));
  form.addEventListener("submit", (e) => {
    e.preventDefault();
    ask(0);
  });
  document.addEventListener("click", (e) => {
    const link = e.target.closest("#list .sorts a, #list .pager a");
    if (!link || e.ctrlKey || e.metaKey || e.shiftKey || e.button) return;
    e.preventDefault();
    const sort = new URL(link.href).searchParams.get("sort");
    let field = form.elements.namedItem("sort");
    if (!field) {
      field = form.appendChild(Object.assign(document.createElement("input"), { type: "hidden", name: "sort" }));
    }
    field.value = sort || "";
    load(link.getAttribute("href"), true).then(() => {
      if (link.closest(".pager")) list().scrollIntoView({ block: "start" });
    });
  });
  addEventListener("popstate", () => location.reload());
}

// sortable makes the heads of a table buttons that order its rows.
function sortable(table) {
  const body = table.tBodies[0];
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") !== "descending";
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const key = (row) => row.cells[column].dataset.value ?? row.cells[column].textContent.trim();
      const rank = { ok: 0, warn: 1, fail: 2 };
      const compare = (a, b) => {
        const [x, y] = [key(a), key(b)];
        if (x in rank && y in rank) return rank[x] - rank[y];
        const d = Number(x) - Number(y);
        return Number.isNaN(d) ? x.localeCompare(y) : d;
      };
      body.append(...[...body.rows].sort((a, b) => (down ? compare(b, a) : compare(a, b))));
    });
  });
}

// tips shows the number of the mark that is nearest to the pointer.
function tips() {
  const box = document.body.appendChild(Object.assign(document.createElement("div"), { id: "tip", hidden: true }));
  for (const chart of document.querySelectorAll(".chart")) {
    const plot = chart.querySelector(".plot");
    const marks = [...plot.querySelectorAll("title")].map((title) => {
      const mark = title.parentNode;
      mark.dataset.tip = title.textContent;
      title.remove();
      return mark;
    });
    if (!marks.length) continue;
    const hide = () => (box.hidden = true);
    plot.addEventListener("pointerleave", hide);
    addEventListener("scroll", hide, { passive: true });
    plot.addEventListener("pointermove", (e) => {
      let best, least = Infinity;
      for (const mark of marks) {
        const r = mark.getBoundingClientRect();
        const far = Math.hypot(Math.max(r.left - e.clientX, 0, e.clientX - r.right) * 4, Math.max(r.top - e.clientY, 0, e.clientY - r.bottom));
        if (far < least) [best, least] = [mark, far];
      }
      box.textContent = best.dataset.tip;
      box.hidden = false;
      const r = best.getBoundingClientRect();
      const left = Math.min(Math.max(r.left + r.width / 2 - box.offsetWidth / 2, 8), innerWidth - box.offsetWidth - 8);
      box.style.left = left + "px";
      box.style.top = Math.max(r.top - box.offsetHeight - 8, 8) + "px";
    });
  }
}

const live = document.querySelector("form[data-live]");
if (live && list()) liveList(live);
document.querySelectorAll("table[data-sortable]").forEach(sortable);
tips();
document.querySelectorAll("form[data-confirm]").forEach((form) => {
  form.addEventListener("submit", (e) => confirm(form.dataset.confirm) || e.preventDefault());
});
