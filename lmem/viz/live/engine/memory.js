/* A memory on the frozen backbone: what a conversation goes through, from the sentence to the answer (chapters 1 and 2).

   P_t = Write(P_{t-1}, E(x_t));   y = D(Read(E(question), P_t)) */
lmemLive.parts.push(function memories(engine) {
  const { Matrix } = engine, MAX_TOKENS = 384, MAX_NEW_TOKENS = 32;

  /** An adapter: its write and its read, with their options and weights. */
  class Memory {
    /** At another scale than it was trained at, the weights stay, the bank has more or fewer rows, and P_0 is drawn here. */
    constructor(file, backbone, scale = file.scale) {
      this.backbone = backbone;
      this.name = file.name;
      const packed = engine.unpack(file), width = backbone.width;
      const part = (prefix, options) => {
        const own = (name) => `${prefix}.${name}`;
        return {
          width,
          ...options,
          matrix: (name, set) => packed.matrix(own(name), set),
          shape: (name) => packed.shape(own(name)),
          has: (name) => packed.has(own(name)),
          vectors: new Proxy({}, { get: (_, name) => packed.weights[own(name)] }),
        };
      };
      this.writeKind = file.write.kind;
      this.readKind = file.read.kind;
      this.writeRule = part("write_rule", file.write.options);
      this.readRule = part("read", file.read.options);
      this.square = ["hebbian", "delta"].includes(file.write.kind);
      this.single = engine.SINGLE.includes(file.write.kind);
      const [rows, cols] = file.p0, stored = this.writeRule.has("p0");
      if (scale === file.scale) this.p0 = stored ? this.writeRule.matrix("p0") : new Matrix(rows, cols);
      else if (this.square || this.readRule.has("u_p")) throw new Error(`${file.method} has weights for scale ${file.scale} only`);
      else {
        const count = Math.round((rows * scale) / file.scale);
        this.p0 = noise(count, cols, stored ? 0.02 : 0);
        if (this.writeRule.address) this.writeRule.addresses = noise(count, cols, 1);
      }
    }

    /** An empty bank: no turn written. */
    newBank() {
      return { rows: this.p0.clone(), written: new Int32Array(this.p0.rows).fill(-1), turns: 0 };
    }

    /** Which rows a read may use; none before the first turn. */
    readable(bank) {
      return Array.from(bank.written, (turn) => (this.single ? turn >= 0 : bank.turns > 0));
    }

    /** Write the hidden states (N, D) of one turn. */
    writeStates(bank, states) {
      return engine.WRITES[this.writeKind](this.writeRule, bank, states);
    }

    /** A turn as it is encoded: a write that looks back gets the turn `before` it in front, if that is a question, and skips its states. */
    asEncoded(before, turn) {
      const skip = this.writeRule.looks_back && before?.endsWith("?") ? this.tokens(before).length - 1 : 0;
      return skip && skip + this.tokens(turn).length <= MAX_TOKENS ? { text: `${before} ${turn}`, skip } : { text: turn, skip: 0 };
    }

    tokens(text) {
      return tokensOf(this.backbone, text);
    }

    /** What the backbone reads the bank through, for one question; null for a bank without a readable row. `options` replace
        those of the read. */
    attachment(bank, options) {
      const mask = bank ? this.readable(bank) : [];
      if (!mask.some(Boolean)) return null;
      const look = new engine.Look(mask.length);
      return { look, ...engine.READS[this.readKind]({ ...this.readRule, ...options }, bank, bank.rows, mask, look, this.backbone) };
    }

    /** Encode a question with the bank attached, ready to decode. */
    begin(bank, question, options = {}) {
      const { backbone } = this, attached = this.attachment(bank, options);
      const ids = this.tokens(asPrompt(question));
      const latents = backbone.encode(ids, attached?.prefix, attached?.recordEncoder);
      const extra = attached?.keys || (attached?.extra ? backbone.crossKeys(attached.extra(latents)) : null);
      const cache = backbone.begin(latents, extra);
      return { ids, latents, cache, attached, gain: attached?.gain, record: attached?.record?.(latents.rows) };
    }

    /** Answer from the bank alone; see `decoded`. */
    ask(bank, question, best = 5, watch = null, options = {}) {
      return decoded(this, this.begin(bank, question, options), best, watch);
    }

    piece(id) {
      return this.backbone.tokenizer.pieces[id];
    }

    /** The words that a value of a turn is made of: `length` tokens from this one on; null for a value without a place. */
    wordsFrom(turn, token) {
      return token === undefined ? null : this.backbone.tokenizer.decode(this.tokens(turn).slice(token, token + this.writeRule.length));
    }
  }

  /** Decode token by token the likeliest. `watch` sees what the decoder looks at, at each step.

      Returns {text, ids, steps: [{id, p, top: [{piece, p}]}], p, sure, shares, none}: p is the probability of the whole answer, shares
      the attention that each row got. Of reads that have it: none, the share of "no row matches", or how much the chosen row is doubted; row,
      the one row that was chosen; withheld, why it was not told, "far" or "doubted"; sure is p, times that nothing answers if it was not told,
      else that the row answers (as in Python's Answer). */
  function decoded(memory, { ids: asked, cache, attached, gain, record }, best, watch) {
    const { backbone } = memory, steps = [], ids = [];
    let id = backbone.config.decoder_start_token_id;
    while (ids.length < MAX_NEW_TOKENS) {
      const looked = watch ? watch(ids.length, record, gain) : { record, gain };
      const state = backbone.step(cache, id, looked.gain, looked.record);
      const p = engine.softmax(backbone.logits(attached?.spell?.(state, ids.length) || state));
      const top = likeliest(p, best).map((place) => ({ id: place, piece: memory.piece(place), p: p[place] }));
      id = top[0].id;
      steps.push({ id, p: top[0].p, top });
      ids.push(id);
      if (id === backbone.config.eos_token_id) break;
    }
    const look = attached?.look, none = look?.none ?? null, row = look?.row ?? null, withheld = look?.withheld ?? null;
    const p = steps.reduce((product, step) => product * step.p, 1);
    return {
      text: backbone.tokenizer.decode(ids), ids, steps, asked: asked.map((token) => memory.piece(token)),
      p, none, row, withheld,
      sure: row === null ? p : p * (withheld ? none : 1 - none),
      shares: look?.weight ? look.mean : null,
    };
  }

  /** Normal numbers of this standard deviation, the same at every call (Box and Muller, over a 32-bit generator). */
  function noise(rows, cols, deviation) {
    const out = new Matrix(rows, cols);
    if (!deviation) return out;
    let state = 1;
    const uniform = () => {
      state = (state + 0x6d2b79f5) | 0;
      let t = Math.imul(state ^ (state >>> 15), 1 | state);
      t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
      return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
    };
    for (let i = 0; i < out.data.length; i++)
      out.data[i] = deviation * Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
    return out;
  }

  /** The places of the `count` largest numbers, largest first. */
  function likeliest(values, count) {
    const places = [];
    for (let i = 0; i < values.length; i++) {
      if (places.length === count && values[i] <= values[places[count - 1]]) continue;
      let at = places.length;
      while (at > 0 && values[i] > values[places[at - 1]]) at--;
      places.splice(at, 0, i);
      if (places.length > count) places.pop();
    }
    return places;
  }

  /** Token ids; an error if the text is empty or too long. */
  function tokensOf(backbone, text, most = MAX_TOKENS) {
    if (!engine.normaliseText(text)) throw new Error("there are no words in this text");
    const ids = backbone.tokenizer.encode(text);
    if (ids.length > most) throw new Error(`this text is too long, it has ${ids.length} tokens of at most ${most}`);
    return ids;
  }

  const asPrompt = (question) => `question: ${engine.normaliseText(question).replace(/^question:/, "").trim()}`;
  const asTurn = (speaker, text) => `context: ${engine.normaliseText(speaker)}: ${engine.normaliseText(text)}`;

  /** Count the rows when rows that are close count as one, and so do chains of them (`lmem.analysis.bank_metrics.distinct_rows`). */
  function distinctRows(rows, alike = 0.1) {
    const count = rows.rows, group = Array.from({ length: count }, (_, i) => i);
    const inner = (i, j) => engine.dot(rows.data, i * rows.cols, rows.data, j * rows.cols, rows.cols);
    const squares = group.map((i) => inner(i, i));
    const find = (i) => {
      while (group[i] !== i) i = group[i] = group[group[i]];
      return i;
    };
    for (let i = 0; i < count; i++)
      for (let j = 0; j < i; j++) {
        if (find(i) === find(j)) continue;
        const distance = squares[i] + squares[j] - 2 * inner(i, j);
        if (distance <= alike ** 2 * Math.max(squares[i], squares[j])) group[find(i)] = find(j);
      }
    return new Set(group.map((_, i) => find(i))).size;
  }

  engine.memoryOf = (...about) => new Memory(...about);
  Object.assign(engine, { MAX_TOKENS, Memory, asPrompt, asTurn, decoded, distinctRows, likeliest, tokensOf });
});
