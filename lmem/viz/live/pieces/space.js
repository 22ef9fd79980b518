/* The design space: choose a write, a read and a size. Pairs with a score show it, and those with an adapter run; the others say what
   is missing. The scores are those of the table in the page. */
(() => {
  const live = globalThis.lmemLive, { element } = live;
  const FORMS = { rows: "rows", square: "one square matrix", keyed: "rows of key and value", spans: "rows of a key and the words of a fact" };
  const named = (name) => name.replaceAll("_", " ");

  class Space {
    constructor(box, options, fail) {
      Object.assign(this, { box, fail, backbone: options.model || "nano", forms: JSON.parse(options.forms), sites: JSON.parse(options.sites) });
      const table = box.still.find((one) => one.matches?.("table")) || box.still.map((one) => one.querySelector?.("table")).find(Boolean);
      this.entries = [...table.tBodies[0].rows].map((row) => ({ ...row.dataset, scores: { 1: row.cells[2].textContent, 10: row.cells[3].textContent } }));
      this.writes = [...new Set(this.entries.map(({ write }) => write))];
      this.reads = Object.keys(this.sites).filter((read) => this.entries.some((one) => one.read === read));
      const order = [...new Set(["before the encoder", ...this.reads.map((read) => this.sites[read])])];
      this.reads.sort((a, b) => order.indexOf(this.sites[a]) - order.indexOf(this.sites[b]));
      this.choice = { write: "slots", read: "extension", scale: 10 };
      this.run = null;
      this.build();
      live.file(`${this.backbone}-words`).then((words) => (this.words = words)).catch(fail);
    }

    build() {
      const select = (label, values, name) => {
        const options = values.map((value) => element("option", { value }, named(value)));
        const made = element("select", { "aria-label": label, onchange: () => this.choose({ [name]: made.value }) }, ...options);
        made.value = this.choice[name];
        return (this[name] = made);
      };
      const sizes = [[1, "1x: 64 rows"], [10, "10x: 640 rows"]].map(([value, text]) => element("option", { value }, text));
      this.scale = element("select", { "aria-label": "size", onchange: () => this.choose({ scale: Number(this.scale.value) }) }, ...sizes);
      this.scale.value = this.choice.scale;
      const field = (text, control) => element("label", {}, element("span", { class: "live-label" }, text), control);
      this.map = element("table", { class: "live-map", onkeydown: (event) => this.move(event) });
      this.verdict = element("div", { class: "live-found", "aria-live": "polite" });
      this.status = element("p", { class: "live-status", role: "status" });
      this.box.replaceChildren(
        element("div", { class: "live-fields" }, field("write", select("write", this.writes, "write")), field("read", select("read", this.reads, "read")), field("size", this.scale)),
        this.map, this.status, this.verdict);
      this.draw();
    }

    entriesOf(write, read) {
      return this.entries.filter((one) => one.write === write && one.read === read);
    }

    /** The largest score of a pair at the chosen size, as a number; null without one. */
    best(write, read) {
      const numbers = this.entriesOf(write, read).map(({ scores }) => parseFloat(scores[this.choice.scale])).filter((value) => !Number.isNaN(value));
      return numbers.length ? Math.max(...numbers) : null;
    }

    choose(change) {
      Object.assign(this.choice, change);
      for (const name of ["write", "read", "scale"]) this[name].value = this.choice[name];
      this.run = null;
      this.draw();
    }

    /** Tab leads to the chosen cell of the map, and arrow keys from there to its neighbours. */
    move(event) {
      const [down, right] = { ArrowDown: [1, 0], ArrowUp: [-1, 0], ArrowRight: [0, 1], ArrowLeft: [0, -1] }[event.key] || [];
      if (down === undefined) return;
      event.preventDefault();
      const next = (list, at, step) => list[(list.indexOf(at) + step + list.length) % list.length];
      this.choose({ write: next(this.writes, this.choice.write, down), read: next(this.reads, this.choice.read, right) });
    }

    draw() {
      const { write, read } = this.choice, groups = new Map();
      for (const one of this.reads) groups.set(this.sites[one], (groups.get(this.sites[one]) || 0) + 1);
      const cell = (row, column) => {
        const fits = this.entriesOf(row, column).length > 0, best = this.best(row, column), chosen = row === write && column === read;
        const text = best === null ? (fits ? "–" : "") : String(Math.round(best)), words = best === null ? (fits ? "no score yet" : "does not fit") : `memory score ${text}`;
        const button = element("button", { type: "button", tabindex: chosen ? 0 : -1, "aria-pressed": String(chosen), "aria-label": `${named(row)} and ${named(column)}: ${words}`, class: fits ? "" : "live-unfit", onclick: () => this.choose({ write: row, read: column }) }, text || "\u00a0");
        button.style.setProperty("--share", Math.max(0, best || 0) / 100);
        return element("td", {}, button);
      };
      const focused = this.map.contains(document.activeElement);
      this.map.replaceChildren(
        element("caption", {}, "The best memory score of each pair at this size, of 100. “–” fits and has no score; where there is nothing, write and read do not fit."),
        element("thead", {},
          element("tr", {}, element("td", {}), ...[...groups].map(([site, columns]) => element("th", { colspan: columns, scope: "colgroup" }, site))),
          element("tr", {}, element("td", {}), ...this.reads.map((one) => element("th", { scope: "col" }, named(one))))),
        element("tbody", {}, ...this.writes.map((row) => element("tr", {}, element("th", { scope: "row" }, named(row)), ...this.reads.map((column) => cell(row, column))))));
      if (focused) this.map.querySelector("[aria-pressed=true]")?.focus();
      this.tell();
    }

    /** What is known of the chosen pair. */
    tell() {
      const { write, read, scale } = this.choice, entries = this.entriesOf(write, read), names = new Set(entries.map(({ name }) => name).filter((name) => /^m\d/.test(name)));
      const title = element("p", { class: "live-title" }, `${named(write)} + ${named(read)} at ${scale}x${[...names].map((name) => `, the paper’s ${name.toUpperCase().replace("M", "M.")}`).join("")}`);
      const parts = [title];
      if (!entries.length) parts.push(element("p", {}, `They do not fit. The write ${named(write)} keeps ${FORMS[this.forms[write]]}; the read ${named(read)} expects ${FORMS[this.forms[read]]}.`));
      else parts.push(element("p", {}, `The read enters ${this.sites[read]}.`));
      for (const entry of entries) parts.push(this.variant(entry));
      if (this.run) parts.push(this.run);
      this.verdict.replaceChildren(...parts);
    }

    /** One way in which the pair was trained, its score, and a button that runs it. */
    variant(entry) {
      const { write, read, scale } = this.choice, score = entry.scores[scale], known = !Number.isNaN(parseFloat(score));
      const box = element("div", { class: "live-variant" });
      if (known) box.append(element("p", {}, element("b", { class: "live-score" }, score.split(" ")[0]), ` ${entry.kind} `, element("small", {}, score.split(" ").slice(1).join(" "))));
      else {
        box.append(element("p", {}, `${entry.kind ? `${entry.kind[0].toUpperCase()}${entry.kind.slice(1)}, at` : "They fit, and nothing was measured at"} ${scale}x: no score yet. What is missing is an adapter of this size and a run of the evaluation:`));
        box.append(element("pre", {}, entry.command.replaceAll("{scale}", scale)));
      }
      const sizes = (entry.sizes || "").split(" ").filter(Boolean).map(Number);
      if (sizes.includes(scale)) box.append(element("button", { type: "button", onclick: () => this.start(entry) }, `Run it here${entry.kind ? `, ${entry.kind}` : ""}`));
      else if (sizes.length) box.append(element("p", { class: "live-hint" }, `In this page it runs at ${sizes.map((one) => `${one}x`).join(" and ")}.`));
      else if (known && entry.elsewhere) box.append(element("p", { class: "live-hint" }, `It runs on ${entry.elsewhere}.`));
      else if (known) box.append(element("p", { class: "live-hint" }, "Its adapter is not part of the package, so it does not run in this page."));
      return box;
    }

    /** Tell it four sentences, and its twin four with other values; ask both. */
    async start(entry) {
      const { words } = this, { scale } = this.choice, running = (this.running = {});
      const say = (text) => (this.status.textContent = text);
      say("Loading the model into your browser, once …");
      this.verdict.querySelectorAll("button").forEach((button) => (button.disabled = true));
      this.box.setAttribute("aria-busy", "true");
      try {
        const told = words.tell.filter(({ after, ask, label }) => !after && (ask || label)).slice(0, 4), adapter = await live.adapter(this.backbone, entry.adapter, scale);
        const twin = told.map(({ text }) => live.counterfactual(words, text)), answers = [];
        const banks = [];
        for (const other of [false, true]) {
          say("Writing two banks …");
          const turns = told.map(({ text }, i) => [words.speaker, (other && twin[i]?.text) || text]);
          banks.push(await live.call("writeAll", { bank: await live.call("bank", adapter.id), turns }));
        }
        for (const [i, { ask }] of told.entries())
          if (ask) say(`Asking both banks: ${ask}`), answers.push({ ask, value: twin[i]?.swaps[0].own, other: twin[i]?.swaps[0].other, said: await Promise.all(banks.map(async (bank) => (await live.call("ask", { bank, question: ask })).text)) });
        await live.call("drop", banks);
        if (running === this.running) this.report(entry, told, answers);
        this.status.textContent = "";
      } catch (error) {
        say(`That did not work: ${error.message}.`);
      }
      this.verdict.querySelectorAll("button").forEach((button) => (button.disabled = false));
      this.box.removeAttribute("aria-busy");
    }

    report(entry, told, answers) {
      const mark = (right) => element("span", { class: right ? "live-right" : "live-wrong" }, right ? "right" : "wrong");
      const rows = answers.map(({ ask, value, other, said: [own, twin] }) =>
        element("tr", {}, element("td", {}, ask), element("td", {}, mark(own === value), own || "(nothing)"), element("td", {}, mark(twin === other), twin || "(nothing)")));
      const both = answers.filter(({ value, other, said: [own, twin] }) => own === value && twin === other).length, all = answers.length;
      const verdict = both ? `${both} of ${all} questions are answered rightly from both banks. These answers come from the memory.` : "No question is answered rightly from both banks, so nothing here shows that an answer comes from the memory.";
      this.run = element("div", {},
        element("p", {}, `Told: ${told.map(({ text }) => `“${text}”`).join(" ")} The twin was told the same with other values.`),
        element("table", { class: "live-answers" }, element("thead", {}, element("tr", {}, ...["asked", "this bank", "the twin’s bank"].map((text) => element("th", { scope: "col" }, text)))), element("tbody", {}, ...rows)),
        element("p", {}, verdict));
      this.tell();
    }
  }

  live.pieces.space = (box, options, fail) => (box.piece = new Space(box, options, fail));
})();
