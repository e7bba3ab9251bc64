// Filters the list of all questions by words, area and level. The state lives in the address, so that
// a filtered list can be shared. Rows carry data-area and data-level; without this script all show.
(() => {
  const article = document.querySelector(".md-content__inner");
  const rows = [...article.querySelectorAll("[data-area][data-level]")];
  const box = article.querySelector(".question-filter");
  if (!rows.length || !box || box.firstChild) return;

  const field = (name, title, control) => {
    const label = document.createElement("label");
    Object.assign(control, { name, autocomplete: "off" });
    label.append(title, control);
    return label;
  };
  const choice = (attribute, all) => {
    const select = document.createElement("select");
    select.add(new Option(all, ""));
    for (const value of new Set(rows.map((row) => row.dataset[attribute]))) {
      const row = rows.find((r) => r.dataset[attribute] === value);
      select.add(new Option(row.dataset[attribute + "Title"] ?? value, value));
    }
    return select;
  };

  const words = Object.assign(document.createElement("input"), { type: "search" });
  const form = document.createElement("form");
  form.setAttribute("role", "search");
  form.setAttribute("aria-label", "Filter the questions");
  const count = document.createElement("output");
  // Titles are few words; answers, other names and misspelt ones are found by the search.
  const ask = Object.assign(document.createElement("button"), { type: "button", className: "md-button", hidden: true });
  ask.addEventListener("click", () => {
    const input = document.querySelector("[data-search] input");
    input.value = words.value;
    input.focus();
    input.dispatchEvent(new Event("input"));
  });
  form.append(
    field("q", "Words", words),
    field("area", "Area", choice("area", "All areas")),
    field("level", "Level", choice("level", "All levels")),
    count,
    ask,
  );
  box.append(form);

  // A row is found by its chapter's title too, and a heading goes when all its rows are hidden.
  const headingOf = (list) => {
    let element = list.previousElementSibling;
    while (element && !/^H[2-6]$/.test(element.tagName)) element = element.previousElementSibling;
    return element;
  };
  const lists = [...new Set(rows.map((row) => row.parentElement))];
  const headings = new Map(lists.map((list) => [list, headingOf(list)]));

  const apply = () => {
    const state = Object.fromEntries(new FormData(form));
    const wanted = state.q.toLowerCase().split(/\s+/).filter(Boolean);
    const joined = (text) => text.toLowerCase().replace(/[\s\-_]+/g, ""); // allreduce, all reduce and all-reduce are one
    for (const row of rows) {
      const text = (headings.get(row.parentElement)?.textContent + " " + row.textContent).toLowerCase();
      row.hidden =
        (state.area && row.dataset.area !== state.area) ||
        (state.level && row.dataset.level !== state.level) ||
        !(wanted.every((word) => text.includes(word)) || joined(text).includes(joined(state.q)));
    }
    for (const list of lists) {
      const empty = ![...list.children].some((row) => !row.hidden);
      const heading = headings.get(list);
      for (const element of [list, heading]) element?.toggleAttribute("data-empty", empty);
      for (const link of document.querySelectorAll(`.md-nav a[href$="#${heading?.id}"]`)) link.parentElement.hidden = empty;
    }
    const shown = rows.filter((row) => !row.hidden).length;
    ask.hidden = shown > 0 || !state.q.trim();
    ask.textContent = `Search the answers for “${state.q.trim()}”`;
    const found = `${shown} of ${rows.length} questions`;
    if (count.textContent !== found) count.textContent = found; // else said again

    const address = new URL(location);
    for (const [key, value] of Object.entries(state))
      value ? address.searchParams.set(key, value) : address.searchParams.delete(key);
    history.replaceState(history.state, "", address);
  };

  for (const [key, value] of new URLSearchParams(location.search))
    if (form.elements[key]) form.elements[key].value = value;
  form.addEventListener("input", apply);
  form.addEventListener("submit", (event) => event.preventDefault());
  apply();
})();
