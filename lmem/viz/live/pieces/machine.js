/* A conversation as a time machine: go back to any turn, ask there, see which turn the answer rests on, and unwrite turns. */
(() => {
  const live = globalThis.lmemLive, { element } = live, MOST = 200;

  /** Lines "Name: text" as turns; a line without a name is said by whoever spoke before. */
  function parsed(text, speaker) {
    const turns = text.split("\n").map((line) => line.trim()).filter(Boolean).map((line) => {
      const [, name, said] = /^([^:]{1,40}):\s*(\S.*)$/.exec(line) || [null, speaker, line];
      speaker = name;
      return { name, said, off: false };
    });
    if (!turns.length) throw new Error("There is no line yet. Write lines such as “Ana: I live in Cedar-Bay.”");
    if (turns.length > MOST) throw new Error(`These are ${turns.length} turns, and there is room for ${MOST}.`);
    return turns;
  }

  class Machine {
    constructor(box, options, fail) {
      const backbone = options.model || "nano";
      Object.assign(this, { box, fail, backbone, memory: options.memory || `${backbone}-keyed`, busy: Promise.resolve() });
      box.classList.toggle("live-text", this.memory === "text");
      live.file(`${backbone}-words`).then((words) => this.build(words)).catch(fail);
    }

    build(words) {
      this.words = words;
      const talk = words.machine.turns.map((turn) => turn.join(": ")).join("\n");
      this.text = element("textarea", { "aria-label": "The conversation, one turn a line", rows: 7, spellcheck: "false" });
      this.text.value = talk;
      this.asked = element("input", { type: "text", "aria-label": "Ask at this point", value: words.machine.question, maxlength: 600, autocomplete: "off", spellcheck: "false" });
      this.slider = element("input", { type: "range", min: 0, "aria-label": "turns written", oninput: () => (this.place(), this.look()) });
      this.clock = element("p", { class: "live-clock", role: "status" });
      this.answer = element("div", { class: "live-answer", "aria-live": "polite" });
      this.note = element("p", { class: "live-note", role: "status" });
      this.status = element("p", { class: "live-status", role: "status" });
      this.list = element("ol", { class: "live-told" });
      const form = (act, ...inside) => element("form", { class: "live-form", onsubmit: (event) => (event.preventDefault(), act()) }, ...inside);
      this.box.replaceChildren(
        element("details", {}, element("summary", {}, "The conversation: change it, or paste your own"), form(() => this.read(), this.text, element("button", { type: "submit" }, "use it"))),
        element("div", { class: "live-desk" }, this.slider, this.clock, form(() => this.look(), this.asked, element("button", { type: "submit" }, "ask"), this.note), this.status, this.answer), this.list, live.vocabulary(words));
      this.read(false);
    }

    /** Take the conversation over; all of it is written. */
    read(look = true) {
      try {
        this.turns = parsed(this.text.value, this.words.speaker);
      } catch (error) {
        return (this.status.textContent = error.message);
      }
      this.slider.max = this.slider.value = this.turns.length;
      this.list.replaceChildren(...this.turns.map((turn, i) => {
        turn.note = element("span", { class: "live-place" });
        turn.button = element("button", { type: "button", class: "live-chip", onclick: () => this.toggle(turn) });
        this.offer(turn);
        return (turn.item = element("li", { value: i + 1 }, element("div", { class: "live-sentence" }, element("b", {}, `${turn.name}: `), turn.said), turn.note, turn.button));
      }));
      this.place();
      if (look) this.look();
      else this.answer.replaceChildren(element("p", { class: "live-hint" }, "Press ask. Then move the slider back, or unwrite the turn that the answer rests on."));
    }

    toggle(turn) {
      turn.off = !turn.off;
      this.offer(turn);
      this.place();
      this.look();
    }

    /** What a turn's button does. */
    offer({ button, off }) {
      button.textContent = off ? "write again" : "unwrite";
      button.setAttribute("aria-label", `${button.textContent} turn ${this.turns.findIndex((turn) => turn.button === button) + 1}`);
    }

    /** Which turns are in the bank. */
    place() {
      const at = Number(this.slider.value), last = this.turns[at - 1], off = this.turns.filter((turn, i) => turn.off && i < at).length;
      this.slider.setAttribute("aria-valuetext", `${at} turns`);
      this.clock.textContent = `${at} of ${this.turns.length} turns${off ? `, ${off} of them unwritten` : ""}. ${last ? `The last: ${last.name}: “${last.said}”` : "Nothing is said yet."}`;
      this.turns.forEach((turn, i) => {
        turn.item.classList.toggle("live-absent", turn.off || i >= at);
        turn.item.classList.remove("live-lit");
        turn.item.style.setProperty("--share", 0);
        turn.note.textContent = turn.off ? "as if it had never been said" : i >= at ? "not said yet" : "";
        turn.button.disabled = i >= at;
      });
    }

    /** Write the bank of this moment and ask it; a newer call ends an older one. */
    look() {
      const run = (this.running = {});
      this.busy = this.busy.then(() => (run === this.running ? this.compute(run) : null));
      return this.busy;
    }

    async compute(run) {
      const question = this.asked.value.trim();
      if (!question) return (this.status.textContent = "Write a question first.", this.asked.focus());
      this.box.setAttribute("aria-busy", "true");
      try {
        if (!this.adapter) this.status.textContent = "Loading the model into your browser, once …";
        this.adapter = await live.adapter(this.backbone, this.memory);
        await this.warn(question);
        const kept = this.turns.slice(0, Number(this.slider.value)).filter(({ off }) => !off);
        if (kept.length > 20) this.status.textContent = `Writing ${kept.length} turns …`;
        const bank = await live.call("writeAll", { bank: await live.call("bank", this.adapter.id), turns: kept.map(({ name, said }) => [name, said]) });
        const result = await live.call("ask", { bank, question, options: { threshold: 1 - this.words.least } });
        await live.call("drop", [bank]);
        this.status.textContent = "";
        if (run === this.running) this.show(question, result, kept);
      } catch (error) {
        if (this.adapter && !error.stopped) this.status.textContent = `That did not work: ${error.message}.`;
        else this.fail(error);
      }
      this.box.removeAttribute("aria-busy");
    }

    /** Say openly what the model will not understand: words without a piece of their own, and an “I” of nobody. */
    async warn(question) {
      const oneself = /(?<!\p{L})(?:I|my|me|mine)(?!\p{L})/iu.test(question) ? "Several people speak here, so ask by name: “Where does Ben live?” " : "";
      this.note.textContent = `${oneself}${await live.unread(this.backbone, question, ...this.turns.map(({ said }) => said))}`;
    }

    show(question, result, kept) {
      const { text, sure, none, row, shares, written } = result, silent = live.silence(this.words, result, question, kept.map(({ said }) => said));
      this.result = result;
      const share = new Map(), found = row === null ? 1 - (none || 0) : 1;
      (shares || []).forEach((value, at) => written[at] >= 0 && share.set(written[at], (share.get(written[at]) || 0) + value * found));
      for (const [i, turn] of kept.entries()) {
        const value = silent && row !== null ? 0 : share.get(i) || 0; // a read that chooses one row, and chose none
        turn.item.style.setProperty("--share", value.toFixed(3));
        turn.item.classList.toggle("live-lit", value > 0.3);
        turn.note.textContent = value > 0.005 ? `${live.percent(value)} of the attention` : "";
      }
      const [best] = [...share].sort((a, b) => b[1] - a[1]), turn = kept[best?.[0]];
      const why = silent ? silent.why : turn ? `Most attention went to turn ${this.turns.indexOf(turn) + 1}, ${turn.name}: “${turn.said}”` : "";
      this.answer.replaceChildren(element("p", { class: "live-question" }, question), element("p", { class: `live-said${silent ? " live-unknown" : ""}` }, silent?.said || text), element("p", { class: "live-why" }, `${turn ? `How sure: ${live.percent(sure)}. ` : ""}${why}`));
    }
  }

  live.pieces.machine = (box, options, fail) => (box.piece = new Machine(box, options, fail));
})();
