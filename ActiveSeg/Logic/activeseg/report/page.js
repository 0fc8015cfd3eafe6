(() => {
  const root = document.documentElement;
  const button = document.getElementById("theme");
  const system = matchMedia("(prefers-color-scheme: dark)");
  const dark = () => (root.dataset.theme ? root.dataset.theme === "dark" : system.matches);
  const show = () => button.setAttribute("aria-pressed", String(dark()));
  button.addEventListener("click", () => {
    root.dataset.theme = dark() ? "light" : "dark";
    show();
  });
  system.addEventListener("change", show);
  show();
  for (const box of document.querySelectorAll("input[data-layer]")) {
    const apply = () => root.classList.toggle("without-" + box.dataset.layer, !box.checked);
    box.addEventListener("change", apply);
    apply();
  }
  const size = document.getElementById("size");
  if (size) {
    const apply = () => root.style.setProperty("--card", size.value + "px");
    size.addEventListener("input", apply);
    apply();
  }
})();
