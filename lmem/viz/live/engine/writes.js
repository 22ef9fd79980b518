/* The write rules: (bank, hidden states of a turn) -> bank. A bank is a value: {rows, written, turns}; no write changes one.

   Equations and names are those of `lmem.memory.write`; chapters 6, 7, 8 and 14 explain them. `rule` holds the options and weights. */
lmemLive.parts.push(function writeRules(engine) {
  const { Matrix, dot, linear, product, plus, scaled, stacked, softmax, sigmoid, rootMeanSquare, unitLength } = engine;
  const unit = (rows) => rootMeanSquare(rows, 1e-6), END = 0.9; // as in lmem.memory.write.spans
  const meanRow = (z) => scaled(product(new Matrix(1, z.rows, new Float32Array(z.rows).fill(1)), z), 1 / z.rows);
  const withRows = (bank, rows) => ({ rows, written: new Int32Array(rows.rows).fill(bank.turns), turns: bank.turns + 1 });

  /** A <- A + factor B, row by row; the factor may depend on the row. */
  function mixed(a, b, keep, take) {
    const out = new Matrix(a.rows, a.cols);
    for (let i = 0; i < a.rows; i++)
      for (let j = 0; j < a.cols; j++) out.data[i * a.cols + j] = keep(i) * a.data[i * a.cols + j] + take(i) * b.data[i * a.cols + j];
    return out;
  }

  function softmaxRows(scores) {
    for (let i = 0; i < scores.rows; i++) softmax(scores.row(i));
    return scores;
  }

  /** M.1, M.2, M.3, M.5: every token spreads its value over the rows that it attends to. With `address` it attends to the rows'
      fixed addresses and not to what they contain. */
  function attention(rule, bank, z) {
    const queries = product(z, rule.matrix("w_q")), keys = rule.address ? addressKeys(rule) : product(bank.rows, rule.matrix("w_k"));
    const share = softmaxRows(scaled(linear(queries, keys), rule.width ** -0.5)); // (N, R)
    const rows = plus(scaled(bank.rows, rule.gamma), product(share.transposed, product(z, rule.matrix("w_v"))));
    if (!rule.normalise) return withRows(bank, rows);
    return withRows(bank, rule.address ? shortened(rows, rule.vectors.longest[0]) : unit(rows));
  }

  /** The keys of the rows' addresses, which no turn changes. */
  const addressKeys = (rule) => (rule.keys ||= product(scaled(rule.addresses || rule.matrix("addresses"), rule.address), rule.matrix("w_k")));

  /** Scale rows down to this root mean square where they are longer. */
  function shortened(rows, longest) {
    const out = rows.clone();
    for (let i = 0; i < out.rows; i++) {
      const row = out.row(i), size = Math.sqrt(dot(row, 0, row, 0, row.length) / row.length);
      if (size > longest) for (let j = 0; j < row.length; j++) row[j] *= longest / size;
    }
    return out;
  }

  /** Each row reads from the turn, and a gate decides between its content and what it read. */
  function gated(rule, bank, z) {
    const queries = product(bank.rows, rule.matrix("w_q")), keys = product(z, rule.matrix("w_k"));
    const share = softmaxRows(scaled(linear(queries, keys), rule.width ** -0.5)); // (R, N)
    const content = product(share, product(z, rule.matrix("w_v")));
    const { w_p, w_c, bias } = rule.vectors, gates = new Float32Array(content.rows);
    for (let i = 0; i < gates.length; i++)
      gates[i] = sigmoid(dot(bank.rows.data, i * rule.width, w_p, 0, rule.width) + dot(content.data, i * rule.width, w_c, 0, rule.width) + bias[0]);
    const rows = mixed(bank.rows, content, (i) => (1 - gates[i]) * rule.gamma, (i) => gates[i]);
    return withRows(bank, rule.normalise ? unit(rows) : rows);
  }

  /** M.4: outer products of keys and values, in a square matrix of bounded norm. */
  function hebbian(rule, bank, z) {
    const keys = product(z, rule.matrix("w_k")), values = product(z, rule.matrix("w_v"));
    let rows = plus(scaled(bank.rows, rule.gamma), scaled(product(keys.transposed, values), 1 / z.rows));
    if (rule.normalise) rows = scaled(rows, 1 / Math.max(Math.sqrt(dot(rows.data, 0, rows.data, 0, rows.data.length)), 1));
    return withRows(bank, rows);
  }

  /** Add only the difference between a token's value and what its key recalls; token by token, which is the same as at once. */
  function delta(rule, bank, z) {
    let keys = product(z, rule.matrix("w_k"));
    if (rule.normalise) keys = unitLength(keys);
    const values = product(z, rule.matrix("w_v")), rows = scaled(bank.rows, rule.gamma);
    for (let n = 0; n < z.rows; n++) {
      const strength = sigmoid(dot(z.data, n * z.cols, rule.vectors.w_b, 0, z.cols)), key = keys.slice(n, n + 1);
      const recalled = product(key, rows), missing = new Float32Array(rows.cols);
      for (let j = 0; j < rows.cols; j++) missing[j] = strength * (values.data[n * rows.cols + j] - recalled.data[j]);
      for (let i = 0; i < rows.rows; i++)
        for (let j = 0; j < rows.cols; j++) rows.data[i * rows.cols + j] += key.data[i] * missing[j];
    }
    return withRows(bank, rows);
  }

  /** M.6: the turn's mean goes into the k rows that it addresses; with `each` "token" each of its tokens does, one after the other. */
  function slots(rule, bank, z) {
    const rows = bank.rows.clone(), written = bank.written.slice();
    const parts = rule.each === "token" ? Array.from({ length: z.rows }, (_, n) => z.slice(n, n + 1)) : [meanRow(z)];
    for (const part of parts) intoSlots(rule, rows, part, (i) => (written[i] = bank.turns));
    return { rows, written, turns: bank.turns + 1 };
  }

  /** Move the k rows with the highest scores towards a value; these rows are changed in place. */
  function intoSlots(rule, rows, z, mark) {
    const asked = product(z, rule.matrix("w_a")), value = product(z, rule.matrix("w_u"));
    const scores = Array.from(linear(asked, rows).data, (score) => score * rule.width ** -0.5);
    const chosen = scores.map((_, i) => i).sort((a, b) => scores[b] - scores[a] || a - b).slice(0, rule.k);
    for (const i of chosen) {
      const step = (1 - rule.gamma) * (rule.trainable ? sigmoid(scores[i]) : 1), row = rows.row(i);
      for (let j = 0; j < row.length; j++) row[j] += step * (value.data[j] - row[j]);
      if (rule.normalise) row.set(unit(new Matrix(1, row.length, row)).data);
      mark(i);
    }
  }

  /** The newest hidden states, unchanged; the oldest drop out. */
  function recent(rule, bank, z) {
    const all = stacked(bank.rows, z), written = new Int32Array(all.rows).fill(bank.turns);
    written.set(bank.written);
    const rows = all.slice(z.rows, all.rows).clone();
    return { rows, written: written.slice(z.rows), turns: bank.turns + 1 };
  }

  /** The facts of a turn: key and value, whether it keeps them and whether they correct a row. */
  engine.FACTS = {
    /** One for the turn. */
    keyed(rule, z) {
      const [keep, correct] = engine.pooled(rule, "gate", z).data;
      const key = engine.address(rule, "address", z), value = unit(engine.pooled(rule, "value", z));
      return [{ key, value, keep: rule.select ? keep : 20, correct: rule.replace ? correct : -20 }];
    },
    /** One for each token at which a value may begin, the `most` likeliest; its value is the code of `length` tokens. */
    spans(rule, z) {
      const theta = rule.vectors.theta[0], begins = engine.network(rule, "gate", z).data;
      begins[z.rows - 1] = engine.pooled(rule, "ends", z).data[0];
      const codes = linear(z, rule.matrix("code.weight"), rule.vectors["code.bias"]);
      const tokens = engine.likeliest(begins, rule.most).sort((a, b) => a - b);
      const found = tokens.map((token) => {
        const anchor = z.slice(token, token + 1), value = new Matrix(1, rule.length * codes.cols);
        value.data.set(codes.slice(token, Math.min(token + rule.length, z.rows)).data);
        const correct = engine.pooled(rule, "correct", z, anchor).data[0];
        const least = token === z.rows - 1 && rule.length > 1 ? Math.min(theta, END) : theta;
        return { key: engine.address(rule, "address", z, anchor), value, keep: begins[token], correct, token, least };
      });
      const end = found.find((fact) => fact.token === z.rows - 1), sure = end?.keep; // of a value and the end that takes it back, the likelier one
      for (const fact of end ? found : [])
        if (fact !== end && dot(fact.key.data, 0, end.key.data, 0, rule.key) > theta)
          if (sure > Math.max(fact.keep, 0)) fact.keep = -20;
          else if (fact.keep > Math.max(sure, 0)) end.keep = -20;
      return found;
    },
  };

  /** Where a fact goes: into the row of the most similar key of an earlier turn if it corrects that, else into the row written longest ago. */
  engine.placeOf = function placeOf(rule, { rows, written, turns }, { key, correct, least = rule.vectors.theta[0] }) {
    let nearest = -1, row = -1, oldest = 0;
    for (let i = 0; i < rows.rows; i++) {
      if (written[i] < written[oldest]) oldest = i;
      const likeness = dot(key.data, 0, rows.data, i * rows.cols, rule.key);
      if (written[i] >= 0 && written[i] < turns && likeness > nearest) [nearest, row] = [likeness, i];
    }
    return { nearest, place: nearest > least && correct > 0 ? row : oldest };
  };

  /** One row for each fact that is kept; `facts` of the bank says which rows these are, and at which token a value begins. */
  const byKey = (factsOf) => (rule, bank, z) => {
    const rows = bank.rows.clone(), written = bank.written.slice(), facts = [];
    for (const fact of factsOf(rule, z)) {
      if (fact.keep <= 0) continue;
      const { place } = engine.placeOf(rule, { rows, written, turns: bank.turns }, fact);
      rows.row(place).set(fact.key.data);
      rows.row(place).set(fact.value.data, rule.key);
      written[place] = bank.turns;
      facts.push({ row: place, token: fact.token });
    }
    return { rows, written, turns: bank.turns + 1, facts };
  };

  /** How the H pools of this name share out their attention over a text's tokens: (H, N). An anchored pool looks from one of them. */
  engine.poolShares = function poolShares(rule, name, z, anchor = null) {
    const queries = rule.matrix(`${name}.queries`);
    return softmaxRows(linear(anchor ? plus(queries, linear(anchor, rule.matrix(`${name}.turned.weight`))) : queries, z));
  };

  /** Attention pools over a text's hidden states, a linear map, and a small network (`lmem.memory.pooling`). */
  engine.pooled = function pooled(rule, name, z, anchor = null) {
    const pools = product(engine.poolShares(rule, name, z, anchor), z), seen = anchor ? stacked(pools, anchor) : pools;
    const flat = new Matrix(1, seen.data.length, seen.data), straight = linear(flat, rule.matrix(`${name}.linear.weight`), rule.vectors[`${name}.linear.bias`]);
    return rule.has(`${name}.mlp.0.weight`) ? plus(straight, engine.network(rule, `${name}.mlp`, flat)) : straight;
  };

  /** One hidden layer with GELU. */
  engine.network = function network(rule, name, x) {
    const hidden = linear(x, rule.matrix(`${name}.0.weight`), rule.vectors[`${name}.0.bias`]);
    hidden.data.forEach((value, i) => (hidden.data[i] = engine.gelu(value)));
    return linear(hidden, rule.matrix(`${name}.2.weight`), rule.vectors[`${name}.2.bias`]);
  };

  /** The key of a text: two halves of length sqrt(1/2). */
  engine.address = function address(rule, name, z, anchor = null) {
    const halves = stacked(...[0, 1].map((half) => unitLength(engine.pooled(rule, `${name}.halves.${half}`, z, anchor))));
    return scaled(new Matrix(1, halves.data.length, halves.data), Math.SQRT1_2);
  };

  engine.WRITES = { attention, gated, hebbian, delta, slots, recent, keyed: byKey(engine.FACTS.keyed), spans: byKey(engine.FACTS.spans) };
  engine.SINGLE = ["recent", "keyed", "spans"]; // write single rows; the others are empty
});
