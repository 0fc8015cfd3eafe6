// Every place on a stroke's way reaches the desk. The views send a move when the desk has answered
// the one before, and of those that wait meanwhile only the last: while the desk draws or saves, a
// curve would become a straight line. So the way is kept here, with the places between two
// pictures that the browser knows, and told right before the view sends the release.
(() => {
  "use strict";

  // Pixels of the page between two places: no eye tells a line of so few from a curve.
  const STEP = 2;
  const held = new Map();

  const add = (stroke, event, step) => {
    const [x, y] = stroke.last;
    if (Math.hypot(event.clientX - x, event.clientY - y) < step) return;
    stroke.last = [event.clientX, event.clientY];
    stroke.places.push([
      (event.clientX - stroke.box.left) / stroke.box.width,
      (stroke.box.bottom - event.clientY) / stroke.box.height,
    ]);
  };

  const on = (kind, act) => window.addEventListener(kind, act, { capture: true, passive: true });
  on("pointerdown", (event) => {
    const area = event.target.closest?.(".remote-controlled-area");
    const view = area?.closest("[data-view]")?.dataset.view;
    if (!view || event.button !== 0) return;
    const stroke = { view, box: area.getBoundingClientRect(), last: [Infinity, 0], places: [] };
    held.set(event.pointerId, stroke);
    add(stroke, event, 0);
  });
  on("pointermove", (event) => {
    const stroke = held.get(event.pointerId);
    if (!stroke) return;
    for (const each of event.getCoalescedEvents?.() ?? []) add(stroke, each, STEP);
    add(stroke, event, STEP);
  });
  for (const kind of ["pointerup", "pointercancel"]) {
    on(kind, (event) => {
      const stroke = held.get(event.pointerId);
      if (!stroke || (kind === "pointerup" && event.button !== 0)) return;
      held.delete(event.pointerId);
      if (kind === "pointerup") add(stroke, event, Number.MIN_VALUE);
      window.trame?.trigger("way", [stroke.view, stroke.places])?.catch?.(() => {});
    });
  }
})();
