/* The counterfactual of a sentence: whole values give way to others of their kind. What is of a kind, and what stands around a value,
   says `words.toml`; what is not recognised stays, and the page says so. */
(() => {
  const live = globalThis.lmemLive;
  const WORD = /[\p{L}\p{N}]+(?:[-'’.:,/&][\p{L}\p{N}]+)*/gu, LONGEST = 5;

  /** A text in small letters, its words between single blanks. */
  const plain = (text) => ` ${text.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, " ").trim()} `;
  const itemsOf = ({ items, halves }) => items || halves[0].flatMap((first) => halves[1].map((second) => `${first}-${second}`));
  const vowel = (text) => /^[aeiou]/i.test(text);

  /** A value of the same kind that was not yet said, if possible as many words and with the same article; null if there is none. */
  function otherOf(items, value, { swap }, said) {
    const from = items.indexOf(value), first = from < 0 ? value.length : from + Math.ceil(items.length / 3), count = value.split(" ").length;
    const left = [...items.slice(first), ...items.slice(0, first)].filter((one) => !said.includes(plain(one)) && vowel(one) === vowel(value));
    const chosen = swap[value];
    return chosen && !said.includes(plain(chosen)) ? chosen : left.find((one) => one.split(" ").length === count) || left[0] || null;
  }

  /** A number that differs by two: of a time or a code the last digit, of a clock's hours one that it has. */
  function otherNumber(value, after) {
    if (!/^[\d.,:-]+$/.test(value)) return null;
    if (!/^\d{1,4}$/.test(value)) return value.replace(/\d(?=\D*$)/, (digit) => (Number(digit) + 2) % 10);
    return String(Number(value) + (Number(value) > 10 && /^\s*(?:[ap]\.?m\b|o['’]clock)/i.test(after) ? -2 : 2));
  }

  /** The value that begins at a word: {length in words, other, weak}, or null. */
  function valueAt(words, text, places, i, said) {
    for (let length = Math.min(LONGEST, places.length - i); length > 0; length--) {
      const last = places[i + length - 1], start = places[i].index, value = text.slice(start, last.index + last[0].length);
      if (/[^\p{L}\p{N}.] |(?<!\b(?:[DMS][rst]|Mrs))\. |^(?:[DM]rs?|Ms)\b/u.test(value)) continue; // of two clauses, or with a title
      const named = value.split(" ").every((word) => /^\p{Lu}[\p{L}.'’-]*$/u.test(word)), small = /^\p{Ll}+$/u.test(value) && !new RegExp(`^(?:${words.lines.small})$`).test(value);
      const before = text.slice(0, start), after = text.slice(start + value.length);
      const around = (list) => list.some(([left, right]) => new RegExp(left, "iu").test(before) && new RegExp(right, "u").test(after));
      for (const kind of words.swaps) {
        if (kind.cue && !new RegExp(kind.cue, "iu").test(text)) continue;
        const items = (kind.all ||= itemsOf(kind)), listed = (kind.known ||= new Set(items)).has(value) && around(kind.around || words.around);
        if (!listed && !(named && around(kind.open || [])) && !(small && around(kind.low || []))) continue;
        const other = otherOf(items, value, words, said);
        if (other) return { length, value, other: small && !listed ? other.toLowerCase() : other, weak: kind.weak };
      }
    }
    const [value] = places[i], other = words.swaps.length ? otherNumber(value, text.slice(places[i].index + value.length)) : null;
    return other && { length: 1, value, other, weak: true };
  }

  /** The counterfactual of a sentence after what was `told`, or null: {text, parts: [{text, own}], swaps: [{own, other}]}; `own` is what a part
      stands for. Weaker values, as numbers, take others only if nothing else does. */
  function counterfactual(words, text, told = []) {
    const places = [...text.matchAll(WORD)], found = [];
    for (let i = 0; i < places.length; i++) {
      const said = plain([text, ...told, ...found.map(({ other }) => other)].join(" . ")), value = valueAt(words, text, places, i, said);
      if (!value) continue;
      found.push({ ...value, start: places[i].index });
      i += value.length - 1;
    }
    const strong = found.filter(({ weak }) => !weak), chosen = strong.length ? strong : found.slice(0, 1), parts = [];
    if (!chosen.length) return null;
    let end = 0;
    for (const { start, value, other } of chosen) {
      parts.push({ text: text.slice(end, start) }, { text: other, own: value });
      end = start + value.length;
    }
    parts.push({ text: text.slice(end) });
    return { text: parts.map((part) => part.text).join(""), parts, swaps: chosen.map(({ value, other }) => ({ own: value, other })) };
  }

  Object.assign(live, { counterfactual, plain });
})();
