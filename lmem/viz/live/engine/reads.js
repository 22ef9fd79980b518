/* The reads: (bank, question) -> what is attached to the backbone, and where the read looked.

   Equations and names are those of `lmem.memory.read`; chapters 3, 4, 5, 7 and 14 explain them. A read gives an attachment for
   `T5`, in which `look` collects, for each row of the bank, the share of attention that it got while the answer was decoded. */
lmemLive.parts.push(function reads(engine) {
  const { Matrix, linear, product, plus, scaled, stacked, softmax, sigmoid, rootMeanSquare } = engine;
  const CANDIDATES = 3, NEAR = 0.1, SAME = 0.94; // as in lmem.memory.read.copying

  /** What depends on the bank alone is computed once and kept with the bank. */
  function kept(bank, name, compute) {
    bank.kept ||= {};
    return (bank.kept[name] ||= compute());
  }

  /** Shares of attention by row of the bank, summed over heads, layers and decoding steps. */
  class Look {
    constructor(count) {
      this.shares = new Float64Array(count);
      this.weight = 0;
    }
    /** Add shares[from ...] for the rows of these indices. */
    add(shares, indices, from = 0, weight = 1) {
      indices.forEach((row, i) => (this.shares[row] += weight * shares[from + i]));
      this.weight += weight;
    }
    get mean() {
      return Float32Array.from(this.shares, (share) => share / (this.weight || 1));
    }
  }

  /** M.1: the bank as soft tokens before the encoder's input. */
  function prefix(rule, bank, rows, mask, look) {
    const mix = rule.has("u_p") ? rule.matrix("u_p") : null;
    const masked = mix ? rows.clone() : rows;
    if (mix) mask.forEach((seen, i) => seen || masked.row(i).fill(0));
    const soft = kept(bank, "soft", () => product(mix ? product(mix, masked) : masked, rule.matrix("w_p")));
    const seen = mix ? Array(soft.rows).fill(true) : mask, every = [...mask.keys()];
    const record = mix ? null : (shares, query) => query >= soft.rows && look.add(shares, every);
    return { prefix: { rows: soft, mask: seen, keep: rule.keep }, recordEncoder: record };
  }

  /** Rows that join the encoder's output, recorded while the frozen attention looks at them behind `latents` positions. */
  const joined = (indices, look, extra, keys) => ({
    extra,
    keys,
    record: (latents) => (shares) => look.add(shares, indices, latents),
  });

  /** M.3, M.6: the rows themselves join the encoder's output. */
  function extension(rule, bank, rows, mask, look, backbone) {
    const indices = readable(mask);
    const keys = kept(bank, "cross", () => backbone.crossKeys(product(rows.pick(indices), rule.matrix("w_mem"))));
    return joined(indices, look, null, keys);
  }

  /** M.4: each token of the question queries a matrix memory. */
  function query(rule, bank, rows) {
    const recalled = (z) => product(product(product(z, rule.matrix("w_q")), rows), rule.matrix("w_mem"));
    const resized = (z) => scaled(rootMeanSquare(recalled(z), 1e-6), rule.vectors.size[0]);
    return { extra: rule.has("size") ? resized : recalled };
  }

  /** Attention over the rows with the read's own maps (`lmem.memory.read.attend`): states (N, D) -> (N, inner). */
  function attendTo(rule, name, bank, rows, mask, set, states, look) {
    const indices = readable(mask), heads = rule.heads || 1;
    const { k, v } = kept(bank, `keys ${name} ${set}`, () => {
      const seen = rows.pick(indices);
      return { k: product(seen, rule.matrix(`${name}.w_k`, set)), v: product(seen, rule.matrix(`${name}.w_v`, set)) };
    });
    const q = product(states, rule.matrix(`${name}.w_q`, set)), size = q.cols / heads, out = new Matrix(q.rows, q.cols);
    for (let h = 0; h < heads; h++) {
      const [qs, ks, vs] = heads === 1 ? [q, k, v] : [q, k, v].map((part) => part.columns(h * size, (h + 1) * size));
      const scores = scaled(linear(qs, ks), size ** -0.5);
      for (let i = 0; i < scores.rows; i++) look.add(softmax(scores.row(i)), indices);
      const heard = product(scores, vs);
      for (let i = 0; i < out.rows; i++) out.row(i).set(heard.row(i), h * size);
    }
    return out;
  }

  const branchHeard = (rule, base, set, ...rest) => product(attendTo(rule, `${base}attend`, ...rest), rule.matrix(`${base}w_o`, set));

  /** M.5: what was heard, times a gate that looks at the state and at what was heard. */
  function gatedHeard(rule, base, set, states, heard) {
    const both = new Matrix(states.rows, 2 * states.cols), weight = rule.matrix(`${base}w_g`, set);
    for (let i = 0; i < states.rows; i++) {
      both.row(i).set(states.row(i));
      both.row(i).set(heard.row(i), states.cols);
    }
    const gate = product(both, weight), bias = rule.vectors[`${base}b_g`].subarray(set * states.cols, (set + 1) * states.cols);
    return new Matrix(heard.rows, heard.cols, heard.data.map((value, i) => value * sigmoid(gate.data[i] + bias[i % heard.cols])));
  }

  /** M.2: a second cross-attention in every decoder layer. */
  function branch(rule, bank, rows, mask, look) {
    const gain = (layer, normed, raw) => {
      const set = layer % rule.shape("attend.w_q")[0], states = rule.raw ? raw : normed;
      return scaled(branchHeard(rule, "", set, bank, rows, mask, set, states, look), rule.vectors.beta[layer]);
    };
    return { gain };
  }

  function gated_branch(rule, bank, rows, mask, look) {
    const gain = (layer, normed, raw) => {
      const set = layer % rule.shape("attend.w_q")[0], states = rule.raw ? raw : normed;
      return gatedHeard(rule, "", set, states, attendTo(rule, "attend", bank, rows, mask, set, states, look));
    };
    return { gain };
  }

  /** The paper's shortcut for M.2: read once, with the question's latents in place of the decoder's states. */
  function proxy_branch(rule, bank, rows, mask, look) {
    const { beta } = { beta: rule.vectors["inner.beta"] }, mean = beta.reduce((a, b) => a + b, 0) / beta.length;
    return { extra: (z) => scaled(branchHeard(rule, "inner.", 0, bank, rows, mask, 0, z, look), mean) };
  }

  function proxy_gated_branch(rule, bank, rows, mask, look) {
    return { extra: (z) => gatedHeard(rule, "inner.", 0, z, attendTo(rule, "inner.attend", bank, rows, mask, 0, z, look)) };
  }

  /** The question becomes a key, and, with what was found, a second one: for each hop the query, the rows' cosines, and the shares of the
      rows and, last, of "no row matches"; what was found is the mean of `values`, with the share of "no row" or not (`rest`). `append` turns it into rows for the second question. */
  function hops(rule, keys, values, question, append, rest = true) {
    const count = keys.rows, beta = 10 * rule.vectors.sharp[0];
    let z = question;
    return [0, 1].map((hop) => {
      const query = engine.address(rule, `asks.${hop}`, z), cosines = linear(query, keys).data, p = new Float32Array(count + 1);
      p.set(cosines.map((cosine) => beta * cosine));
      p[count] = beta * (1 - rule.vectors.nu[0]);
      const shares = rest ? softmax(p).subarray(0, count) : softmax(p.slice(0, count)), value = product(new Matrix(1, count, shares), values);
      if (!rest) softmax(p);
      z = stacked(z, append(value));
      return { query, cosines, p, value, none: p[count] };
    });
  }

  /** Chapter 14: the row that matches gives its value; a second hop asks again. */
  function recall(rule, bank, rows, mask, look) {
    const indices = readable(mask), size = rule.key, seen = rows.pick(indices);
    function extra(question) {
      const append = (value) => linear(value, rule.matrix("back.weight"), rule.vectors["back.bias"]);
      const [first, then] = hops(rule, seen.columns(0, size), seen.columns(size, rows.cols), question, append);
      const second = sigmoid(engine.pooled(rule, "halt", question).data[0]);
      look.none = (1 - second) * first.none + second * then.none;
      look.second = second;
      look.add(first.p, indices, 0, 1 - second);
      look.add(then.p, indices, 0, second);
      const told = engine.network(rule, "tell", plus(scaled(first.value, 1 - second), scaled(then.value, second)));
      return scaled(new Matrix(told.cols / rule.width, rule.width, told.data), 1 - look.none);
    }
    return { extra };
  }

  /** Of the best rows of both hops the one that is doubted least gives its value, token by token. Where that is doubted too much, rows
      say "unknown": no row is like the question ("far"), or one is ("doubted"). */
  function copying(rule, bank, rows, mask, look) {
    const indices = readable(mask), seen = rows.pick(indices), keys = seen.columns(0, rule.key), values = seen.columns(rule.key, rows.cols);
    const turn = indices.map((i) => bank.written[i]);
    let pieces;
    function extra(question) {
      const both = hops(rule, keys, values, question, (value) => valueRows(rule, value.data), false);
      const found = both.flatMap((hop, h) => engine.likeliest(hop.p.subarray(0, indices.length), CANDIDATES)
        .map((row) => ({ ...hop, row, doubt: doubt(rule, h, keys, turn, row, hop, both[1 - h]) })));
      const { p, row: best, cosines, doubt: none } = found.reduce((least, each) => (each.doubt < least.doubt ? each : least));
      const row = newest(keys, turn, best, cosines);
      look.none = none;
      look.add(p, indices);
      look.row = indices[row];
      look.withheld = look.none < rule.threshold ? null : cosines.reduce((a, b) => Math.max(a, b)) < 1 - rule.vectors.nu[0] ? "far" : "doubted";
      const value = look.withheld ? null : values.row(row);
      pieces = value && engine.network(rule, "spelling.piece", new Matrix(rule.length, value.length / rule.length, value));
      return value ? valueRows(rule, value) : rule.matrix("nothing");
    }
    /** The state of step `t` with the piece that is due (`lmem.memory.read.spelling`). */
    function spell(state, t) {
      if (!pieces || t >= rule.length) return state;
      const gate = sigmoid(linear(state, rule.matrix("spelling.gate.weight")).data[0] + rule.vectors["spelling.gate.bias"][0]);
      return plus(state, scaled(pieces.slice(t, t + 1), 10 * gate));
    }
    return { extra, spell };
  }

  /** The probability that a row does not answer. */
  function doubt(rule, hop, keys, turn, row, own, other) {
    const signs = new Matrix(1, rule.key + 5), key = keys.row(row), totals = [own, other].flatMap(({ cosines }) => [cosines[row], lead(cosines, row)]);
    signs.data.set(own.query.data.map((value, i) => value * key[i] * Math.sqrt(rule.key)));
    signs.data.set([...totals, newer(keys, turn, row, own.cosines)].map((each) => 3 * each), rule.key);
    return sigmoid(engine.network(rule, `doubt.${hop}`, signs).data[0]);
  }

  /** By how much a row leads the best other one, or 0. */
  function lead(cosines, row) {
    return cosines[row] - cosines.reduce((most, each, i) => (i === row ? most : Math.max(most, each)), 0);
  }

  const alikeTo = (keys, row) => linear(new Matrix(1, keys.cols, keys.row(row)), keys).data;

  /** How alike a row is to a newer one that is as like the question, else -1. */
  function newer(keys, turn, row, cosines) {
    const near = (i) => turn[i] > turn[row] && cosines[i] > cosines[row] - NEAR;
    return alikeTo(keys, row).reduce((most, each, i) => (near(i) ? Math.max(most, each) : most), -1);
  }

  /** The newest of the rows with a row's key that are as like the question. */
  function newest(keys, turn, row, cosines) {
    const same = (each, i) => each > SAME && cosines[i] > cosines[row] - NEAR;
    return alikeTo(keys, row).reduce((last, each, i) => (same(each, i) && turn[i] > turn[last] ? i : last), row);
  }

  /** The rows (L, D) that the decoder sees of a value: each token's code, with its neighbours' codes and its place. */
  function valueRows(rule, value) {
    const count = rule.length, size = value.length / count, codes = new Matrix(count, size, value), around = new Matrix(count, 3 * size + count);
    for (let n = 0; n < count; n++) {
      for (const step of [-1, 0, 1]) if (n + step >= 0 && n + step < count) around.row(n).set(codes.row(n + step), (step + 1) * size);
      around.row(n)[3 * size + n] = 1;
    }
    const spelled = linear(codes, rule.matrix("respell.weight"), rule.vectors["respell.bias"]);
    return plus(plus(spelled, rule.matrix("place")), engine.network(rule, "around", around));
  }

  const readable = (mask) => [...mask.keys()].filter((i) => mask[i]);

  engine.Look = Look;
  engine.READS = { prefix, extension, query, branch, gated_branch, proxy_branch, proxy_gated_branch, recall, copying };
});
