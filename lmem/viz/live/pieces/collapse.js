/* Watch a memory collapse: two banks, one conversation, one clock. Every step is computed in the reader's browser. */
(() => {
  const live = globalThis.lmemLive, { element } = live;
  const MARKS = ["0", "½", "1", "2", "3", "5", "10", "60"], SLOW = 900, FAST = 160;
  const quoted = ([who, text]) => `${who}: “${text}”`;

  /** One of the two banks: a method at a size, and what it looked like after each step. */
  class Side {
    constructor(piece, where, name, size) {
      Object.assign(this, { piece, name, size, steps: [], run: 0 });
      const methods = piece.words.methods, option = (value, text) => element("option", { value }, text);
      this.method = element("select", { "aria-label": `${where} bank: method`, onchange: () => this.choose() }, ...methods.map(({ adapter, label }) => option(adapter, label)));
      this.scale = element("select", { "aria-label": `${where} bank: size`, onchange: () => this.choose() });
      this.method.value = name;
      this.counter = element("p", { class: "live-count" });
      this.caption = element("p", { class: "live-hint" });
      this.canvas = element("canvas", { class: "live-bank", role: "img", "aria-label": `${where} bank: its rows, as coloured cells` });
      this.answer = element("p", { class: "live-verdict" });
      this.line = element("div", { class: "live-line", "aria-hidden": "true" });
      this.score = element("p", { class: "live-hint" });
      this.sizes(size);
      this.panel = element("section", { class: "live-side", "aria-label": `${where} bank` },
        element("div", { class: "live-choice", "data-side": where }, this.method, this.scale), this.canvas, this.counter, this.answer, this.line, this.score, this.caption);
      [...this.panel.children].forEach((one, place) => one.style.setProperty("--row", place + 2)); // where a phone shows it, below both menus
    }

    get entry() {
      return this.piece.words.methods.find(({ adapter }) => adapter === this.method.value);
    }

    sizes(wanted) {
      const list = this.entry.sizes;
      this.scale.replaceChildren(...list.map(([value, text]) => element("option", { value }, text)));
      this.scale.value = list.some(([value]) => value === wanted) ? wanted : list[0][0];
      this.caption.textContent = this.entry.about;
    }

    choose() {
      this.sizes(Number(this.scale.value));
      this.steps = [];
      this.piece.show();
      if (this.piece.started) this.compute().catch((error) => this.piece.trouble(error));
    }

    /** Compute all steps, one after the other; a new choice ends the run. */
    async compute() {
      const run = ++this.run, { piece } = this, { turns, question } = piece.words.collapse;
      const adapter = await live.adapter(piece.backbone, this.method.value, Number(this.scale.value));
      const look = async (bank, turns) => {
        const picture = await live.call("picture", { bank, count: 64 }), { text, p } = await live.call("ask", { bank, question });
        if (run !== this.run) return false;
        this.steps.push({ ...picture, text, p, right: text === (turns >= 1 ? piece.words.collapse.answer : piece.words.unknown) });
        piece.show();
        return true;
      };
      let bank = await live.call("bank", adapter.id);
      if (!(await look(bank, 0))) return;
      for (const [i, turn] of turns.entries()) {
        const [who, text] = turn;
        if (i === 0) {
          const half = await live.call("write", { bank, speaker: who, text, share: 0.5 });
          if (!(await look(half.bank, 0.5))) return;
        }
        const written = await live.call("write", { bank, speaker: who, text });
        await live.call("drop", [bank]);
        bank = written.bank;
        if (!(await look(bank, i + 1))) return;
      }
    }

    /** Show the step at this place, or the last one that is computed. */
    show(place) {
      const step = this.steps[Math.min(place, this.steps.length - 1)];
      this.panel.classList.toggle("live-waiting", !step || place >= this.steps.length);
      if (!step) {
        this.counter.textContent = this.piece.started ? "computing …" : "Press Play.";
        this.answer.textContent = this.score.textContent = "\u00a0";
        return this.line.replaceChildren();
      }
      live.draw(this.canvas, step);
      const unit = this.entry.single ? `distinct of ${step.used} rows in use, ${step.rows} in all` : `distinct of ${step.rows} rows`;
      this.counter.replaceChildren(element("b", {}, step.distinct === null ? "–" : String(step.distinct)), ` ${step.distinct === null ? "one matrix: it has no rows to compare" : unit}`);
      this.answer.replaceChildren(element("span", { class: step.right ? "live-right" : "live-wrong" }, step.right ? "right" : "wrong"), ` ${step.text || "(nothing)"}`);
      this.line.replaceChildren(...this.piece.steps.map((_, i) => {
        const one = this.steps[i];
        return element("i", { class: `${one ? (one.right ? "live-yes" : "live-no") : ""}${i === place ? " live-now" : ""}` });
      }));
      const seen = this.steps.slice(2, Math.max(place, 1) + 1), right = seen.filter((one) => one.right).length;
      this.score.textContent = seen.length ? `right after ${right} of ${seen.length} turns` : "\u00a0";
    }
  }

  class Collapse {
    constructor(box, options, fail) {
      Object.assign(this, { box, fail, backbone: options.model || "nano", place: 0, started: false, timer: null });
      live.file(`${this.backbone}-words`).then((words) => this.build(words, options)).catch(fail);
    }

    build(words, options) {
      this.words = words;
      this.steps = ["0", "½", ...words.collapse.turns.map((_, i) => String(i + 1))];
      this.sides = [new Side(this, "left", options.left || `${this.backbone}-m2`, 1), new Side(this, "right", options.right || `${this.backbone}-keyed`, 1)];
      this.play = element("button", { type: "button", class: "live-play", onclick: () => this.toggle() }, "Play");
      this.next = element("button", { type: "button", onclick: () => this.step() }, "Step");
      this.marks = MARKS.filter((mark) => this.steps.includes(mark)).map((mark) =>
        element("button", { type: "button", class: "live-mark", onclick: () => this.go(this.steps.indexOf(mark)) }, mark));
      this.slider = element("input", { type: "range", min: 0, max: this.steps.length - 1, value: 0, "aria-label": "turns written", oninput: () => this.go(Number(this.slider.value), false) });
      this.clock = element("p", { class: "live-clock", role: "status" });
      this.status = element("p", { class: "live-status", role: "status" });
      this.box.replaceChildren(
        element("div", { class: "live-row live-controls" }, this.play, this.next,
          element("div", { class: "live-marks", role: "group", "aria-label": "after how many turns" }, element("span", { class: "live-label" }, "turns"), ...this.marks)),
        this.slider, this.clock, this.status,
        element("p", { class: "live-asked" }, "Asked after every turn: ", element("b", {}, words.collapse.question), " Told in turn 1: ", element("b", {}, words.collapse.answer)),
        element("div", { class: "live-pair" }, ...this.sides.map((side) => side.panel)),
        element("p", { class: "live-hint" }, "One line of cells is one row of a bank; blue is below zero, orange above, scaled to each picture. Of large banks 64 rows are drawn. Rows count as one if their distance is at most a tenth of the longer row’s length."));
      this.show();
    }

    /** Load the model and begin to compute both banks, at the first need. */
    async start() {
      if (this.started) return;
      this.started = true;
      this.status.textContent = "Loading the model into your browser, once …";
      try {
        await live.backbone(this.backbone);
        this.status.textContent = "";
      } catch (error) {
        return this.fail(error);
      }
      for (const side of this.sides) side.compute().catch((error) => this.trouble(error));
    }

    trouble(error) {
      this.pause();
      if (error.stopped) return this.fail(error);
      this.status.textContent = `That did not work: ${error.message}.`;
    }

    /** How far both sides are computed. */
    get reached() {
      return Math.min(...this.sides.map((side) => side.steps.length)) - 1;
    }

    go(place, pause = true) {
      if (pause) this.pause();
      this.start();
      this.place = Math.max(0, Math.min(place, this.steps.length - 1));
      this.show();
    }

    step() {
      this.go(this.place + 1);
    }

    toggle() {
      if (this.timer) return this.pause();
      this.start();
      if (this.place >= this.steps.length - 1) this.place = 0;
      this.play.textContent = "Pause";
      const tick = () => {
        if (this.place < this.reached) {
          this.place += 1;
          this.show();
        }
        if (this.place >= this.steps.length - 1) return this.pause();
        this.timer = setTimeout(tick, this.place < 6 ? SLOW : FAST);
      };
      this.timer = setTimeout(tick, this.place ? 0 : 300);
      this.show();
    }

    pause() {
      clearTimeout(this.timer);
      this.timer = null;
      if (this.play) this.play.textContent = "Play";
    }

    show() {
      if (!this.sides) return;
      const name = this.steps[this.place], turns = this.words.collapse.turns, turn = turns[Math.max(0, this.place - 2)];
      this.slider.value = this.place;
      this.slider.setAttribute("aria-valuetext", `${name} turns`);
      for (const mark of this.marks) mark.setAttribute("aria-pressed", String(mark.textContent === name));
      const said = this.place === 0 ? "Nothing is written yet. The rows are random numbers, or empty." : this.place === 1 ? `Half of turn 1 is written. ${quoted(turns[0])}` : `Turn ${name}. ${quoted(turn)}`;
      if (this.clock.textContent !== said) this.clock.textContent = said;
      for (const side of this.sides) side.show(this.place);
      if (this.started && this.place > this.reached) this.status.textContent = `Computing turn ${this.steps[Math.max(0, this.reached + 1)]} …`;
      else if (this.status.textContent.startsWith("Computing")) this.status.textContent = "";
    }
  }

  live.pieces.collapse = (box, options, fail) => (box.piece = new Collapse(box, options, fail));
})();
