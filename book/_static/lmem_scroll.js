// What scrolls sideways in a box of its own can be reached with Tab, so that the arrow keys move it. The theme does so for code and tables.
(() => {
  const boxes = ".lmem-widget, .lmem-plotly, div.math, details, div.cell_output div.text_html";
  const look = () =>
    document.querySelectorAll(boxes).forEach((box) => {
      if (box.scrollWidth > box.clientWidth + 1) box.tabIndex = 0;
      else box.removeAttribute("tabindex");
    });
  const soon = () => requestAnimationFrame(look);
  addEventListener("load", soon);
  addEventListener("resize", soon);
  document.addEventListener("toggle", soon, true); // a folded part that is opened
})();
