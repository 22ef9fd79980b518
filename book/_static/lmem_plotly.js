// Draws each stored figure when it comes into view, in the colours of the page's theme; all of them before printing.
(() => {
  const colours = () => {
    const dark = document.documentElement.dataset.theme === "dark";
    return { ink: dark ? "#e6e6e6" : "#222222", grid: "rgba(128,128,128,0.3)", paper: "rgba(0,0,0,0)" };
  };
  const drawn = new Set();

  // the settings that follow the theme, for plotly's relayout
  const look = (layout) => {
    const { ink, grid, paper } = colours();
    const found = { "font.color": ink, paper_bgcolor: paper, plot_bgcolor: paper };
    Object.keys(layout)
      .filter((key) => /^[xy]axis\d*$/.test(key))
      .forEach((key) => {
        found[`${key}.gridcolor`] = grid;
        found[`${key}.zerolinecolor`] = grid;
      });
    return found;
  };

  const draw = async (box) => {
    if (drawn.has(box)) return;
    drawn.add(box);
    const { data, layout, frames } = JSON.parse(box.querySelector("script").textContent);
    const settings = { responsive: true, displayModeBar: false };
    await Plotly.newPlot(box, data, { ...layout, autosize: true, width: undefined }, settings);
    await Plotly.relayout(box, look(box.layout));
    if (frames.length) await Plotly.addFrames(box, frames);
  };

  const start = () => {
    const boxes = [...document.querySelectorAll(".lmem-plotly")];
    const watch = new IntersectionObserver(
      (seen) => seen.filter((s) => s.isIntersecting).forEach((s) => draw(s.target)),
      { rootMargin: "300px" },
    );
    boxes.forEach((box) => watch.observe(box));
    new MutationObserver(() => drawn.forEach((box) => box.layout && Plotly.relayout(box, look(box.layout)))).observe(
      document.documentElement,
      { attributes: true, attributeFilter: ["data-theme"] },
    );
    addEventListener("beforeprint", () => boxes.forEach(draw));
  };

  if (document.readyState === "loading") addEventListener("DOMContentLoaded", start);
  else start();
})();
