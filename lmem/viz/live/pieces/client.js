/* The page's side of the engine: it loads scripts when they are needed, starts the worker, and asks it. */
(() => {
  const live = (globalThis.lmemLive ||= { parts: [], files: {} });
  const base = document.currentScript ? new URL("..", document.currentScript.src).href : "";
  const ENGINE = ["matrix", "tokenizer", "t5", "writes", "reads", "memory", "texts", "service"];
  const waiting = new Map(), loading = new Map();
  let worker = null, counter = 0;

  function addScript(address) {
    if (!loading.has(address))
      loading.set(address, new Promise((done, failed) => {
        const script = document.createElement("script");
        script.src = address;
        script.onload = done;
        script.onerror = () => {
          loading.delete(address); // so that it can be tried again
          failed(new Error(`the file ${address.split("/").pop()} could not be loaded`));
        };
        document.head.append(script);
      }));
    return loading.get(address);
  }

  /** A file of weights or words by its name. A notebook replaces this function by one that asks Python. */
  live.file = async (name) => {
    if (!live.files[name]) await addScript(`${base}weights/${name}.js`);
    return live.files[name];
  };

  /** Start the worker. It is made from a Blob, since a browser starts no worker from a file of a folder. */
  async function start() {
    if (!live.parts.length) for (const name of ENGINE) await addScript(`${base}engine/${name}.js`);
    const source = `"use strict"; const engine = {};
      ${live.parts.map((part) => `(${part})(engine);`).join("\n")}
      const answer = engine.serve();
      onmessage = ({data: [id, name, argument]}) => {
        try { postMessage([id, answer(name, argument)]); } catch (error) { postMessage([id, null, error.message]); }
      };`;
    const address = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
    const started = new Worker(address);
    started.onmessage = ({ data: [id, result, error] }) => {
      const [done, failed] = waiting.get(id);
      waiting.delete(id);
      if (error) failed(new Error(error));
      else done(result);
    };
    started.onerror = (event) => {
      const calls = [...waiting.values()];
      waiting.clear();
      forget();
      for (const [, failed] of calls) failed(Object.assign(new Error(`the engine stopped: ${event.message || "no worker could start"}`), { stopped: true }));
    };
    return started;
  }

  /** Ask the worker; calls are answered in their order. */
  live.call = async (name, argument) => {
    worker ||= start().catch((error) => (forget(), Promise.reject(error)));
    const running = await worker;
    return new Promise((done, failed) => {
      waiting.set(++counter, [done, failed]);
      running.postMessage([counter, name, argument]);
    });
  };

  const ready = new Map();
  /** After an engine that stopped, the next call starts another one, which knows no models yet. */
  function forget() {
    worker = null;
    ready.clear();
  }

  /** Do something once, whoever asks first; it may be tried again if it failed. */
  function once(key, work) {
    if (!ready.has(key)) ready.set(key, work().catch((error) => (ready.delete(key), Promise.reject(error))));
    return ready.get(key);
  }

  live.backbone = (name) => once(`backbone ${name}`, async () => live.call("backbone", await live.file(name)));

  /** Make an adapter ready, at a scale: {key, rows, cols, square}; `key` names it in later calls. */
  live.adapter = (backbone, name, scale) =>
    once(`adapter ${name} ${scale}`, async () => {
      await live.backbone(backbone);
      const file = await live.file(name), id = `${name} ${scale ?? file.scale}`;
      return { id, ...(await live.call("adapter", { file, name: id, backbone, scale: scale ?? file.scale })) };
    });

  /** Make an element: attributes, `on...` listeners, and children, which are elements or texts. */
  live.element = (tag, attributes = {}, ...children) => {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
      else if (value === true) made.setAttribute(name, "");
      else if (value !== false && value !== null && value !== undefined) made.setAttribute(name, value);
    }
    made.append(...children.filter((child) => child !== null && child !== undefined));
    return made;
  };

  /** Draw rows of numbers as coloured cells: blue below zero, orange above, the page's ground at zero. */
  live.draw = (canvas, { codes, cols }) => {
    const style = getComputedStyle(canvas), rows = codes.length / cols;
    const colour = (name) => style.getPropertyValue(name).trim().split(/\s+/).map(Number);
    const [low, zero, high] = ["--live-low", "--live-zero", "--live-high"].map(colour);
    canvas.width = cols;
    canvas.height = Math.max(rows, 1);
    const context = canvas.getContext("2d"), image = context.createImageData(canvas.width, canvas.height);
    codes.forEach((code, i) => {
      const share = Math.min(1, Math.abs(code - 128) / 127), end = code < 128 ? low : high;
      for (let c = 0; c < 3; c++) image.data[4 * i + c] = zero[c] + share * (end[c] - zero[c]);
      image.data[4 * i + 3] = 255;
    });
    context.putImageData(image, 0, 0);
    canvas.redraw = () => live.draw(canvas, { codes, cols });
  };

  // drawings follow the page's theme
  new MutationObserver(() => setTimeout(() => document.querySelectorAll(".lmem-live canvas").forEach((one) => one.redraw?.()), 50)).observe(
    document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });

  /** What the model can read, and what it cannot. */
  live.vocabulary = ({ title, about, known }) =>
    live.element("details", { class: "live-about" }, live.element("summary", {}, title), live.element("p", {}, about),
      ...known.map(([name, some]) => live.element("p", {}, live.element("b", {}, `${name}: `), some.join(", "))));

  /** Say openly which words of texts have no piece of their own; "" if all have one. */
  live.unread = async (backbone, ...texts) => {
    const found = await live.call("spelled", { backbone, text: texts.join(" ") }), words = [...new Set(found.map((word) => `“${word.replace(/[.,!?;:]+$/, "")}”`))];
    const more = words.length > 6 ? ` and ${words.length - 6} more` : "";
    return words.length ? `Not in this model’s vocabulary: ${words.slice(0, 6).join(", ")}${more}. It spells such a word letter by letter and will probably not read it.` : "";
  };

  live.percent = (share) => {
    if (share > 0 && share < 0.01) return "less than 1%";
    return share > 0.99 && share < 1 ? "more than 99%" : `${Math.round(100 * share)}%`;
  };

  /** Show a piece in every place that asks for one. What stands in the place is shown again, with the reason, if it cannot run. */
  live.pieces = {};
  live.show = (box) => {
    const still = (box.still ||= [...box.childNodes]), piece = live.pieces[box.dataset.piece];
    const fail = (error) => {
      const again = live.element("button", { type: "button", onclick: () => live.show(box) }, "try again");
      const words = live.element("p", { class: "live-failed", role: "status" }, `The live part cannot run here: ${error.message}. This is what it shows: `, again);
      box.removeAttribute("aria-busy");
      box.replaceChildren(words, ...still);
    };
    box.replaceChildren();
    try {
      piece(box, { ...box.dataset }, fail);
      box.dataset.ready = "";
    } catch (error) {
      fail(error);
    }
  };
  live.showAll = () => document.querySelectorAll(".lmem-live[data-piece]:not([data-ready])").forEach(live.show);
})();
