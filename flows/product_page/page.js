"use strict";
// Draws every picture in the colours of the page: light, dark, or on paper.
(() => {
  const pictures = JSON.parse(document.getElementById("pictures").textContent);
  const root = document.documentElement;
  // Points of CSS: what a sheet of A4 leaves between its margins.
  const PAPER_WIDTH = 660;

  function coloured(value, colours) {
    if (typeof value === "string") {
      const name = /^var\((--[\w-]+)\)$/.exec(value);
      return name ? colours.getPropertyValue(name[1]).trim() : value;
    }
    if (Array.isArray(value)) return value.map((one) => coloured(one, colours));
    if (value !== null && typeof value === "object") {
      return Object.fromEntries(
        Object.entries(value).map(([key, one]) => [key, coloured(one, colours)]),
      );
    }
    return value;
  }

  function draw(printing) {
    root.classList.toggle("printing", printing);
    const colours = getComputedStyle(root);
    for (const [name, picture] of Object.entries(pictures)) {
      const { data, layout } = coloured(picture, colours);
      if (printing) layout.width = PAPER_WIDTH;
      Plotly.react(name, data, layout, { displayModeBar: false, responsive: !printing });
    }
  }

  draw(false);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => draw(false));
  addEventListener("beforeprint", () => draw(true));
  addEventListener("afterprint", () => draw(false));
})();
