// Draws each stored figure when it comes into view, in the colours of the page's theme and with its words inside it; all of
// them before printing.
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

  // a text in lines of so many letters
  const broken = (text, most) =>
    text
      .split(" ")
      .reduce((lines, word) => {
        const longer = `${lines.at(-1)} ${word}`;
        return lines.length && longer.length <= most ? [...lines.slice(0, -1), longer] : [...lines, word];
      }, [])
      .join("<br>");

  // plotly's slider cannot be reached with the keyboard: below the figure stands one of the browser's own, and its room is given back
  const ROOM = 95;
  const sliderOf = (box, title, { steps, active, currentvalue: { prefix = "", suffix = "" } }) => {
    const made = document.createElement("label");
    made.className = "lmem-slider";
    made.innerHTML = '<input type="range" min="0"><output></output>';
    const [range, said] = made.children, say = (at) => (said.textContent = `${prefix}${steps[at].label}${suffix}`);
    Object.assign(range, { max: steps.length - 1, value: active || 0 });
    const show = () => range.setAttribute("aria-valuetext", say(range.value));
    range.setAttribute("aria-label", `${prefix.replace(/[:= ]+$/, "")}: ${title}`);
    range.addEventListener("input", () => (show(), Plotly.animate(box, ...steps[range.value].args)));
    show();
    return made;
  };

  // in a narrow figure titles have more lines, panels smaller headings
  const fit = (layout, frames, width) => {
    const margin = (layout.margin = { l: 80, r: 80, t: 100, ...layout.margin });
    const inside = width - margin.l - margin.r;
    const titles = [layout, ...frames.map((frame) => frame.layout)].map((one) => one?.title).filter((one) => one?.text);
    const more = Math.max(0, ...titles.map((title) => {
      title.text = broken(title.text, width / 9);
      if (title.subtitle?.text) title.subtitle.text = broken(title.subtitle.text, width / 6.8);
      return `${title.text} ${title.subtitle?.text}`.split("<br>").length - 1;
    }));
    margin.t += 20 * more;
    if (layout.height) layout.height += 20 * more;
    const heads = (layout.annotations || []).filter((one) => one.xref === "paper" && !one.showarrow && one.text);
    heads.forEach((one) => {
      const room = inside / heads.filter((other) => other.y === one.y).length;
      const size = one.font?.size || 12;
      one.font = { ...one.font, size: Math.min(size, Math.max(9, room / (0.55 * one.text.length))) };
    });
  };

  // the titles of horizontal axes, in lines that fit; how long an axis is shows only when the figure is drawn
  const titles = (box) =>
    Object.fromEntries(
      Object.entries(box.layout)
        .filter(([key, axis]) => /^xaxis\d*$/.test(key) && axis.title?.text)
        .map(([key, axis]) => [`${key}.title.text`, broken(axis.title.text, box._fullLayout[key]._length / 7.2)]),
    );

  const draw = async (box) => {
    if (drawn.has(box)) return;
    drawn.add(box);
    const { data, layout, frames } = JSON.parse(box.querySelector("script").textContent);
    const settings = { responsive: true, displayModeBar: false };
    const [slider] = layout.sliders || [];
    if (slider) {
      delete layout.sliders;
      layout.margin.b -= ROOM;
      layout.height -= ROOM;
      box.style.minHeight = `${layout.height}px`;
      box.after(sliderOf(box, layout.title?.text || "figure", slider));
    }
    fit(layout, frames, box.clientWidth);
    data.filter((one) => one.type === "bar" && one.error_y).forEach((one) => (one.error_y.color ??= "#808080")); // seen on any ground
    await Plotly.newPlot(box, data, { ...layout, autosize: true, width: undefined }, settings);
    await Plotly.relayout(box, { ...look(box.layout), ...titles(box) });
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
