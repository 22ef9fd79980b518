/* The frozen backbone: T5's encoder and decoder, with a cache and the three sites at which a memory enters (chapters 3 to 5).

   One text at a time, so nothing is padding. An attachment, which `reads.js` makes from a bank, may have
     prefix   {rows, mask, keep}      soft tokens before the encoder's input
     extra    (states) -> rows        rows that join the encoder's output
     gain     (layer, states) -> rows what is added to each decoder layer's cross-attention
     spell    (state, t) -> state     what becomes of the last state of step t */
lmemLive.parts.push(function backbones(engine) {
  const { Matrix, dot, linear, plus, stacked, softmax, rootMeanSquare } = engine;
  const ACTIVATIONS = { relu: engine.relu, gelu: engine.gelu, gelu_new: engine.geluNew };

  class T5 {
    constructor(file) {
      this.config = file.config;
      this.tokenizer = new engine.Tokenizer(file.tokenizer);
      const packed = engine.unpack(file);
      this.matrix = packed.matrix;
      this.weights = packed.weights;
      this.width = file.config.d_model;
      this.embedding = packed.matrix("shared.weight");
      this.head = packed.has("lm_head.weight") ? packed.matrix("lm_head.weight") : this.embedding;
      const layers = (stack, count) => Array.from({ length: count }, (_, i) => this.layer(packed, `${stack}.block.${i}.layer`, stack));
      this.encoder = layers("encoder", file.config.num_layers);
      this.decoder = layers("decoder", file.config.num_decoder_layers);
    }

    /** The weights of one layer by their tasks. */
    layer(packed, path, stack) {
      const { matrix, weights } = packed;
      const attention = (place, name) => ({
        norm: weights[`${path}.${place}.layer_norm.weight`],
        ...Object.fromEntries(["q", "k", "v", "o"].map((map) => [map, matrix(`${path}.${place}.${name}.${map}.weight`)])),
      });
      const last = stack === "encoder" ? 1 : 2, dense = `${path}.${last}.DenseReluDense`;
      const gated = packed.has(`${dense}.wi_0.weight`);
      return {
        self: attention(0, "SelfAttention"),
        cross: stack === "decoder" ? attention(1, "EncDecAttention") : null,
        forward: {
          norm: weights[`${path}.${last}.layer_norm.weight`],
          inner: matrix(gated ? `${dense}.wi_0.weight` : `${dense}.wi.weight`),
          gate: gated ? matrix(`${dense}.wi_1.weight`) : null,
          outer: matrix(`${dense}.wo.weight`),
        },
      };
    }

    normed(x, weight) {
      return rootMeanSquare(x, this.config.layer_norm_epsilon, weight);
    }

    embed(ids) {
      return this.embedding.pick(ids);
    }

    /** T5's bucket of the distance from a query to a key. */
    bucket(distance, bidirectional) {
      let count = this.config.relative_attention_num_buckets, bucket = 0;
      if (bidirectional) {
        count /= 2;
        if (distance > 0) bucket = count;
        distance = Math.abs(distance);
      } else distance = Math.max(-distance, 0);
      const exact = count / 2;
      if (distance < exact) return bucket + distance;
      // rounded as PyTorch rounds, so that a distance at the edge of two buckets falls into the same one
      const span = Math.fround(Math.log(this.config.relative_attention_max_distance / exact));
      const far = Math.fround(Math.fround(Math.fround(Math.log(Math.fround(distance / exact))) / span) * (count - exact));
      return bucket + Math.min(exact + Math.floor(far), count - 1);
    }

    /** Position bias of each head by distance: bias[head][distance + offset]. */
    biases(stack, reach) {
      const heads = this.config.num_heads, table = this.weights[`${stack}.block.0.layer.0.SelfAttention.relative_attention_bias.weight`];
      const bias = Array.from({ length: heads }, () => new Float32Array(2 * reach + 1));
      for (let distance = -reach; distance <= reach; distance++) {
        const bucket = this.bucket(distance, stack === "encoder");
        for (let h = 0; h < heads; h++) bias[h][distance + reach] = table[bucket * heads + h];
      }
      return { bias, reach };
    }

    /** Attention of queries (N, inner) over keys and values (M, inner).

        options: position {bias, reach, first} adds a bias by distance, the first query at place `first`; seen(j) says which keys
        may be used; record(shares) gets the weights of each head and query. */
    attend(q, k, v, options = {}) {
      const heads = this.config.num_heads, size = this.config.d_kv, out = new Matrix(q.rows, heads * size);
      const shares = new Float32Array(k.rows), { position, seen, record } = options;
      for (let h = 0; h < heads; h++)
        for (let i = 0; i < q.rows; i++) {
          for (let j = 0; j < k.rows; j++) {
            let score = dot(q.data, i * q.cols + h * size, k.data, j * k.cols + h * size, size);
            if (position) score += position.bias[h][j - i - position.first + position.reach];
            shares[j] = seen && !seen(j) ? -Infinity : score;
          }
          softmax(shares);
          if (record) record(shares, i, h);
          const at = i * out.cols + h * size;
          for (let j = 0; j < k.rows; j++)
            for (let d = 0, from = j * v.cols + h * size, share = shares[j]; d < size; d++) out.data[at + d] += share * v.data[from + d];
        }
      return out;
    }

    feedForward(x, { norm, inner, gate, outer }) {
      const normed = this.normed(x, norm), hidden = linear(normed, inner), act = ACTIVATIONS[this.config.dense_act_fn];
      const other = gate ? linear(normed, gate) : null;
      for (let i = 0; i < hidden.data.length; i++) hidden.data[i] = act(hidden.data[i]) * (other ? other.data[i] : 1);
      return plus(x, linear(hidden, outer));
    }

    /** Hidden states (N, D) of token ids; a prefix takes part and is dropped again, or with `keep` appended. `record` sees the weights of
        every layer. */
    encode(ids, prefix = null, record = null) {
      let x = this.embed(ids);
      const extra = prefix ? prefix.rows.rows : 0;
      if (prefix) x = stacked(prefix.rows, x);
      const position = { ...this.biases("encoder", x.rows), first: 0 };
      const seen = prefix ? (j) => j >= extra || prefix.mask[j] : null;
      for (const layer of this.encoder) {
        const normed = this.normed(x, layer.self.norm), { q, k, v, o } = layer.self;
        const heard = this.attend(linear(normed, q), linear(normed, k), linear(normed, v), { position, seen, record });
        x = this.feedForward(plus(x, linear(heard, o)), layer.forward);
      }
      const states = this.normed(x, this.weights["encoder.final_layer_norm.weight"]), own = states.slice(extra, x.rows);
      return prefix?.keep ? stacked(own, states.pick([...Array(extra).keys()].filter(seen))) : own;
    }

    /** Keys and values of what the decoder's cross-attentions read, layer by layer. */
    crossKeys(states) {
      return this.decoder.map(({ cross }) => ({ k: linear(states, cross.k), v: linear(states, cross.v) }));
    }

    /** Begin to decode: keys and values of the latents and, under them, of the extra rows. */
    begin(latents, extra = null) {
      const own = this.crossKeys(latents);
      const cross = extra ? own.map((keys, i) => ({ k: stacked(keys.k, extra[i].k), v: stacked(keys.v, extra[i].v) })) : own;
      return { cross, self: this.decoder.map(() => null), length: 0, latents: latents.rows };
    }

    /** One step: the state (1, D) before the head, after token `id`. The cache grows. */
    step(cache, id, gain = null, record = null) {
      let x = this.embed([id]);
      const position = { ...this.biases("decoder", cache.length + 1), first: cache.length };
      this.decoder.forEach((layer, i) => {
        let normed = this.normed(x, layer.self.norm);
        const fresh = { k: linear(normed, layer.self.k), v: linear(normed, layer.self.v) }, past = cache.self[i];
        const all = past ? { k: stacked(past.k, fresh.k), v: stacked(past.v, fresh.v) } : fresh;
        cache.self[i] = all;
        x = plus(x, linear(this.attend(linear(normed, layer.self.q), all.k, all.v, { position }), layer.self.o));
        normed = this.normed(x, layer.cross.norm);
        const { k, v } = cache.cross[i];
        let heard = plus(x, linear(this.attend(linear(normed, layer.cross.q), k, v, { record }), layer.cross.o));
        if (gain) heard = plus(heard, gain(i, normed, x));
        x = this.feedForward(heard, layer.forward);
      });
      cache.length += 1;
      return this.normed(x, this.weights["decoder.final_layer_norm.weight"]);
    }

    /** Logits over all pieces of a state (1, D). */
    logits(state) {
      const scale = this.config.scale_decoder_outputs ? this.width ** -0.5 : 1;
      return linear(engine.scaled(state, scale), this.head).data;
    }
  }

  engine.T5 = T5;
});
