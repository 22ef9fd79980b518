// What scrolls in a box of its own can be reached with Tab, so that the arrow keys move it. The theme does so for code and tables.
(() => {
  const boxes = ".lmem-plotly, div.math, details, div.cell_output div.text_html, .bd-article figure";
  const look = () =>
    document.querySelectorAll(boxes).forEach((box) => {
      const over = box.scrollWidth > box.clientWidth + 1 || box.scrollHeight > box.clientHeight + 1;
      if (over) box.tabIndex = 0;
      else box.removeAttribute("tabindex");
    });
  const soon = () => requestAnimationFrame(look);
  addEventListener("load", soon);
  addEventListener("resize", soon);
  document.addEventListener("toggle", soon, true); // a folded part that is opened
})();
