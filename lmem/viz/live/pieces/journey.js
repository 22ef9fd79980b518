/* The journey of a fact: one sentence, from the words to the answer; every part with its own numbers.

   The parts, their names and what is said about them stand in the page as a list; what they show here is computed. */
(() => {
  const live = globalThis.lmemLive, { element } = live;
  const GAPS = [0, 1, 10, 60, 600], CHUNK = 10, NUMBERS = 8;
  const number = (value) => value.toFixed(2).replace("-", "−");
  const numbers = (values) => [...values].map(number).join("  ");
  const counted = (count, word) => `${count.toLocaleString("en")} ${word}${count === 1 ? "" : "s"}`;
  const shown = (piece) => piece.replace(/▁/g, "␣");
  const rowOf = ({ codes, cols }, i) => ({ codes: codes.subarray(i * cols, (i + 1) * cols), cols });
  const lengthOf = (values) => Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
  const hint = (...words) => element("p", { class: "live-hint" }, ...words);

  function strip(picture, label, name = "live-strip") {
    const canvas = element("canvas", { class: name, role: "img", "aria-label": label });
    requestAnimationFrame(() => live.draw(canvas, picture));
    return canvas;
  }

  /** A list of names with a bar and a share each. */
  const bars = (list) => element("ul", { class: "live-top" }, ...list.map(([name, share, title]) =>
    element("li", {}, element("span", {}, name), element("meter", { min: 0, max: 1, value: share, "aria-label": `share of ${title || name}` }), element("span", {}, live.percent(share)))));

  const tokens = ({ pieces, ids }) => element("ol", { class: "live-tokens" }, ...pieces.map((piece, i) => element("li", {}, shown(piece), element("small", {}, String(ids[i])))));

  class Journey {
    constructor(box, options, fail) {
      const still = box.still.find((node) => node.matches?.("ol")), backbone = options.model || "nano";
      Object.assign(this, { box, fail, backbone, open: null, seen: null });
      this.parts = [...still.children].map((item) => ({ id: item.id, name: item.querySelector("b").textContent, brief: item.querySelector("span").textContent, about: item.querySelector("p").cloneNode(true) }));
      live.file(`${backbone}-words`).then((words) => this.build(words, options)).catch(fail);
    }

    build(words, options) {
      this.words = words;
      const first = words.tell[0], field = (label, value) => element("input", { type: "text", "aria-label": label, value, maxlength: 600, autocomplete: "off", spellcheck: "false" });
      const choice = (label, list, value) => {
        const made = element("select", { "aria-label": label, onchange: () => this.follow() }, ...list.map(([key, text]) => element("option", { value: key }, text)));
        made.value = value;
        return made;
      };
      this.told = field("Tell it", first.text);
      this.asked = field("Then ask", first.ask);
      this.gap = choice("turns of other people in between", GAPS.map((gap) => [gap, gap ? counted(gap, "turn") : "no turn"]), 60);
      this.memory = choice("memory", words.journey.memories, words.journey.memories[0][0]);
      this.note = element("p", { class: "live-note", role: "status" });
      this.status = element("p", { class: "live-status", role: "status" });
      this.zoom = element("li", { class: "live-zoom", id: "journey-zoom" });
      this.list = element("ol", { class: "live-parts", onkeydown: (event) => this.move(event) }, ...this.parts.map((part, i) => {
        part.text = element("span", { class: "live-brief" }, part.brief);
        part.picture = element("span", { class: "live-thumb", "aria-hidden": "true" });
        part.button = element("button", { type: "button", "aria-expanded": "false", "aria-controls": "journey-zoom", onclick: () => this.zoomTo(this.open === part ? null : part) }, element("b", {}, String(i + 1)), element("strong", {}, part.name), part.text, part.picture);
        return (part.item = element("li", { id: part.id }, part.button));
      }));
      const form = element("form", { class: "live-follow", onsubmit: (event) => (event.preventDefault(), this.follow()) },
        element("label", {}, element("span", {}, `${words.speaker} says`), this.told), element("label", {}, element("span", {}, "other people say"), this.gap),
        element("label", {}, element("span", {}, "then you ask"), this.asked), element("label", {}, element("span", {}, "memory"), this.memory),
        element("button", { type: "submit", class: "live-play" }, "Follow the fact"), this.note);
      this.box.replaceChildren(form, this.status, this.list, live.vocabulary(words));
      const wanted = () => this.parts.find(({ id }) => id === (decodeURIComponent(location.hash.slice(1)) || options.part));
      const jump = () => wanted() && (this.zoomTo(wanted()), wanted().item.scrollIntoView({ block: "nearest" }));
      addEventListener("hashchange", jump);
      jump();
    }

    /** Arrow keys go from part to part. */
    move(event) {
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key], at = this.parts.findIndex(({ button }) => button === document.activeElement);
      if (!step || at < 0) return;
      event.preventDefault();
      const part = this.parts[(at + step + this.parts.length) % this.parts.length];
      part.button.focus();
      if (this.open) this.zoomTo(part);
    }

    /** Open one part, or none. The first that is opened starts the model. */
    zoomTo(part) {
      this.open = part;
      for (const { button } of this.parts) button.setAttribute("aria-expanded", String(button === part?.button));
      this.zoom.remove();
      if (!part) return;
      part.item.after(this.zoom);
      this.fill();
      if (!this.seen && !this.running) this.follow();
    }

    fill() {
      const { open: part, seen } = this;
      if (!part) return;
      const inside = seen ? ZOOMS[part.id](seen, this) : [hint("The numbers come as soon as the model has read the sentence.")];
      this.zoom.replaceChildren(element("h2", {}, part.name), part.about, ...inside);
    }

    /** Follow the sentence of the fields. A newer call ends an older one. */
    async follow() {
      const run = (this.running = {}), { words, backbone } = this, { speaker } = words, text = this.told.value.trim(), question = this.asked.value.trim();
      const [name, , site] = words.journey.memories.find(([key]) => key === this.memory.value), gap = Number(this.gap.value);
      if (!text || !question) return (this.status.textContent = `Write ${text ? "a question" : "a sentence"} first.`, (text ? this.asked : this.told).focus());
      const say = (line) => run === this.running && (this.status.textContent = line);
      const step = async (call, argument) => {
        const result = await live.call(call, argument);
        if (run !== this.running) throw run; // a newer run has begun
        return result;
      };
      let adapter = null;
      this.box.setAttribute("aria-busy", "true");
      if (!this.seen) say("Loading the model into your browser, once …");
      try {
        adapter = await live.adapter(backbone, name);
        const bank = await step("bank", adapter.id);
        this.note.textContent = await live.unread(backbone, text, question);
        const turn = await step("text", { bank, speaker, text }), fact = await step("fact", { bank, speaker, text });
        const written = await step("write", { bank, speaker, text }), before = await step("contents", bank), after = await step("contents", written.bank);
        const own = await step("picture", { bank: written.bank, rows: written.changed.slice(0, 64) });
        let later = (await step("write", { bank, speaker, text })).bank;
        for (let done = 0; done < gap; done += CHUNK) {
          say(`Writing ${gap} turns of other people: ${done} …`);
          later = await step("writeAll", { bank: later, turns: words.journey.turns.slice(done, Math.min(done + CHUNK, gap)) });
        }
        say("Asking …");
        const end = await step("contents", later), ask = await step("text", { bank: later, text: question });
        const answer = await step("ask", { bank: later, question }), all = await step("picture", { bank: later, count: 64 });
        await live.call("drop", [bank, written.bank, later]);
        const single = words.methods.find((one) => one.adapter === name).single;
        this.seen = { adapter, site, gap, text, question, turn, fact, written, before, after, own, end, ask, answer, all, single, speaker, turns: words.journey.turns };
        this.tell();
        say("");
      } catch (error) {
        if (error === run) return;
        if (adapter && !error.stopped) say(`That did not work: ${error.message}.`);
        else this.fail(error);
      }
      this.box.removeAttribute("aria-busy");
    }

    /** One line for each part. */
    tell() {
      const { seen } = this, place = seen.written.changed[0], row = place === undefined ? null : rowOf(seen.own, 0);
      const thumbs = { states: rowOf(seen.turn, 0), row, later: seen.all };
      for (const part of this.parts) {
        part.text.textContent = BRIEFS[part.id](seen);
        part.picture.replaceChildren(...(thumbs[part.id] ? [strip(thumbs[part.id], "", "live-strip")] : []));
      }
      this.fill();
    }
  }

  /** A bank's row as numbers. */
  const numbersOf = ({ rows }, place, { cols }) => rows.subarray(place * cols, (place + 1) * cols);
  const cosine = (a, b) => a.reduce((sum, value, i) => sum + value * b[i], 0) / (lengthOf(a) * lengthOf(b) || 1);
  const movedBy = (seen, place) => lengthOf(numbersOf(seen.after, place, seen.adapter).map((value, i) => value - numbersOf(seen.before, place, seen.adapter)[i]));

  /** Which rows the sentence has, in words. */
  function rowsOf({ written: { changed }, adapter }) {
    if (!changed.length) return "no row";
    if (changed.length === adapter.rows) return `all ${adapter.rows} rows`;
    const [from, to] = [changed[0] + 1, changed[changed.length - 1] + 1];
    return from === to ? `row ${from} of ${adapter.rows.toLocaleString("en")}` : `rows ${from} to ${to} of ${adapter.rows}`;
  }

  /** What became of the sentence's rows: how many still are as it wrote them. */
  function fate(seen) {
    const { written: { changed, turn }, end, single, gap } = seen;
    if (!changed.length) return "nothing to keep";
    if (!gap) return "nothing came in between";
    const place = changed[0], now = numbersOf(end, place, seen.adapter), then = numbersOf(seen.after, place, seen.adapter);
    if (!single) return `every row was changed ${gap} times; cosine of row ${place + 1} with then: ${number(cosine(now, then))}`;
    const kept = [...end.written].filter((by) => by === turn).length;
    if (kept === changed.length) return "unchanged";
    return kept ? `${kept} of ${changed.length} rows are left` : "overwritten by later turns";
  }

  /** The share that each turn's rows get, largest first: [name, share]. */
  function looks({ answer, text, speaker, turns, written, single }) {
    const share = new Map();
    (answer.shares || []).forEach((value, row) => {
      const key = single ? answer.written[row] : row;
      if (key >= 0) share.set(key, (share.get(key) || 0) + value * (1 - (answer.none || 0)));
    });
    const said = (turn) => (turn === written.turn ? `${speaker}: ${text}` : turns[turn - 1].join(": "));
    return [...share].sort((a, b) => b[1] - a[1]).map(([key, value]) => [single ? said(key) : `row ${key + 1}`, value, key]);
  }

  const joined = ({ answer }) => answer.looks[0];
  function decoded(seen) {
    if (seen.site === "encoder output") return `${live.percent(joined(seen).joined)} of its attention goes to the memory’s rows`;
    return seen.site === "decoder layers" ? `each layer adds ${number(joined(seen).added)} times its state’s length` : "it sees the question’s changed states only";
  }

  const BRIEFS = {
    sentence: ({ text }) => text,
    tokens: ({ turn }) => counted(turn.ids.length, "token"),
    states: ({ turn }) => `${turn.ids.length} × ${turn.cols} numbers`,
    write: ({ fact, written, adapter }) => (fact && fact.keep <= 0 ? "no fact found: nothing is written" : fact ? "a fact: one row is written" : `changes ${written.changed.length} of ${adapter.rows} rows`),
    row: rowsOf,
    later: (seen) => `${counted(seen.gap, "turn")} later: ${fate(seen)}`,
    question: ({ question }) => question,
    read: (seen) => {
      const [first] = looks(seen);
      if (!first) return `at the ${seen.site}`;
      return seen.single ? `${live.percent(looks(seen).find(([, , turn]) => turn === seen.written.turn)?.[1] || 0)} of the attention to its row` : `${live.percent(first[1])} to ${first[0]}`;
    },
    decoder: decoded,
    answer: ({ answer }) => `${answer.text || "(nothing)"}, ${live.percent(answer.p)}`,
  };

  const ZOOMS = {
    sentence: ({ turn }) => [hint("What the model gets: ", element("b", {}, turn.prompt))],
    tokens: ({ turn }) => [tokens(turn), hint("␣ is a blank, </s> the end. The small number is the token’s place in the vocabulary.")],
    states: ({ turn }) => [
      element("ul", { class: "live-states" }, ...turn.pieces.map((piece, i) =>
        element("li", {}, element("span", {}, shown(piece)), strip(rowOf(turn, i), `${turn.cols} numbers of ${piece}`), element("small", {}, numbers(turn.numbers.subarray(i * turn.cols, i * turn.cols + 3)), " …")))),
      hint("Blue is below zero, orange above. The first three numbers stand at the end of each line."),
    ],
    write: (seen) => {
      const { turn, fact, written, adapter } = seen;
      if (!fact) {
        const moved = written.changed.map((place) => movedBy(seen, place));
        return [hint(`The ${turn.ids.length} hidden states change ${rowsOf(seen)}. A row moves by ${number(Math.min(...moved))} to ${number(Math.max(...moved))}, in Euclidean length.`), strip(seen.own, "the rows after the write", "live-bank")];
      }
      const top = (shares) => bars(turn.pieces.map((piece, i) => [shown(piece), shares[i]]).sort((a, b) => b[1] - a[1]).slice(0, 5));
      const nearest = fact.nearest > -1 ? ` The nearest key in the bank is alike to ${number(fact.nearest)}.` : "";
      return [
        hint(`Is it a fact? The gate says ${number(fact.keep)}: ${fact.keep > 0 ? "above zero, so it is kept" : "not above zero, so nothing is written"}. Does it correct an older fact? ${number(fact.correct)}: ${fact.correct > 0 ? "yes" : "no"}.${nearest}`),
        element("div", { class: "live-columns" },
          element("div", {}, element("p", { class: "live-label" }, "The key looks at"), top(fact.key)), element("div", {}, element("p", { class: "live-label" }, "The value looks at"), top(fact.value))),
        hint(`Result: ${rowsOf({ written, adapter })}.`),
      ];
    },
    row: (seen) => {
      const { written: { changed }, after, adapter, own } = seen;
      if (!changed.length) return [hint("No row was written: the write found no fact in this sentence.")];
      const values = numbersOf(after, changed[0], adapter), key = adapter.key;
      const kinds = key ? `${key} numbers for its key and ${adapter.cols - key} for its value` : `${adapter.cols} numbers`;
      return [strip(own, "the rows that the sentence wrote", changed.length > 1 ? "live-bank" : "live-strip"), hint(`Row ${changed[0] + 1} has ${kinds}. It begins with ${numbers(values.subarray(0, NUMBERS))} …; its length is ${number(lengthOf(values))}.`)];
    },
    later: (seen) => {
      const { all, gap, turns, end, single } = seen, used = single ? `${all.used.toLocaleString("en")} of ${all.rows.toLocaleString("en")} rows are in use` : `${all.rows} rows`;
      return [
        gap ? hint("The last of them: ", element("b", {}, turns[gap - 1].join(": "))) : null,
        strip(all, "the bank, up to 64 of its rows", "live-bank"),
        hint(`${end.turns} turns are written; ${used}${all.distinct === null ? "" : `, ${all.distinct.toLocaleString("en")} of them distinct`}. The rows of the sentence: ${fate(seen)}.`),
      ].filter(Boolean);
    },
    question: ({ ask }) => [hint("What the model gets: ", element("b", {}, ask.prompt)), tokens(ask)],
    read: (seen) => {
      const { answer, site } = seen, list = looks(seen).slice(0, 5).map(([name, share]) => [name, share]);
      const none = answer.none === null ? [] : [["no row matches", answer.none]];
      const by = seen.single ? "summed up by the turn that wrote them" : "each of which holds a part of every turn; the question’s own tokens get the rest";
      return [hint(`The site: ${site}. The attention that rows got, ${by}. The largest five:`), bars([...list, ...none])];
    },
    decoder: ({ answer, site }) => [
      element("ul", { class: "live-top" }, ...(site === "encoder input" ? [] : answer.steps).map(({ top: [{ piece }] }, i) => {
        const value = site === "decoder layers" ? answer.looks[i].added : answer.looks[i].joined, text = site === "decoder layers" ? `${number(value)} ×` : live.percent(value);
        return element("li", {}, element("span", {}, shown(piece)), element("meter", { min: 0, max: 1, value: Math.min(1, value), "aria-label": `the memory's part at ${piece}` }), element("span", {}, text));
      })),
      hint({
        "encoder output": "For each token of the answer: the share of the cross-attention that goes to the memory’s rows; the rest goes to the question.",
        "decoder layers": "For each token of the answer: the length of what the memory adds, against the length of the state that it is added to, as a mean over the layers.",
        "encoder input": "At this site no row reaches the decoder: the bank has changed the question’s hidden states, and the cross-attention sees only these.",
      }[site]),
    ],
    answer: ({ answer, question }) => [
      element("p", { class: "live-question" }, question),
      element("p", { class: "live-said" }, answer.text || "(nothing)"),
      hint(`Probability of the whole answer: ${live.percent(answer.p)}. The five likeliest tokens at each step:`),
      element("div", { class: "live-columns" }, ...answer.steps.map(({ top }) => bars(top.map(({ piece, p }) => [shown(piece), p])))),
    ],
  };

  live.pieces.journey = (box, options, fail) => (box.piece = new Journey(box, options, fail));
})();
