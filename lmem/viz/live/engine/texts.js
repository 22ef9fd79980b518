/* No memory: the turns themselves go into the encoder's input, behind the question (chapter 16). It has the form of a memory, so a
   page can offer it in the place of one: a "row" is a turn, and its share of attention is that of its tokens. */
lmemLive.files.text = { name: "text", method: "text", scale: 1, write: { kind: "text", options: {} }, read: { kind: "text", options: {} } };
lmemLive.parts.push(function texts(engine) {
  const QUESTION = 64; // tokens of the input that are kept free for the question

  class TextMemory {
    constructor(file, backbone) {
      Object.assign(this, { backbone, name: file.name, writeKind: "text", readKind: "text", writeRule: {}, square: false, single: true });
      this.p0 = new engine.Matrix(0, backbone.width);
    }

    newBank() {
      return { rows: this.p0, written: new Int32Array(0), turns: 0, texts: [] };
    }

    /** Add one turn "context: SPEAKER: TEXT". The oldest turns are left out where they do not fit any more. */
    writeText(bank, turn) {
      const most = engine.MAX_TOKENS - QUESTION, texts = [...bank.texts, { turn, ids: engine.tokensOf(this.backbone, turn, most).slice(0, -1) }];
      const written = new Int32Array(texts.length).fill(-1);
      for (let t = texts.length - 1, left = most; t >= 0 && (left -= texts[t].ids.length) >= 0; t--) written[t] = t;
      return { rows: this.p0, written, turns: texts.length, texts };
    }

    tokens(text) {
      return engine.tokensOf(this.backbone, text, QUESTION);
    }

    /** Encode the question and, behind it, the turns, ready to decode. */
    begin(bank, question) {
      const { backbone } = this, asked = this.tokens(engine.asPrompt(question)), here = bank.texts.filter((_, t) => bank.written[t] >= 0);
      const ids = [...asked.slice(0, -1), ...here.flatMap((text) => text.ids), asked[asked.length - 1]], latents = backbone.encode(ids);
      const look = new engine.Look(bank.texts.length), indices = [...bank.written].filter((t) => t >= 0);
      const record = (shares) => {
        let at = asked.length - 1;
        look.add(here.map((text) => shares.subarray(at, (at += text.ids.length)).reduce((sum, share) => sum + share, 0)), indices);
      };
      return { ids, latents, cache: backbone.begin(latents), attached: { look }, record };
    }

    ask(bank, question, best = 5, watch = null) {
      return engine.decoded(this, this.begin(bank, question), best, watch);
    }

    piece(id) {
      return this.backbone.tokenizer.pieces[id];
    }
  }

  const { memoryOf } = engine;
  engine.memoryOf = (file, ...about) => (file.write.kind === "text" ? new TextMemory(file, ...about) : memoryOf(file, ...about));
});
