// What is wider than its box scrolls there; who reads with a keyboard must be able to reach it.
function reachScrolling() {
  const boxes = document.querySelectorAll(".bd-article :is(.pst-scrollable-table-container, pre, .math, .text_html, .drawing)");
  for (const [number, box] of boxes.entries()) {
    const wide = box.scrollWidth > box.clientWidth;
    if (wide === (box.getAttribute("tabindex") === "0")) continue;
    if (wide) {
      const caption = box.querySelector("caption .caption-text");
      box.setAttribute("tabindex", "0");
      box.setAttribute("role", "region");
      box.setAttribute("aria-label", caption ? caption.textContent.trim() : `scrolls sideways, part ${number + 1}`);
    } else {
      ["tabindex", "role", "aria-label"].forEach((name) => box.removeAttribute(name));
    }
  }
}

// The theme's switches of folded parts of the table of contents have a picture and no name; its logo is in no landmark.
function nameParts() {
  const logo = document.querySelector(".bd-sidebar-primary .sidebar-primary-item:has(> .navbar-brand)");
  logo?.setAttribute("role", "navigation");
  logo?.setAttribute("aria-label", "Start of the book");
  for (const toggle of document.querySelectorAll("summary:has(.toctree-toggle)")) {
    toggle.setAttribute("aria-label", `pages below ${toggle.closest("li").querySelector("a").textContent.trim()}`);
  }
}

// Paper is white: what is printed in dark mode has the colours of light mode.
function printLight() {
  const page = document.documentElement, { theme } = page.dataset;
  page.dataset.theme = "light";
  window.addEventListener("afterprint", () => { page.dataset.theme = theme; }, { once: true });
}

window.addEventListener("beforeprint", printLight);
window.addEventListener("load", nameParts);
window.addEventListener("load", reachScrolling);
window.addEventListener("resize", reachScrolling);
document.addEventListener("toggle", reachScrolling, true); // of what is folded
