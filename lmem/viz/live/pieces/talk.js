/* Tell it something, ask, see which row answered, swap the memory. One list of sentences; two banks: what was told, and its
   counterfactual twin, the same sentences with other values. */
(() => {
  const live = globalThis.lmemLive, { contentWords, element, plain } = live;
  /** What the piece says of a memory, and of a model that has the sentences themselves in its input. */
  const SAYS = {
    rows: {
      told: "What it was told, and its rows of numbers",
      gets: "The model gets the question and the rows of numbers, never the sentences.",
      third: " Is it the memory that answers?",
      swap: "Swap in a memory with other facts",
      back: "Swap your own memory back in",
      own: "A second bank is told the same sentences with other values",
      other: "Now in use: the second bank, told the marked words in place of yours. Model and question are unchanged.",
      same: "the same in both banks: no counterpart is known",
      follows: "The answer follows the bank, so it is memory.",
      stays: "The answer stays, though this bank was told something else: it is a guess.",
      gone: "its row was replaced",
      source: (place, sentence, share) => `Read from the row of sentence ${place}, “${sentence}” It got ${share} of the attention.`,
      chosen: (place, sentence, share) => `Read from a row of sentence ${place}, “${sentence}” Of all rows it fits the question best (${share}).`,
    },
    text: {
      told: "What it was told",
      gets: "The model gets the question and, each time again, all of these sentences as text. It has no memory.",
      third: " Does it read the sentences?",
      swap: "Swap other words into the sentences",
      back: "Swap your own words back in",
      own: "The same question, asked with other values in the sentences",
      other: "Now in its input: the marked words in place of yours. Model and question are unchanged.",
      same: "unchanged: no counterpart is known",
      follows: "The answer follows the words, so the model read them.",
      stays: "The answer stays, though the words have changed: it is a guess.",
      gone: "no longer fits into the input",
      source: (place, sentence, share) => `It looked most at sentence ${place}, “${sentence}”, with ${share} of the attention.`,
    },
  };

  /** The first words of a value. */
  const short = (text) => text.split(" ").slice(0, 3).join(" ").replace(/[\s.,!?]+$/, "") + (text.split(" ").length > 3 ? " …" : "");

  class Talk {
    constructor(box, options, fail) {
      const backbone = options.model || "nano";
      Object.assign(this, { box, fail, backbone, memory: options.memory || `${backbone}-keyed` });
      this.scale = options.scale ? Number(options.scale) : undefined;
      this.says = SAYS[this.memory === "text" ? "text" : "rows"];
      box.classList.toggle("live-text", this.memory === "text");
      this.turns = [];
      this.side = 0; // 1: the other bank is in use
      this.busy = Promise.resolve();
      live.file(`${this.backbone}-words`).then((words) => this.build(words)).catch(fail);
    }

    build(words) {
      this.words = words;
      this.list = element("ol", { class: "live-told" });
      this.nothing = element("p", { class: "live-hint" }, this.bankFile ? "The bank comes from Python. Ask it, or tell it more." : "Nothing yet. Press one of the sentences, or write your own.");
      this.name = words.oneself ? element("input", { type: "text", "aria-label": "Your name", value: words.speaker, placeholder: words.speaker, maxlength: "40", autocomplete: "off", spellcheck: "false" }) : null;
      const who = this.name ? element("label", { class: "live-name" }, "You are ", this.name) : null;
      this.tellField = this.field("Tell it something", this.name ? "" : `${words.speaker}:`, words.tell[0].text, "tell", (text) => this.take(text));
      this.askField = this.field("Ask it", "", words.tell[0].ask, "ask", (text) => this.ask(text));
      this.tellChips = element("div", { class: "live-chips", role: "group", "aria-label": "sentences to tell" });
      this.askChips = element("div", { class: "live-chips", role: "group", "aria-label": "questions to ask" });
      this.answer = element("div", { class: "live-answer", "aria-live": "polite" });
      this.swap = element("button", { type: "button", class: "live-swap", onclick: () => this.turn() }, this.says.swap);
      this.fresh = element("button", { type: "button", class: "live-quiet", onclick: () => this.restart() }, "start again");
      this.swapNote = element("p", { class: "live-hint" });
      this.box.replaceChildren(
        element("div", { class: "live-columns live-talk" },
          element("section", { "aria-label": "tell" },
            element("p", { class: "live-title" }, element("b", {}, "1"), " Tell it something"), who, this.tellField.form, this.tellChips, this.tellField.status,
            this.bankView()),
          element("section", { "aria-label": "ask" },
            element("p", { class: "live-title" }, element("b", {}, "2"), " Ask"), this.askField.form,
            element("p", { class: "live-hint" }, this.says.gets), this.askChips, this.askField.status, this.answer,
            element("p", { class: "live-title" }, element("b", {}, "3"), this.says.third),
            element("div", { class: "live-row" }, this.swap, this.fresh), this.swapNote),
          element("section", { "aria-label": "told" }, element("p", { class: "live-label" }, this.says.told), this.nothing, this.list)),
        live.vocabulary(words));
      this.wait();
      this.chips();
    }

    /** The whole bank: its rows as they fill, and a frame around the row that an answer was read from. */
    bankView() {
      this.used = element("p", { class: "live-label" }, "The bank: no row is in use");
      this.canvas = element("canvas", { class: "live-bank", role: "img", "aria-label": "The bank: its rows, as coloured cells" });
      this.frame = element("i", { hidden: true });
      const legend = element("p", { class: "live-hint" }, "One line of cells is one row; blue is below zero, orange above.");
      return this.says === SAYS.rows ? element("div", { class: "live-filling" }, this.used, element("div", {}, this.canvas, this.frame), legend) : null;
    }

    wait() {
      this.answer.replaceChildren(element("p", { class: "live-hint" }, "The answer appears here, with its source."));
    }

    get speaker() {
      return this.name?.value.trim() || this.words.speaker;
    }

    field(label, prefix, example, verb, act) {
      const input = element("input", { type: "text", "aria-label": label, placeholder: example, autocomplete: "off", spellcheck: "false", maxlength: "600" });
      input.addEventListener("keydown", (event) => event.key === "Enter" && !event.isComposing && send(event)); // a notebook may keep Enter from the form
      const note = element("p", { class: "live-note", role: "status" }), button = element("button", { type: "submit" }, verb);
      const status = element("p", { class: "live-status", role: "status" });
      input.addEventListener("input", () => (note.textContent = input.value.length >= input.maxLength ? `A line has room for ${input.maxLength} characters; what is longer was cut off.` : ""));
      const send = (event) => {
        event.preventDefault();
        const text = input.value.trim();
        if (!text) return input.focus();
        input.value = "";
        act(text);
      };
      const form = element("form", { class: "live-form", onsubmit: send }, prefix ? element("span", { class: "live-who", "aria-hidden": "true" }, prefix) : null, input, button, note);
      return { form, input, note, status };
    }

    /** Do one thing after the other, and say next to the field what came of it. What goes wrong changes nothing, and the line that
        was typed can be changed. */
    queue(work, { status, input } = this.askField, text = "") {
      this.busy = this.busy.then(async () => {
        this.box.setAttribute("aria-busy", "true");
        try {
          if (!this.pair) status.textContent = "Loading the model into your browser, once …";
          status.textContent = (await work()) || "";
        } catch (error) {
          if (!this.pair || error.stopped) return this.fail(error); // its banks are gone
          status.textContent = `That did not work: ${error.message}.`;
          input.value ||= text;
        }
        this.box.removeAttribute("aria-busy");
      });
      return this.busy;
    }

    /** Load the model at the first need. */
    async start() {
      if (this.pair) return;
      this.adapter = await live.adapter(this.backbone, this.memory, this.scale);
      this.empty = [await live.call("bank", this.adapter.id), await live.call("bank", this.adapter.id)];
      if (this.bankFile) this.given ||= await live.file(this.bankFile);
      this.first = this.pair = this.given ? [await live.call("restore", { name: this.adapter.id, ...this.given }), this.empty[1]] : this.empty;
      await this.redraw();
    }

    /** Tell what a line says, then ask what it asks. */
    take(line) {
      if (/^(?:please,? )?(?:forget|delete|erase)\b/i.test(line)) return (this.tellField.status.textContent = "Press “forget” next to a sentence to take it back."), this.busy;
      const { said, asked } = live.partsOf(this.words.lines, line);
      if (said) this.tell(said);
      return asked ? this.ask(asked) : this.busy;
    }

    tell(text) {
      const { speaker } = this;
      return this.queue(async () => {
        await this.start();
        this.tellField.note.textContent = await live.unread(this.backbone, text);
        const told = this.turns.flatMap((turn) => [turn.text, this.wordsOf(turn, 1)]), entry = { speaker, text, other: live.counterfactual(this.words, text, told) };
        await this.write(entry);
        await this.changed();
        return this.kept(entry);
      }, this.tellField, text);
    }

    /** Write a sentence into both banks. */
    async write(entry) {
      const { speaker } = entry, write = (side) => live.call("write", { bank: this.pair[side], speaker, text: this.wordsOf(entry, side) });
      entry.writes = [await write(0), await write(1)];
      await this.use(entry.writes.map(({ bank }) => bank));
      this.turns.push(entry);
    }

    /** Take a sentence back: both banks are written again without it. */
    forget(entry) {
      return this.queue(async () => {
        const { turns } = this;
        if (!turns.includes(entry)) return ""; // pressed twice
        await this.use(this.first);
        this.turns = [];
        for (const turn of turns) if (turn !== entry) await this.write(turn);
        this.tellField.note.textContent = "";
        await this.changed();
        return `Forgotten: “${entry.text}”`;
      }, this.tellField);
    }

    /** Go on with these banks; those before are given back, but for the first ones. */
    async use(pair) {
      await live.call("drop", this.pair.filter((bank) => !this.first.includes(bank)));
      this.pair = pair;
    }

    /** Show what the banks are now, and ask them again. */
    async changed() {
      this.onbank?.(await live.call("contents", this.pair[0]));
      await this.redraw();
      this.chips();
      if (this.question) await this.answerAgain();
    }

    ask(question) {
      const { said, asked } = live.partsOf(this.words.lines, question);
      if (!asked && /[.!…]$/.test(said)) return this.tell(said);
      return this.queue(async () => {
        await this.start();
        this.askField.note.textContent = await live.unread(this.backbone, question);
        this.question = question;
        this.prompt = live.addressed(this.words, this.speaker, question, this.turns.map(({ text }) => text));
        await this.answerAgain();
      }, this.askField, question);
    }

    /** What is offered to be told and asked. */
    chips() {
      const { words, turns } = this, told = new Set(turns.map(({ text }) => text)), contents = (text) => contentWords(words.lines, text);
      const chip = (text, act, label = null) =>
        element("button", { type: "button", class: "live-chip", onclick: ({ detail }) => detail < 2 && act(text, label) }, text, label ? element("small", {}, ` ${label}`) : null);
      const next = words.tell.filter(({ text, after }) => !told.has(text) && (!after || told.has(after))).slice(0, 4), first = next.find(({ ask }) => ask);
      const focused = this.tellChips.matches(":focus-within");
      this.tellChips.replaceChildren(...next.map(({ text, label }) => chip(text, (one) => this.tell(one), label)));
      if (focused) (this.tellChips.firstChild || this.tellField.input).focus();
      const answered = new Set(turns.map(({ text }) => words.tell.find((one) => one.text === text)?.ask).filter(Boolean));
      const asks = [...answered].slice(-3).map((ask) => [ask]), said = turns.flatMap(({ text }) => contents(text));
      if (!asks.length && first) asks.push([first.ask, "tells it first"]);
      for (const { ask, after } of words.hops) if (after.every((one) => told.has(one))) asks.push([ask, "two facts"]);
      for (const ask of words.never) if (!said.includes(contents(ask).at(-1))) asks.push([ask, "never told"]); // unless it was told after all
      const act = (text, label) => (label === "tells it first" && this.tell(first.text), this.ask(text));
      this.askChips.replaceChildren(...asks.map(([text, label]) => chip(text, act, label)));
      this.explainSwap();
    }

    /** What a sentence has changed, in a line. */
    kept({ writes, item }) {
      if (this.says === SAYS.text) return "It is in the input.";
      return writes[this.side].changed.length ? `Kept in ${item.querySelector(".live-place").textContent}.` : "No fact found in it, so nothing is kept.";
    }

    /** The sentences and their rows, of the bank that is in use. */
    async redraw() {
      const { side, turns } = this, bank = this.pair[side], { written } = await live.call("contents", bank);
      this.nothing.hidden = turns.length > 0;
      const focused = [...this.list.children].findIndex((item) => item.matches(":focus-within"));
      for (const [i, entry] of turns.entries()) {
        const { speaker, text, other, writes } = entry;
        const write = writes[side], rows = write.changed.filter((row) => written[row] === write.turn);
        const words = side && other ? other.parts.map((part) => (part.own ? element("mark", {}, part.text) : part.text)) : [text];
        const canvas = rows.length && this.says === SAYS.rows ? element("canvas", { class: "live-strip", "aria-hidden": "true" }) : null;
        if (canvas) live.call("picture", { bank, rows: rows.slice(0, 8) }).then((seen) => live.draw(canvas, seen));
        const button = element("button", { type: "button", class: "live-quiet", "aria-label": `forget sentence ${i + 1}`, onclick: ({ detail }) => detail < 2 && this.forget(entry) }, "forget");
        entry.item = element("li", {}, element("div", { class: "live-sentence" }, this.name ? element("b", {}, `${speaker}: `) : null, ...words), button, element("div", { class: "live-place" }, this.place(write, rows)), side && !other ? element("div", { class: "live-hint" }, this.says.same) : null, canvas);
      }
      this.list.replaceChildren(...turns.map(({ item }) => item));
      if (focused >= 0) ((turns[focused] || turns.at(-1))?.item.querySelector("button") || this.tellField.input).focus();
      if (this.says !== SAYS.rows) return;
      const inUse = written.filter((turn) => turn >= 0).length, count = [12, 24].find((some) => some >= inUse) || 48;
      const seen = await live.call("picture", { bank, count });
      live.draw(this.canvas, seen);
      this.used.textContent = `The bank: ${seen.used || "no"} of ${seen.rows} rows ${seen.used === 1 ? "is" : "are"} in use${seen.rows > count ? `; ${count} are drawn` : ""}`;
      this.frame.hidden = true;
    }

    place(write, rows) {
      if (!write.changed.length) return "no fact found: nothing is kept";
      if (!rows.length) return this.says.gone;
      if (this.says === SAYS.text) return "in the input";
      const named = (row) => {
        const words = write.values[row], before = write.replaced[write.changed.indexOf(row)] ?? -1;
        return `row ${row + 1}${words ? `: “${short(words)}”` : ""}${before >= 0 ? `, in place of ${this.named(before)}` : ""}`;
      };
      return rows.length < 4 ? rows.map(named).join("; ") : `rows ${rows[0] + 1} to ${rows[rows.length - 1] + 1}`;
    }

    /** The sentence that a turn of the bank in use is, or -1: a bank may come with turns that were not told here. */
    sentenceOf(turn) {
      return this.turns.findIndex(({ writes }) => writes[this.side].turn === turn);
    }

    named(turn) {
      const place = this.sentenceOf(turn);
      return place < 0 ? "an older one" : `sentence ${place + 1}`;
    }

    /** The words of a sentence in the bank in use, or in this one. */
    wordsOf({ text, other }, side = this.side) {
      return side && other ? other.text : text;
    }

    async answerAgain() {
      this.own = this.side ? await this.asked(0) : null; // to compare with
      this.result = await this.asked();
      this.show(this.result);
    }

    asked(side = this.side, least = this.words.least) {
      return live.call("ask", { bank: this.pair[side], question: this.prompt, options: { threshold: 1 - least } });
    }

    /** What an answer of the second bank shows, next to that of the first. */
    compared(result) {
      const [own, now] = [this.own, result].map((one) => (this.silence(one) ? "" : one.text)), { says } = this;
      const same = (a, b) => a && b && (plain(a).includes(plain(b)) || plain(b).includes(plain(a)));
      const swap = this.turns.flatMap(({ other }) => other?.swaps || []).find((one) => same(own, one.own));
      if (!own) return "Before the swap there was no answer.";
      const before = `Before the swap it was “${own}”.`;
      if (!swap) return `${before} None of these words was swapped, so this does not test it.`;
      if (same(now, swap.other)) return `${before} ${says.follows}`;
      return `${before} ${same(now, own) ? says.stays : `It should be “${swap.other}” now.`}`;
    }

    /** The answer, how sure it is, where it came from, and what is wrong with it as far as the page can tell. */
    show(result) {
      const silence = this.silence(result), first = result.steps[0];
      const byTurn = new Map();
      (result.shares || []).forEach((share, row) => {
        const turn = result.written[row];
        if (turn >= 0) byTurn.set(turn, (byTurn.get(turn) || 0) + share * (result.row === null ? 1 - (result.none || 0) : 1));
      });
      const best = result.row === null ? [...byTurn].sort((a, b) => b[1] - a[1])[0] : [result.written[result.row], byTurn.get(result.written[result.row])];
      this.light(byTurn, silence ? null : best, result);
      const bars = first.top.map(({ piece, p }) => element("li", {}, element("span", {}, piece.replace("▁", "") || "␣"), element("meter", { min: 0, max: 1, value: p, "aria-label": `probability of ${piece}` }), element("span", {}, live.percent(p))));
      this.answer.replaceChildren(
        element("p", { class: "live-question" }, this.question),
        element("p", { class: `live-said${silence ? " live-unknown" : ""}` }, silence?.said || result.text),
        element("p", { class: "live-why" }, this.why(result, best, silence)),
        ...(this.own ? [element("p", { class: "live-compared" }, this.compared(result))] : []),
        ...(silence && (result.withheld || result.text !== this.words.unknown) ? [this.anyway()] : []),
        ...(!silence && this.invented(result.text) ? [element("p", { class: "live-note" }, `No sentence says “${result.text}”: it is made up, or misspelled.`)] : []),
        element("details", {}, element("summary", {}, "The five likeliest first tokens"), element("ul", { class: "live-top" }, ...bars)));
    }

    /** What is said in place of an answer, and why; null if there is one. */
    silence(result) {
      return live.silence(this.words, result, this.question, this.turns.map((turn) => this.wordsOf(turn)));
    }

    why(result, best, silence) {
      const sure = `How sure: ${live.percent(result.sure)}.`;
      if (!best) return silence?.why || sure;
      const place = this.sentenceOf(best[0]), sentence = place < 0 ? "" : `, “${this.wordsOf(this.turns[place])}”`;
      if (silence && result.row !== null) return `${silence.why} The closest is a row of ${this.named(best[0])}${sentence}`;
      if (silence) return `${sure} ${silence.why}${result.none === null ? "" : ` To ${live.percent(result.none)}, no row matches.`}`;
      if (place < 0) return `${sure} Read from a row that was written before.`;
      const source = result.row === null ? this.says.source : this.says.chosen;
      return `${sure} ${source(place + 1, this.wordsOf(this.turns[place]), live.percent(best[1]))}`;
    }

    /** A button that asks again without the limit from which on nothing is told. */
    anyway() {
      const press = () => this.queue(async () => {
        const { text } = await this.asked(this.side, -1);
        note.replaceChildren([this.words.unknown, ""].includes(text) ? "It would have said nothing else." : `It would have said “${text}”.${this.invented(text) ? ` No sentence says that.` : ""}`);
      });
      const note = element("p", { class: "live-row" }, element("button", { type: "button", class: "live-chip", onclick: press }, "What would it have said?"));
      return note;
    }

    /** Whether an answer is in none of the sentences; of a bank that came from Python they are not known. */
    invented(text) {
      return text !== this.words.unknown && !this.given && !this.turns.some((turn) => plain(this.wordsOf(turn)).includes(plain(text)));
    }

    /** Light up each sentence by the attention its rows got, the one that was told, and its row in the bank. */
    light(byTurn, told, { row, shares }) {
      this.turns.forEach(({ item, writes }) => {
        const { turn } = writes[this.side], share = byTurn.get(turn) || 0;
        item.style.setProperty("--share", told ? share.toFixed(3) : 0);
        item.classList.toggle("live-lit", told !== null && (row === null ? share > 0.3 : told[0] === turn));
      });
      const at = row ?? (shares ? shares.indexOf(Math.max(...shares)) : -1);
      this.frame.hidden = !told || at < 0 || at >= this.canvas.height;
      this.frame.style.setProperty("--at", at / this.canvas.height);
      this.frame.style.setProperty("--rows", this.canvas.height);
    }

    /** Put the other bank in: same sentences, same question, other values. */
    turn() {
      return this.queue(async () => {
        this.side = 1 - this.side;
        this.box.classList.toggle("live-other", this.side);
        this.explainSwap();
        await this.redraw();
        if (this.question) await this.answerAgain();
      });
    }

    /** What the button does now, and what it can do for the sentences that were told. */
    explainSwap() {
      const { says, turns } = this, swaps = turns.flatMap(({ other }) => other?.swaps || []), named = swaps.slice(-3).map(({ own, other }) => `${own} becomes ${other}`);
      const left = turns.length && !swaps.length ? " None of your words has a counterpart." : "";
      this.swap.disabled = !swaps.length && !this.side;
      this.swap.textContent = this.side ? says.back : says.swap;
      this.swapNote.textContent = this.side ? says.other : `${says.own}${named.length ? `: ${named.join(", ")}` : ""}.${left} If the answer follows, it was not a guess.`;
    }

    /** Go on with another bank, which Python wrote; its sentences are not known here. */
    replace(given) {
      if (!this.pair) return;
      Object.assign(this, { given, turns: [], pair: null });
      this.list.replaceChildren();
    }

    restart() {
      return this.queue(async () => {
        if (this.pair) await this.use(this.empty);
        Object.assign(this, { turns: [], question: null, side: 0, first: this.empty, given: null });
        this.tellField.status.textContent = this.tellField.note.textContent = this.askField.note.textContent = "";
        this.box.classList.remove("live-other");
        this.wait();
        await (this.pair ? this.changed() : this.chips());
        this.tellField.input.focus();
      });
    }
  }

  live.pieces.talk = (box, options, fail) => (box.piece = new Talk(box, options, fail));
})();
