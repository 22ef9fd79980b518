// Draws each stored figure when it comes into view, in the colours of the page's theme; all of them before printing.
(() => {
  const ink = () => (document.documentElement.dataset.theme === "dark" ? "#e6e6e6" : "#222222");
  const colours = () => ({ "font.color": ink() });
  const drawn = new Set();

  const draw = (box) => {
    if (drawn.has(box)) return;
    drawn.add(box);
    const figure = JSON.parse(box.querySelector("script").textContent);
    const layout = { ...figure.layout, autosize: true };
    layout.font = { ...layout.font, color: ink() };
    Plotly.newPlot(box, figure.data, layout, { responsive: true, displayModeBar: false }).then(() => {
      if (figure.frames.length) Plotly.addFrames(box, figure.frames);
    });
  };

  const start = () => {
    const boxes = [...document.querySelectorAll(".lmem-plotly")];
    const watch = new IntersectionObserver(
      (seen) => seen.filter((s) => s.isIntersecting).forEach((s) => draw(s.target)),
      { rootMargin: "300px" },
    );
    boxes.forEach((box) => watch.observe(box));
    new MutationObserver(() => drawn.forEach((box) => Plotly.relayout(box, colours()))).observe(
      document.documentElement,
      { attributes: true, attributeFilter: ["data-theme"] },
    );
    addEventListener("beforeprint", () => boxes.forEach(draw));
  };

  if (document.readyState === "loading") addEventListener("DOMContentLoaded", start);
  else start();
})();
