/* What the tabs need from the browser: the board's table, addresses, focus. Called by `js_on_load`
   of the HTML components and by tab events; state lives in the address. */
"use strict";
window.mergebot = window.mergebot || {};
(function (mergebot) {
  function address(change) {
    const params = new URLSearchParams(location.search);
    for (const key of ["tab", "model", "m"]) params.delete(key);
    change(params);
    const query = params.toString();
    const next = query ? "?" + query : location.pathname;
    if (next !== location.search) history.pushState(null, "", next);
  }
  /* Tabs report themselves while the page is built, too: only what people do is written down. */
  let arrived = false;
  mergebot.arrived = () => { arrived = true; };
  mergebot.goTab = function (tab) {
    const now = new URLSearchParams(location.search);
    const shown = now.get("tab") || (now.has("model") ? "model" : "board");
    if (arrived && shown !== tab)
      address((params) => { if (tab !== "board") params.set("tab", tab); });
  };
  mergebot.goModel = (id) => address((params) => params.set("model", id));
  mergebot.goCompare = (baseline, others) => address((params) => {
    params.set("tab", "compare");
    for (const id of [baseline, ...(others || [])]) if (id) params.append("m", id);
  });
  window.addEventListener("popstate", () => location.reload());

  /* The board: draws from data of its own, opens model pages without loading the page anew. */
  mergebot.boardTab = function (element, trigger, watch, shareBase) {
    let version = "";
    function mount() {
      const root = element.querySelector("#lb");
      if (!root || root.dataset.version === version) return;
      version = root.dataset.version;
      const fresh = root.cloneNode(true); // without the listeners of an earlier mount
      root.replaceWith(fresh);
      if (!fresh.querySelector("#mb-table")) return;
      const load = (name) => fetch("board/" + name + "?" + version).then((answer) => answer.json());
      load("data").then((data) => mergebot.mount(fresh, {
        data,
        loadExtra: () => load("extra"),
        loadVotes: () => load("votes"),
        pageOf: (id) => "?model=" + id,
        compareOf: (ids) => "?tab=compare&" + ids.map((id) => "m=" + id).join("&"),
        shareBase,
      }));
    }
    watch("value", mount);
    mount();
    mergebot.openLinks(element, trigger);
  };

  /* Links to models inside a component open the model tab. */
  mergebot.openLinks = function (element, trigger) {
    element.addEventListener("click", (event) => {
      const link = event.target.closest('a[href^="?model="]');
      if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
      event.preventDefault();
      const model = new URLSearchParams(link.getAttribute("href")).get("model");
      mergebot.goModel(model);
      trigger("open", { model });
    });
  };

  /* A page that was opened takes the focus at its heading. */
  mergebot.focusHeading = function (element, watch) {
    const focus = () => {
      const heading = element.querySelector("h1, h2");
      if (heading && element.offsetParent) {
        heading.tabIndex = -1;
        heading.focus({ preventScroll: false });
      }
    };
    watch("value", focus);
    if (/[?&](model|tab=compare)/.test(location.search)) setTimeout(focus, 0);
  };

  /* "Go to line 5" selects that line of the recipe. */
  mergebot.lineLinks = function (element) {
    element.addEventListener("click", (event) => {
      const link = event.target.closest("[data-line]");
      const box = document.querySelector("#recipe-text textarea");
      if (!link || !box) return;
      event.preventDefault();
      const lines = box.value.split("\n"), line = Number(link.dataset.line) - 1;
      const start = lines.slice(0, line).join("\n").length + (line > 0 ? 1 : 0);
      box.focus();
      box.setSelectionRange(start, start + (lines[line] || "").length);
      box.scrollTop = box.scrollHeight * (line / lines.length) - box.clientHeight / 2;
    });
  };

  /* Buttons with `data-copy` put their text on the clipboard and say so. */
  mergebot.copyButtons = function (element) {
    element.addEventListener("click", (event) => {
      const button = event.target.closest("[data-copy]");
      if (!button) return;
      const label = button.textContent;
      navigator.clipboard.writeText(button.dataset.copy).then(
        () => { button.textContent = "Copied"; },
        () => { button.textContent = "The browser refused"; });
      setTimeout(() => { button.textContent = label; }, 2000);
    });
  };

  /* The newest words stay in view until the reader scrolls up, and again from the bottom on. */
  mergebot.follow = function (id) {
    const pane = document.getElementById(id);
    if (!pane || pane.dataset.follow) return;
    pane.dataset.follow = "yes";
    const scroller = () => pane.querySelector("[role=log]");
    const atBottom = (log) => log.scrollHeight - log.scrollTop - log.clientHeight < 40;
    const leave = () => { pane.dataset.follow = "no"; };
    pane.addEventListener("wheel", (event) => { if (event.deltaY < 0) leave(); }, { passive: true });
    pane.addEventListener("touchmove", leave, { passive: true });
    pane.addEventListener("keydown", (event) => {
      if (["PageUp", "ArrowUp", "Home"].includes(event.key)) leave();
    });
    pane.addEventListener("scrollend", () => {
      const log = scroller();
      if (log && atBottom(log)) pane.dataset.follow = "yes";
    }, true);
    new MutationObserver(() => {
      const log = scroller();
      if (log && pane.dataset.follow === "yes") log.scrollTop = log.scrollHeight;
    }).observe(pane, { childList: true, subtree: true, characterData: true });
  };

  /* On a narrow screen the two panes are tabs; a dot says that the hidden one has news. */
  mergebot.paneTabs = function (element) {
    const panes = document.getElementById("chat-panes");
    const buttons = [...element.querySelectorAll("[role=tab]")];
    function show(button) {
      panes.dataset.pane = button.dataset.pane;
      for (const one of buttons) {
        one.setAttribute("aria-selected", String(one === button));
        one.tabIndex = one === button ? 0 : -1;
      }
      button.classList.remove("chat-unread");
    }
    element.addEventListener("click", (event) => {
      const button = event.target.closest("[role=tab]");
      if (button) show(button);
    });
    element.addEventListener("keydown", (event) => {
      if (!["ArrowLeft", "ArrowRight"].includes(event.key)) return;
      const other = buttons[panes.dataset.pane === "A" ? 1 : 0];
      show(other);
      other.focus();
    });
    new MutationObserver((changes) => {
      for (const button of buttons) {
        const pane = document.getElementById("chat-pane-" + button.dataset.pane);
        const news = pane && changes.some((change) => pane.contains(change.target));
        if (news && panes.dataset.pane !== button.dataset.pane) button.classList.add("chat-unread");
      }
    }).observe(panes, { childList: true, subtree: true, characterData: true });
    show(buttons[0]);
  };

  /* 1, 2, 0 and 9 vote while the buttons are shown and nobody is typing. */
  const KEYS = { 1: "left", 2: "right", 0: "tie", 9: "both-bad" };
  let listening = false;
  mergebot.voteKeys = function () {
    if (listening) return;
    listening = true;
    document.addEventListener("keydown", (event) => {
      const typing = /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName);
      if (typing || event.ctrlKey || event.metaKey || event.altKey || !(event.key in KEYS)) return;
      const button = document.getElementById("vote-" + KEYS[event.key]);
      if (button && button.offsetParent) button.click();
    });
  };
})(window.mergebot);
