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

  // Names of lines and bars above a picture, as buttons that hide and show them.
  function name(place, traces) {
    const named = traces.filter((trace) => trace.name);
    if (named.length < 2) return;
    const names = document.createElement("div");
    names.className = "names";
    for (const trace of named) {
      const button = document.createElement("button");
      const stroke = document.createElement("span");
      stroke.className = "stroke";
      stroke.style.borderTopColor = (trace.line ?? trace.marker).color;
      stroke.style.borderTopStyle = { dash: "dashed", dot: "dotted" }[trace.line?.dash] ?? "solid";
      button.type = "button";
      button.append(stroke, trace.name);
      button.setAttribute("aria-pressed", trace.visible !== "legendonly");
      button.addEventListener("click", () => {
        const shown = trace.visible === "legendonly";
        trace.visible = shown ? true : "legendonly";
        button.setAttribute("aria-pressed", shown);
        draw(false);
      });
      names.append(button);
    }
    place.before(names);
  }

  function draw(printing) {
    root.classList.toggle("printing", printing);
    const colours = getComputedStyle(root);
    for (const [id, picture] of Object.entries(pictures)) {
      const { data, layout } = coloured(picture, colours);
      if (printing) layout.width = PAPER_WIDTH;
      Plotly.react(id, data, layout, { displayModeBar: false, responsive: !printing });
      // The picture has a text of its own; its parts say nothing without it.
      document.querySelector(`#${id} > .plot-container`)?.setAttribute("aria-hidden", "true");
    }
  }

  for (const [id, picture] of Object.entries(pictures)) {
    name(document.getElementById(id), picture.data);
  }
  draw(false);
  // Where Plotly measures texts: nothing that a screen reader should meet.
  document.getElementById("js-plotly-tester")?.setAttribute("aria-hidden", "true");
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => draw(false));
  addEventListener("beforeprint", () => draw(true));
  addEventListener("afterprint", () => draw(false));
})();
