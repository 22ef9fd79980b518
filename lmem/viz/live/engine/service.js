/* What a page asks the worker for. Banks stay in the worker; the page has their numbers. */
lmemLive.parts.push(function services(engine) {
  engine.serve = function serve() {
    const backbones = new Map(), memories = new Map(), banks = new Map();
    let last = 0;

    /** Keep a bank: {memory, bank, turn}, with the turn that was written last. */
    const keep = (bank) => {
      banks.set(++last, bank);
      return last;
    };
    const held = (id) => {
      if (!banks.has(id)) throw new Error(`there is no bank ${id}`);
      return banks.get(id);
    };

    /** Rows that count: those that were written, where a rule writes single rows. */
    const used = (memory, bank) => [...bank.written.keys()].filter((i) => !memory.single || bank.written[i] >= 0);

    /** Columns as bytes around 128; 2.5 root mean squares fill the range. A key and its value have ranges of their own. */
    function encodeColumns(part, from, to, codes) {
      const places = [];
      for (let i = 0; i < part.rows; i++) for (let j = from; j < to; j++) if (part.data[i * part.cols + j] !== 0) places.push(i * part.cols + j);
      const squares = places.reduce((sum, at) => sum + part.data[at] ** 2, 0), reach = 2.5 * Math.sqrt(squares / places.length) || 1;
      for (const at of places) codes[at] = Math.max(0, Math.min(255, Math.round(128 + (127 * part.data[at]) / reach)));
    }

    /** Hidden states of a text; those of the last thousand texts are kept. */
    function encode(memory, text) {
      const { backbone } = memory, known = (backbone.known ||= new Map());
      if (known.size > 1000) known.clear();
      if (!known.has(text)) known.set(text, backbone.encode(memory.tokens(text)));
      return known.get(text);
    }

    /** What is kept after one turn more, or the first tokens of it (`share`). */
    function added({ memory, bank, turn: before }, [speaker, said], share = 1) {
      const turn = engine.asTurn(speaker, said);
      if (memory.writeText) return { memory, bank: memory.writeText(bank, turn), turn };
      const { text, skip } = memory.asEncoded(before, turn), states = encode(memory, text), count = Math.round(share * (states.rows - skip));
      return { memory, bank: memory.writeStates(bank, states.slice(skip, skip + Math.max(1, count))), turn };
    }

    /** What the decoder looks at, step by step: the share of its cross-attentions that goes to rows next to the question's
        states, and how long the memory's addition inside the layers is against the state that it is added to. */
    function watcher(asked) {
      const looks = [];
      const length = (x) => Math.sqrt(engine.dot(x.data, 0, x.data, 0, x.data.length));
      const watch = (step, record, gain) => {
        const look = (looks[step] = { joined: 0, heads: 0, added: 0, layers: 0 });
        return {
          record(shares, ...place) {
            record?.(shares, ...place);
            look.joined += shares.subarray(asked).reduce((sum, share) => sum + share, 0);
            look.heads += 1;
          },
          gain: gain && ((layer, normed, state) => {
            const added = gain(layer, normed, state);
            look.added += length(added) / length(state);
            look.layers += 1;
            return added;
          }),
        };
      };
      return { watch, looks: () => looks.map(({ joined, heads, added, layers }) => ({ joined: joined / heads, added: layers ? added / layers : 0 })) };
    }

    const calls = {
      backbone(file) {
        backbones.set(file.name, new engine.T5(file));
      },

      /** Make an adapter ready; the name of a second scale is another one. */
      adapter({ file, name, backbone, scale }) {
        const memory = engine.memoryOf(file, backbones.get(backbone), scale);
        memories.set(name, memory);
        return { rows: memory.p0.rows, cols: memory.p0.cols, square: memory.square, key: file.write.options.key || 0 };
      },

      bank(name) {
        const memory = memories.get(name);
        return keep({ memory, bank: memory.newBank() });
      },

      /** Take over a bank that Python wrote. */
      restore({ name, rows, written, turns }) {
        const memory = memories.get(name), { rows: count, cols } = memory.p0;
        return keep({ memory, bank: { rows: new engine.Matrix(count, cols, Float32Array.from(rows)), written: Int32Array.from(written), turns } });
      },

      contents(id) {
        const { bank } = held(id);
        return { rows: bank.rows.data.slice(), written: bank.written.slice(), turns: bank.turns };
      },

      /** Write one turn, or the first tokens of it (`share`): the new bank, which rows it changed, and if a row has a value of its
          own the words of the turn that it was made from. */
      write({ bank: id, speaker, text, share = 1 }) {
        const { memory, bank } = held(id), next = added(held(id), [speaker, text], share), { written, facts = [] } = next.bank;
        const changed = [...written.keys()].filter((i) => written[i] === bank.turns);
        const replaced = memory.single ? changed.map((i) => bank.written[i] ?? -1) : [];
        const values = Object.fromEntries(facts.map(({ row, token }) => [row, memory.wordsFrom(next.turn, token)]));
        return { bank: keep(next), turn: bank.turns, changed, replaced, values };
      },

      /** Write turns [speaker, text], one after the other; the bank before them is dropped. */
      writeAll({ bank: id, turns }) {
        const first = held(id);
        banks.delete(id);
        return keep(turns.reduce((last, turn) => added(last, turn), first));
      },

      /** A turn, or without a speaker a question, on its way in: its tokens and their hidden states, as bytes and as numbers. */
      text({ bank: id, text, speaker }) {
        const { memory } = held(id), prompt = speaker ? engine.asTurn(speaker, text) : engine.asPrompt(text);
        const ids = memory.tokens(prompt), states = encode(memory, prompt), codes = new Uint8Array(states.data.length).fill(128);
        encodeColumns(states, 0, states.cols, codes);
        return { prompt, ids, pieces: ids.map((token) => memory.piece(token)), codes, cols: states.cols, numbers: states.data.slice() };
      },

      /** What a keyed write makes of a turn, and how much of its pools' attention each token gets; null for other writes. */
      fact({ bank: id, speaker, text }) {
        const { memory, bank } = held(id), rule = memory.writeRule, states = encode(memory, engine.asTurn(speaker, text));
        if (memory.writeKind !== "keyed") return null;
        const share = (names) => {
          const pools = names.map((name) => engine.poolShares(rule, name, states)), heads = pools.reduce((sum, { rows }) => sum + rows, 0);
          return Array.from({ length: states.rows }, (_, n) => pools.reduce((sum, pool) => sum + Array.from({ length: pool.rows }, (_, h) => pool.row(h)[n]).reduce((a, b) => a + b), 0) / heads);
        };
        const [fact] = engine.FACTS.keyed(rule, states), { keep, correct } = fact, { nearest } = engine.placeOf(rule, bank, fact);
        return { keep, correct, nearest, key: share(["address.halves.0", "address.halves.1"]), value: share(["value"]) };
      },

      /** Ask a bank; `options` replace those of the read, such as its threshold. */
      ask({ bank: id, question, options = {} }) {
        const { memory, bank } = held(id), { watch, looks } = watcher(memory.tokens(engine.asPrompt(question)).length);
        const answer = memory.ask(bank, question, 5, watch, options), shares = answer.shares ? [...answer.shares] : null;
        return { ...answer, shares, looks: looks(), written: [...bank.written], turns: bank.turns };
      },

      /** A bank to be drawn: at most `count` rows as bytes around 128, and how many rows are distinct.

          The rows are spread evenly, or are the first ones of a bank that fills up from the top. */
      picture({ bank: id, count = 64, rows: chosen = null }) {
        const { memory, bank } = held(id), every = used(memory, bank), { rows } = bank, key = memory.writeRule.key || 0;
        const drawn = Math.min(count, rows.rows), apart = key ? 1 : rows.rows / drawn;
        const indices = chosen || Array.from({ length: drawn }, (_, i) => Math.floor(i * apart));
        const part = rows.pick(indices), codes = new Uint8Array(part.data.length).fill(128);
        for (const [from, to] of key ? [[0, key], [key, rows.cols]] : [[0, rows.cols]]) encodeColumns(part, from, to, codes);
        return { codes, indices, cols: rows.cols, rows: rows.rows, used: every.length, distinct: memory.square ? null : engine.distinctRows(rows.pick(every)) };
      },

      /** Words that the backbone must spell, since it has no piece for them. */
      spelled({ backbone, text }) {
        return backbones.get(backbone).tokenizer.spelled(text);
      },

      drop(ids) {
        ids.forEach((id) => banks.delete(id));
      },
    };
    return (name, argument) => calls[name](argument);
  };
});
