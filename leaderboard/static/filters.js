/* Which rows are shown and in which order: a function of the data and the view's state alone. */
"use strict";
window.mergebot = window.mergebot || {};
(function (mergebot) {
  mergebot.DEFAULTS = {
    q: "", kind: "", hidden: "", method: "", base: "", license: "", verdict: "",
    min: "", max: "", memory: "", since: "", sort: "-score", cols: "",
  };

  /* The state from an address; unknown parameters are left alone. */
  mergebot.readState = function (address) {
    const found = new URLSearchParams(address);
    const state = { ...mergebot.DEFAULTS };
    for (const key of Object.keys(state)) if (found.has(key)) state[key] = found.get(key);
    return state;
  };
  mergebot.writeState = function (state, address) {
    const params = new URLSearchParams(address);
    for (const [key, standard] of Object.entries(mergebot.DEFAULTS))
      if (state[key] === standard) params.delete(key);
      else params.set(key, state[key]);
    return params.toString();
  };

  /* What the search looks through, lower case, one text a row. */
  mergebot.haystacks = function (data, extra) {
    const c = data.columns, word = mergebot.word;
    return c.name.map((name, row) =>
      [name, word(c.method, row), word(c.license, row), word(c.base, row), word(c.kind, row),
        ...(extra ? extra.parents[row] : [])].join(" ").toLowerCase());
  };

  /* Space means and, a semicolon means or. */
  function query(text) {
    const choices = text.toLowerCase().split(";")
      .map((choice) => choice.split(/\s+/).filter(Boolean)).filter((words) => words.length);
    return (hay) => !choices.length || choices.some((words) => words.every((w) => hay.includes(w)));
  }

  mergebot.filtered = function (data, state, hay) {
    const c = data.columns, matches = query(state.q), tests = [];
    const coded = (key) => {
      const wanted = c[key].words.indexOf(state[key]);
      tests.push((row) => c[key].rows[row] === wanted);
    };
    const merge = c.kind.words.indexOf("merge");
    if (!state.hidden) tests.push((row) => row < data.ranked && !c.flags[row]);
    if (state.kind === "merge") tests.push((row) => c.kind.rows[row] === merge);
    if (state.kind === "parent") tests.push((row) => c.kind.rows[row] !== merge);
    if (state.kind === "better") tests.push((row) => c.holds[row]); // after correction
    for (const key of ["method", "base", "license"]) if (state[key]) coded(key);
    if (state.verdict) {
      const wanted = data.verdicts.findIndex((verdict) => verdict[2] === state.verdict);
      tests.push((row) => c.verdict[row] === wanted);
    }
    const limit = (text, test) => { if (text !== "" && isFinite(text)) tests.push(test(Number(text))); };
    limit(state.min, (low) => (row) => c.params[row] !== null && c.params[row] >= low * 1e6);
    limit(state.max, (high) => (row) => c.params[row] !== null && c.params[row] <= high * 1e6);
    limit(state.memory, (gb) => (row) => c.memory[row] !== null && c.memory[row] <= gb * 1000);
    if (state.since)
      tests.push((row) => (mergebot.word(c.created, row) || "") >= state.since);
    const rows = [];
    for (let row = 0; row < c.name.length; row++)
      if (tests.every((test) => test(row)) && matches(hay[row])) rows.push(row);
    return rows;
  };

  /* Stable; what is missing comes last both ways; equals keep the board's own order. */
  mergebot.sorted = function (rows, column, down) {
    if (column.key === "score" && down) return rows;
    const sign = down ? -1 : 1;
    const keys = column.numeric ? numbers(column, rows) : mergebot.places(column);
    return rows.slice().sort((a, b) => {
      const left = keys[a], right = keys[b];
      if (left !== left || right !== right) return (left !== left) - (right !== right) || a - b;
      return sign * (left - right) || a - b;
    });
  };

  /* Sort keys by row number; NaN, the only value unequal to itself, where there is none. */
  function numbers(column, rows) {
    const keys = new Float64Array(rows.length ? rows[rows.length - 1] + 1 : 0);
    for (const row of rows) keys[row] = column.value(row) ?? NaN;
    return keys;
  }

  /* Each row's place in the order of a column's texts; worked out once for all rows. */
  mergebot.places = function (column) {
    if (column.places) return column.places;
    const texts = column.all.map((row) => column.value(row)?.toLowerCase() ?? null);
    const words = [...new Set(texts)].filter((text) => text !== null).sort();
    const place = new Map(words.map((text, at) => [text, at]));
    column.places = Float64Array.from(texts, (text) => place.get(text) ?? NaN);
    return column.places;
  };
})(window.mergebot);
