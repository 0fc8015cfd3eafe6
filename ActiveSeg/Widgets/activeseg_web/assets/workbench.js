// The page's own hands: keys, theme, dialogs, signs of life, and coming back after a lost
// connection. What is decided is decided by the desk; here it is only told.
(() => {
  "use strict";

  // What is told while the connection goes is told again by nobody, and needs not be.
  const tell = (name, ...words) => window.trame?.trigger(name, words)?.catch?.(() => {});
  const dialog = () => document.querySelector("dialog[open]");
  const busy = () => document.querySelector(".slice-head h2") === null;

  const openDialog = (name) => {
    const found = document.getElementById(name);
    if (found && !dialog() && !(name === "skipping" && busy())) found.showModal();
  };

  // Keys. Those that are not named here stay the browser's; none reaches the pictures, where
  // single letters would move slices.
  const KEYS = {
    b: () => tell("use", "paint"),
    e: () => tell("use", "erase"),
    d: () => tell("use", "draw"),
    w: () => tell("use", "window"),
    "[": () => tell("grow", -1),
    "]": () => tell("grow", 1),
    n: () => tell("nothing_here"),
    s: () => openDialog("skipping"),
    z: () => tell("undo"),
    y: () => tell("redo"),
    p: () => tell("back"),
    backspace: () => tell("back"),
    r: () => tell("undo_answer"),
    u: () => tell("doubt"),
    home: () => tell("home"),
    "?": () => openDialog("shortcuts"),
  };
  const typing = (element) =>
    element?.matches?.("input:not([type=range],[type=checkbox],[type=radio]), textarea, select");
  const pressing = (element) => element?.matches?.("button, a, input, [role=button]");

  const onKey = (event) => {
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (dialog() || typing(event.target)) return;
    const held = event.ctrlKey || event.metaKey;
    if (key === "Enter") {
      if (!held && pressing(document.activeElement)) return;
      event.preventDefault();
      event.stopImmediatePropagation();
      if (!event.repeat) tell("accept");
      return;
    }
    if (held && (key === "z" || key === "y")) {
      tell(key === "y" || event.shiftKey ? "redo" : "undo");
    } else if (held || event.altKey) {
      return;
    } else if (/^[1-9]$/.test(key)) {
      tell("choose_nth", Number(key));
    } else if (KEYS[key.toLowerCase()]) {
      if (event.repeat && !"[]zy".includes(key)) return;
      KEYS[key.toLowerCase()]();
    } else {
      if (event.key.length === 1 && event.key !== " ") event.stopImmediatePropagation();
      return;
    }
    event.preventDefault();
    event.stopImmediatePropagation();
  };
  window.addEventListener("keydown", onKey, true);
  for (const kind of ["keypress", "keyup"]) {
    window.addEventListener(
      kind,
      (event) => {
        if (event.key.length === 1 && !typing(event.target)) event.stopImmediatePropagation();
      },
      true,
    );
  }

  // Theme: the system's, until it is chosen here.
  const THEME = "activeseg-theme";
  const root = document.documentElement;
  const light = window.matchMedia("(prefers-color-scheme: light)");
  const remember = (theme) => {
    try {
      if (theme) localStorage.setItem(THEME, theme);
      return localStorage.getItem(THEME);
    } catch {
      return theme; // a browser that keeps nothing
    }
  };
  const dress = (theme) => {
    root.dataset.theme = theme || (light.matches ? "light" : "dark");
  };
  dress(remember());
  light.addEventListener("change", () => dress(remember()));

  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("button");
    if (!button) return;
    if (button.dataset.do === "theme") {
      dress(remember(root.dataset.theme === "dark" ? "light" : "dark"));
    }
    if (button.dataset.dialog) openDialog(button.dataset.dialog);
    if (button.dataset.reason !== undefined) {
      button.closest("dialog").close();
      tell("skip", button.dataset.reason);
    }
    // A mouse leaves no focus behind, so that Enter accepts.
    if (event.detail > 0 && !button.closest("dialog")) button.blur();
  });
  document.addEventListener("change", (event) => {
    if (event.target.matches("[type=checkbox], [type=range]")) event.target.blur();
  });

  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.dataset.do !== "suggest") return;
    event.preventDefault();
    const chosen = new FormData(form);
    const minutes = Number(chosen.get("minutes") === "custom" ? chosen.get("custom") : chosen.get("minutes"));
    if (minutes > 0) tell("suggest", minutes);
    else form.querySelector("[name=custom]").focus();
  });
  document.addEventListener("focusin", (event) => {
    if (event.target.matches(".chip.custom [type=number]")) {
      event.target.closest(".chip").querySelector("[type=radio]").checked = true;
    }
  });

  // The line of the worklist that is on the desk is always in sight.
  let shown = null;
  new MutationObserver(() => {
    const row = document.querySelector(".row.current");
    if (row?.dataset.key !== shown) {
      shown = row?.dataset.key;
      row?.scrollIntoView({ block: "nearest" });
    }
  }).observe(document.body, { subtree: true, childList: true, attributes: true, attributeFilter: ["class"] });

  // Signs of life: the clock counts only while somebody works.
  let last = 0;
  for (const kind of ["pointermove", "pointerdown", "keydown", "wheel"]) {
    window.addEventListener(
      kind,
      () => {
        if (Date.now() - last < 5000) return;
        last = Date.now();
        tell("sign");
      },
      { capture: true, passive: true },
    );
  }
  document.addEventListener("visibilitychange", () => tell("behind", document.hidden));

  // A page that is left breaks off what it was asking; nobody is there to be told.
  let leaving = false;
  for (const kind of ["beforeunload", "pagehide"]) {
    window.addEventListener(kind, () => (leaving = true));
  }
  window.addEventListener("unhandledrejection", (event) => {
    if (leaving) event.preventDefault();
  });

  // A desk that has gone comes back under the same address: strokes are kept there.
  const comeBack = async () => {
    try {
      const answer = await fetch("./", { cache: "no-store" });
      if (answer.ok) return location.reload();
    } catch {
      // not there yet
    }
    setTimeout(comeBack, 1000);
  };
  const listen = () => {
    const client = window.trame?.client;
    if (!client?.onConnectionClose) return setTimeout(listen, 200);
    client.onConnectionClose(() => setTimeout(comeBack, 500));
  };
  listen();
})();
