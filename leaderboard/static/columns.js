/* Columns of the board: how each is written, sorted and exported. Numbers come as tenths of a
   point; a missing value is null, written as a dash and sorted last in both directions. */
"use strict";
window.mergebot = window.mergebot || {};
(function (mergebot) {
  const MISSING = "—", MINUS = "−";

  function points(tenths) {
    return tenths === null ? MISSING : (tenths / 10).toFixed(1).replace("-", MINUS);
  }
  function signed(tenths) {
    return tenths > 0 ? "+" + points(tenths) : points(tenths);
  }
  function parameters(count) {
    if (count === null) return MISSING;
    for (const [size, letter] of [[1e12, "T"], [1e9, "B"], [1e6, "M"], [1e3, "k"]])
      if (count >= 0.9995 * size) return (count / size).toFixed(1) + letter;
    return String(count);
  }
  function megabytes(count) {
    if (count === null) return MISSING;
    if (count < 0.001) return Math.round(count * 1e6) + " B";
    for (const [size, unit] of [[1e6, "TB"], [1e3, "GB"], [1, "MB"]])
      if (count >= size) return (count / size).toFixed(1) + " " + unit;
    return (count * 1000).toFixed(1) + " kB";
  }
  function element(tag, className, text) {
    const made = document.createElement(tag);
    if (className) made.className = className;
    if (text !== undefined) made.textContent = text;
    return made;
  }
  function word(column, row) {
    const place = column.rows[row];
    return place === null ? null : column.words[place];
  }

  /* Ids come as one text, ranks and scores as differences to the row before; undone once. */
  mergebot.unfold = function (data) {
    if (data.unfolded) return data;
    data.columns.id = data.columns.id.match(/.{10}/g) || [];
    for (const key of ["low", "high", "score"]) {
      let last = 0;
      data.columns[key] = data.columns[key].map((step) => (step === null ? null : (last += step)));
    }
    const { memory, params } = data.columns; // 0: two bytes a parameter and a fifth more
    data.columns.memory = memory.map((mb, row) => (mb === 0 ? (params[row] * 2.4) / 1e6 : mb));
    data.unfolded = true;
    return data;
  };

  /* One object per column: heading, whether numeric, the sort key, the cell's content, the CSV.
     Where people vote, `votes` gives [share, words] by id; elsewhere there is no such column. */
  mergebot.columns = function (data, extra, pageOf, votes) {
    const c = data.columns;
    const plain = (key, name, value, shown) => ({
      key, name, numeric: typeof shown === "function", value,
      cell: (td, row) => { td.textContent = shown ? shown(value(row)) : value(row) ?? MISSING; },
      csv: value,
    });
    const list = [
      { key: "rank", name: "Rank", numeric: true, up: true, value: (row) => c.low[row],
        cell: (td, row) => { td.textContent = rank(c.low[row], c.high[row]); },
        csv: (row) => rank(c.low[row], c.high[row]) },
      { key: "name", name: "Model", value: (row) => c.name[row], csv: (row) => c.name[row],
        cell: (th, row) => nameCell(th, row) },
      { key: "score", name: "Score", numeric: true, value: (row) => c.score[row],
        cell: (td, row) => scoreCell(td, row), csv: (row) => decimal(c.score[row]) },
      { key: "delta", name: "vs best parent", numeric: true, value: (row) => c.delta[row],
        cell: (td, row) => deltaCell(td, row), csv: (row) => decimal(c.delta[row]) },
      plain("method", "Method", (row) => word(c.method, row)),
      { ...plain("params", "Size", (row) => c.params[row], parameters), up: true },
      plain("license", "License", (row) => word(c.license, row)),
      plain("parents", "Parents", (row) => (extra() ? extra().parents[row].join(", ") || null : null)),
      { ...plain("memory", "Memory", (row) => c.memory[row],
          megabytes),
        up: true },
      plain("created", "Date", (row) => word(c.created, row)),
      ...(votes ? [{ key: "votes", name: "Votes", numeric: true, value: (row) => vote(row)[0],
        cell: (td, row) => { td.textContent = vote(row)[1] ?? MISSING; },
        csv: (row) => vote(row)[1] }] : []),
      ...data.tasks.map((task) => ({
        ...plain("task:" + task.task, task.title,
          (row) => (extra() ? extra().tasks[task.task][row] : null), points),
        csv: (row) => decimal(extra() ? extra().tasks[task.task][row] : null),
        task: true,
      })),
    ];
    const all = c.name.map((_, row) => row);
    return new Map(list.map((column) => [column.key, { ...column, all }]));

    function vote(row) {
      return (votes() && votes()[c.id[row]]) || [null, null];
    }
    function rank(low, high) {
      return low === null ? MISSING : low === high ? String(low) : low + "–" + high;
    }
    function decimal(tenths) {
      return tenths === null ? null : (tenths / 10).toFixed(1);
    }
    function nameCell(th, row) {
      const link = element("a", "", c.name[row]);
      link.href = pageOf(c.id[row]);
      th.append(link);
      const kind = word(c.kind, row);
      if (kind !== "merge") th.append(" ", element("span", "mb-badge", kind === "base" ? "base" : "parent"));
      if (c.flags[row]) {
        const flag = element("span", "mb-flag", "⚑ flagged");
        const reasons = extra() && extra().flagged[c.id[row]];
        if (reasons) flag.title = reasons.join("; ");
        th.append(" ", flag);
      }
    }
    function scoreCell(td, row) {
      td.textContent = points(c.score[row]);
      if (c.half[row] !== null)
        td.append(" ", element("span", "mb-interval", "±" + points(c.half[row])));
    }
    function deltaCell(td, row) {
      if (c.verdict[row] === null) {
        td.append(element("span", "mb-muted", word(c.kind, row) === "base" ? "base" : "parent"));
        return;
      }
      const [kind, symbol, slug] = data.verdicts[c.verdict[row]];
      const words = data.same[row] ?? kind;
      const whole = element("span", "mb-" + slug);
      const sign = element("span", "", symbol);
      sign.title = words;
      sign.setAttribute("aria-hidden", "true");
      whole.append(sign, element("span", "mb-hidden", words));
      if (c.delta[row] !== null) {
        const span = "[" + points(c.delta[row] - c.below[row]) + ", " + points(c.delta[row] + c.below[row] + c.skew[row]) + "]";
        whole.append(" " + signed(c.delta[row]) + " ", element("span", "mb-interval", span));
      }
      td.append(whole);
      if (c.holds[row]) {
        const told = "holds after correction for all attempts";
        const mark = element("span", "mb-holds", "✓");
        mark.title = told;
        mark.append(element("span", "mb-hidden", " " + told));
        td.append(" ", mark);
      }
    }
  };

  mergebot.element = element;
  mergebot.word = word;
})(window.mergebot);
