/* Brings a board to life: the first rows and all controls are already in the page.

   mergebot.mount(root, {
     data,          what the table needs
     loadExtra,     () => Promise of parents and tasks, asked for once, when needed
     pageOf,        model id => address of its page
     compareOf,     list of model ids => address, or absent where nothing can be compared
     shareBase,     the address a copied link starts with; the page's own where absent
   }) */
"use strict";
window.mergebot = window.mergebot || {};
(function (mergebot) {
  const FIRST = 50, MORE = 100, DEBOUNCE = 80, MOST_COMPARED = 4;
  const STANDARD = ["rank", "name", "score", "delta", "method", "params", "license"];

  mergebot.mount = function (root, options) {
    const find = (selector) => root.querySelector(selector);
    const all = (selector) => [...root.querySelectorAll(selector)];
    const table = find("#mb-table"), count = find("#mb-count");
    if (!table) return null;
    const data = mergebot.unfold(options.data), chosen = new Set();
    let extra = null, loading = null, votes = null, counting = null, limit = FIRST, view = [], timer = 0;
    let hay = mergebot.haystacks(data, null);
    let state = mergebot.readState(location.search || location.hash.slice(1));
    const columns = mergebot.columns(data, () => extra, options.pageOf, options.loadVotes && (() => votes));
    const more = mergebot.element("button", "mb-button");
    more.type = "button";
    const empty = mergebot.element("div", "mb-empty");
    empty.hidden = true;
    table.parentElement.after(empty, more);

    function shown() {
      const keys = state.cols ? state.cols.split(",") : STANDARD.slice(2);
      return ["rank", "name", ...keys.filter((key) => columns.has(key))].map((key) => columns.get(key));
    }
    function sorting() {
      const down = state.sort.startsWith("-"), key = down ? state.sort.slice(1) : state.sort;
      return columns.has(key) ? { key, down } : { key: "score", down: true };
    }
    function needExtra() {
      loading = loading || options.loadExtra().then((loaded) => {
        extra = loaded;
        hay = mergebot.haystacks(data, extra);
        columns.get("parents").places = null;
        update({ keep: true });
      });
      return loading;
    }
    function needVotes() {
      counting = counting || options.loadVotes().then((loaded) => {
        votes = loaded;
        update({ keep: true });
      });
      return counting;
    }

    function update({ keep = false, untouched = false } = {}) {
      performance.mark("mergebot:start");
      const { key, down } = sorting();
      const wantsExtra = state.q || shown().some((column) => column.task || column.key === "parents");
      if (wantsExtra && !extra) needExtra();
      if (!votes && shown().some((column) => column.key === "votes")) needVotes();
      view = mergebot.sorted(mergebot.filtered(data, state, hay), columns.get(key), down);
      if (!keep) limit = FIRST;
      if (!untouched) drawTable(key, down);
      drawAround(key, down);
      remember();
      performance.measure("mergebot:update", "mergebot:start");
    }

    function drawTable(key, down) {
      const head = mergebot.element("tr");
      if (options.compareOf) {
        const corner = mergebot.element("th");
        corner.scope = "col";
        corner.append(mergebot.element("span", "mb-hidden", "Compare"));
        head.append(corner);
      }
      for (const column of shown()) {
        const th = mergebot.element("th", classOf(column));
        th.scope = "col";
        th.dataset.column = column.key;
        th.setAttribute("aria-sort", column.key !== key ? "none" : down ? "descending" : "ascending");
        const button = mergebot.element("button", "", column.name);
        button.type = "button";
        th.append(button);
        head.append(th);
      }
      const focused = document.activeElement && document.activeElement.closest("#mb-table th[data-column]");
      table.tHead.replaceChildren(head);
      if (focused) {
        const again = [...head.children].find((th) => th.dataset.column === focused.dataset.column);
        if (again) again.firstChild.focus();
      }
      table.tBodies[0].replaceChildren(...view.slice(0, limit).map(rowOf));
    }
    function classOf(column) {
      return [column.numeric ? "mb-number" : "", column.task ? "mb-task" : ""].filter(Boolean).join(" ");
    }
    function rowOf(row) {
      const tr = mergebot.element("tr");
      tr.dataset.id = data.columns.id[row];
      if (options.compareOf) {
        const td = mergebot.element("td"), box = mergebot.element("input");
        box.type = "checkbox";
        box.checked = chosen.has(data.columns.id[row]);
        box.setAttribute("aria-label", "Compare " + data.columns.name[row]);
        td.append(box);
        tr.append(td);
      }
      for (const column of shown()) {
        const cell = mergebot.element(column.key === "name" ? "th" : "td", classOf(column));
        if (column.key === "name") cell.scope = "row";
        column.cell(cell, row);
        tr.append(cell);
      }
      return tr;
    }

    function drawAround(key, down) {
      const total = data.columns.name.length;
      const order = key === "score" && down ? "" : down ? " down" : " up";
      count.textContent = `Showing ${view.length.toLocaleString("en")} of ${total.toLocaleString("en")} ` +
        `model${total === 1 ? "" : "s"}, sorted by ${columns.get(key).name}${order}`;
      const left = view.length - limit;
      more.hidden = left <= 0;
      more.textContent = `Show ${Math.min(MORE, left)} more`;
      empty.hidden = view.length > 0;
      table.hidden = view.length === 0;
      if (!view.length) drawEmpty();
      find('[data-action="clear"]').hidden = !filtersSet() && !state.q;
      for (const field of all("[data-filter]"))
        if (field !== document.activeElement) field.value = state[field.dataset.filter];
      for (const chip of all("[data-chip]"))
        chip.setAttribute("aria-pressed", String(state[chip.dataset.chip] === chip.dataset.value));
      const keys = new Set(shown().map((column) => column.key));
      for (const box of all("[data-toggle]")) box.checked = keys.has(box.dataset.toggle);
      const compare = find('[data-action="compare"]');
      if (compare) {
        compare.disabled = chosen.size < 2;
        compare.textContent = `Compare ${chosen.size}`;
      }
    }
    function filtersSet() {
      return ["kind", "hidden", "method", "base", "license", "verdict", "min", "max", "memory", "since"]
        .filter((key) => state[key] !== "").length;
    }
    function drawEmpty() {
      const filters = filtersSet();
      const what = (state.q ? ` “${state.q}”` : " this") +
        (filters ? ` with ${filters} filter${filters === 1 ? "" : "s"}` : "");
      const clear = mergebot.element("button", "mb-button", "Clear search and filters");
      clear.type = "button";
      clear.addEventListener("click", clearAll);
      empty.replaceChildren(mergebot.element("p", "", `No model matches${what}.`), clear);
    }
    function remember() {
      const query = mergebot.writeState(state, location.search);
      try {
        history.replaceState(history.state, "", query ? "?" + query : location.pathname);
      } catch {
        location.hash = query; // pages opened from a folder may not change their address
      }
    }
    function clearAll() {
      state = { ...mergebot.DEFAULTS, cols: state.cols, sort: state.sort };
      update();
    }
    function set(key, value) {
      state[key] = value;
      update();
    }

    /* what people do */
    root.addEventListener("input", (event) => {
      const key = event.target.dataset.filter;
      if (!key) return;
      clearTimeout(timer);
      timer = setTimeout(() => set(key, event.target.value.trim()), key === "q" ? DEBOUNCE : 0);
    });
    root.addEventListener("change", (event) => {
      const target = event.target;
      if (target.dataset.toggle) {
        const keys = new Set(shown().slice(2).map((column) => column.key));
        if (target.checked) keys.add(target.dataset.toggle);
        else keys.delete(target.dataset.toggle);
        const listed = [...columns.keys()].filter((key) => keys.has(key)).join(",");
        set("cols", listed === STANDARD.slice(2).join(",") ? "" : listed || "score");
      } else if (target.closest("tbody") && target.type === "checkbox") {
        const id = target.closest("tr").dataset.id;
        if (!target.checked) chosen.delete(id);
        else if (chosen.size < MOST_COMPARED) chosen.add(id);
        else target.checked = false;
        update({ keep: true, untouched: true });
      }
    });
    root.addEventListener("click", (event) => {
      const heading = event.target.closest("#mb-table thead button");
      const chip = event.target.closest("[data-chip]");
      const action = event.target.closest("[data-action]");
      if (heading) {
        const key = heading.parentElement.dataset.column, column = columns.get(key), now = sorting();
        const down = now.key === key ? !now.down : Boolean(column.numeric && !column.up);
        set("sort", (down ? "-" : "") + key);
      } else if (chip) {
        const { chip: key, value } = chip.dataset;
        set(key, state[key] === value ? "" : value);
      } else if (action) act(action.dataset.action, action);
    });
    more.addEventListener("click", () => {
      const first = limit;
      limit += MORE;
      update({ keep: true });
      const link = table.tBodies[0].rows[first] && table.tBodies[0].rows[first].querySelector("a");
      if (link) link.focus();
    });
    document.addEventListener("keydown", (event) => {
      const search = find("#mb-search");
      const typing = /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName) || event.target.isContentEditable;
      if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && root.offsetParent !== null) {
        event.preventDefault();
        search.focus();
      } else if (event.key === "Escape" && event.target === search) {
        search.value = "";
        set("q", "");
      }
    });

    function act(name, button) {
      if (name === "clear") clearAll();
      if (name === "csv")
        Promise.all([needExtra(), options.loadVotes && needVotes()]).then(
          () => mergebot.download("leaderboard.csv", csv()));
      if (name === "compare") location.href = options.compareOf([...chosen]);
      if (name === "link") {
        const query = mergebot.writeState(state, "");
        const base = options.shareBase || location.href.split(/[?#]/)[0];
        navigator.clipboard.writeText(base + (query ? "?" + query : "")).then(
          () => { button.textContent = "Copied"; },
          () => { button.textContent = "The browser refused"; });
        setTimeout(() => { button.textContent = "Copy link"; }, 2000);
      }
    }
    function csv() {
      const list = [...columns.values()];
      const lines = [list.map((column) => column.key).concat("id")];
      for (const row of view)
        lines.push(list.map((column) => column.csv(row)).concat(data.columns.id[row]));
      return lines.map((line) => line.map(mergebot.csvCell).join(",")).join("\n") + "\n";
    }

    update({ untouched: mergebot.writeState(state, "") === "" });
    const idle = window.requestIdleCallback || ((work) => setTimeout(work, 500));
    idle(() => mergebot.places(columns.get("name")));
    return { update, needExtra, state: () => ({ ...state }) };
  };

  /* A cell no spreadsheet takes for a formula; numbers stay numbers. */
  mergebot.csvCell = function (value) {
    if (value === null || value === undefined) return "";
    let text = String(value);
    if (!/^-?\d+(\.\d+)?$/.test(text) && /^[=+\-@\t|%]/.test(text)) text = "'" + text;
    return /[",\n\r]/.test(text) ? '"' + text.replaceAll('"', '""') + '"' : text;
  };
  mergebot.download = function (name, text) {
    const link = mergebot.element("a");
    link.href = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  };
})(window.mergebot);
