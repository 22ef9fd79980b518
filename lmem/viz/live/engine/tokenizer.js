/* Text to token ids and back, as the library `tokenizers` does it for nano (Unigram) and mini (BPE): both spell what they do not
   know in UTF-8 bytes. The file's description is the tokenizer.json itself. */
lmemLive.parts.push(function tokenizers(engine) {
  const SPACE = "▁", UNKNOWN_PENALTY = 10, INVISIBLE =
    /[\u00ad\u061c\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff\u0000-\u0008\u000e-\u001b\u007f-\u0084\u0086-\u009f]/g;

  /** A text as every backbone gets it (`lmem.utils.text`): composed, without invisible marks, single blanks. */
  function normaliseText(text) {
    return text.normalize("NFC").replace(INVISIBLE, "").split(/[\s\u001c-\u001f\u0085]+/).filter(Boolean).join(" ");
  }

  const escaped = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  const patternOf = ({ String: text, Regex: regex }) => new RegExp(regex === undefined ? escaped(text) : regex, "g");

  /** A function text -> text for one entry of tokenizer.json's `normalizer`. */
  function normalizer(entry) {
    if (!entry) return (text) => text;
    if (entry.type === "Sequence") {
      const steps = entry.normalizers.map(normalizer);
      return (text) => steps.reduce((value, step) => step(value), text);
    }
    if (entry.type === "NFC") return (text) => text.normalize("NFC");
    if (entry.type === "Replace") {
      const pattern = patternOf(entry.pattern);
      return (text) => text.replace(pattern, () => entry.content);
    }
    if (entry.type === "Strip") return (text) => text.trim();
    throw new Error(`no normalizer ${entry.type}`);
  }

  /** A function text -> pieces for one entry of tokenizer.json's `pre_tokenizer`. */
  function preTokenizer(entry) {
    if (entry.type === "Sequence") {
      const steps = entry.pretokenizers.map(preTokenizer);
      return (text) => steps.reduce((pieces, step) => pieces.flatMap(step), [text]);
    }
    if (entry.type === "Metaspace")
      return (text) => {
        const marked = text.replaceAll(" ", SPACE);
        return (marked.startsWith(SPACE) ? marked : SPACE + marked).split(/(?=▁)/);
      };
    if (entry.type === "Split" && entry.behavior === "Isolated") {
      const pattern = patternOf(entry.pattern);
      return (text) => {
        const pieces = [];
        let end = 0;
        for (const match of text.matchAll(pattern)) {
          if (match.index > end) pieces.push(text.slice(end, match.index));
          pieces.push(match[0]);
          end = match.index + match[0].length;
        }
        if (end < text.length) pieces.push(text.slice(end));
        return pieces;
      };
    }
    throw new Error(`no pre-tokenizer ${entry.type}`);
  }

  class Tokenizer {
    constructor(description) {
      const { model, added_tokens: added } = description;
      this.unigram = model.type === "Unigram";
      this.pieces = this.unigram
        ? model.vocab.map(([piece]) => piece)
        : Object.entries(model.vocab).reduce((list, [piece, id]) => ((list[id] = piece), list), []);
      this.ids = new Map(this.pieces.map((piece, id) => [piece, id]));
      this.special = new Map(added.map(({ content, id }) => [content, id]));
      this.specialIds = new Set(this.special.values());
      this.unknown = this.unigram ? model.unk_id : this.ids.get(model.unk_token);
      this.end = this.special.get("</s>");
      this.normalize = normalizer(description.normalizer);
      this.split = preTokenizer(description.pre_tokenizer);
      if (this.unigram) {
        this.scores = model.vocab.map(([, score]) => score);
        this.unknownScore = Math.min(...this.scores) - UNKNOWN_PENALTY;
        this.longest = Math.max(...this.pieces.map((piece) => piece.length));
      } else {
        this.merges = new Map();
        model.merges.forEach((pair, rank) => {
          const [left, right] = Array.isArray(pair) ? pair : pair.split(" ");
          this.merges.set(`${this.ids.get(left)},${this.ids.get(right)}`, [rank, this.ids.get(left + right)]);
        });
      }
    }

    /** Token ids of a text, the end of text included. */
    encode(text) {
      const ids = [], named = [...this.special.keys()].map(escaped).join("|");
      for (const part of normaliseText(text).split(new RegExp(`(${named})`))) {
        if (this.special.has(part)) ids.push(this.special.get(part));
        else if (part) for (const piece of this.split(this.normalize(part))) ids.push(...this.pieceIds(piece));
      }
      return [...ids, this.end];
    }

    pieceIds(piece) {
      return this.unigram ? this.likeliest(piece).flatMap((part) => this.idOrBytes(part)) : this.merged(piece);
    }

    /** The id of a piece, or those of its bytes. */
    idOrBytes(piece) {
      if (this.ids.has(piece)) return [this.ids.get(piece)];
      const bytes = [...new TextEncoder().encode(piece)].map((byte) => this.ids.get(byteName(byte)));
      return bytes.every((id) => id !== undefined) ? bytes : [this.unknown];
    }

    /** Unigram: the segmentation with the largest sum of scores (Viterbi). Neighbours that are both unknown become one. */
    likeliest(text) {
      const best = Array(text.length + 1).fill(null);
      best[0] = { score: 0 };
      for (let start = 0; start < text.length; start++) {
        if (!best[start]) continue;
        const character = String.fromCodePoint(text.codePointAt(start)).length;
        const offer = (length, score, known) => {
          const total = score + best[start].score, there = best[start + length];
          if (!there || total > there.score) best[start + length] = { score: total, start, known };
        };
        for (let length = 1; length <= Math.min(this.longest, text.length - start); length++) {
          const id = this.ids.get(text.slice(start, start + length));
          if (id !== undefined) offer(length, this.scores[id], id !== this.unknown);
        }
        if (!this.ids.has(text.slice(start, start + character))) offer(character, this.unknownScore, false);
      }
      const parts = [];
      for (let end = text.length, later = null; end > 0; end = best[end].start) {
        const { start, known } = best[end];
        if (!known && later && !later.known) later.text = text.slice(start, end) + later.text;
        else parts.unshift((later = { text: text.slice(start, end), known }));
      }
      return parts.map((part) => part.text);
    }

    /** BPE: join the pair of neighbours that was learned first, until none is left. */
    merged(text) {
      const ids = [...text].flatMap((character) => this.idOrBytes(character));
      for (;;) {
        let place = -1, first = [Infinity];
        for (let i = 0; i + 1 < ids.length; i++) {
          const merge = this.merges.get(`${ids[i]},${ids[i + 1]}`);
          if (merge && merge[0] < first[0]) [place, first] = [i, merge];
        }
        if (place < 0) return ids;
        ids.splice(place, 2, first[1]);
      }
    }

    /** The text of token ids, without special tokens. */
    decode(ids) {
      const parts = [];
      let bytes = [];
      const spell = () => {
        if (!bytes.length) return;
        let text;
        try {
          text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(new Uint8Array(bytes));
        } catch {
          text = "\ufffd".repeat(bytes.length);
        }
        parts.push(text);
        bytes = [];
      };
      for (const id of ids) {
        if (this.specialIds.has(id)) continue;
        const byte = /^<0x([0-9A-F]{2})>$/.exec(this.pieces[id]);
        if (byte) bytes.push(parseInt(byte[1], 16));
        else spell(), parts.push(this.pieces[id]);
      }
      spell();
      return parts.map((part, i) => part.replaceAll(SPACE, i ? " " : "")).join("").trim();
    }

    /** Words of a text that have no piece of their own and are spelled letter by letter. */
    spelled(text) {
      return normaliseText(text).split(" ").filter((word) => {
        const bare = word.replace(/^[^\p{L}\p{N}]+|[^\p{L}\p{N}]+$/gu, "").replace(/['’]s$/u, "");
        if (!bare) return false;
        const ids = this.pieceIds(SPACE + this.normalize(bare));
        const letters = [...bare].length;
        return letters > 1 && ids.length >= Math.max(3, letters);
      });
    }
  }

  const byteName = (byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`;
  Object.assign(engine, { Tokenizer, normaliseText });
});
