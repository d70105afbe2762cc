// Light or dark: the system's choice until somebody makes their own.

const root = document.documentElement;
const system = matchMedia("(prefers-color-scheme: dark)");

export const dark = () => (root.dataset.theme ? root.dataset.theme === "dark" : system.matches);

// A custom property as a colour that a canvas understands.
export function colour(name) {
  const probe = document.createElement("span");
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const value = getComputedStyle(probe).color;
  probe.remove();
  return value;
}

export function theme(button, changed) {
  const chosen = localStorage.getItem("theme");
  if (chosen) root.dataset.theme = chosen;
  system.addEventListener("change", changed);
  button.addEventListener("click", () => {
    root.dataset.theme = dark() ? "light" : "dark";
    localStorage.setItem("theme", root.dataset.theme);
    changed();
  });
}
