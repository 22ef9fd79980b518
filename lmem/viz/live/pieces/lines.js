/* The lines of a talk as `lmem chat` reads them: what is said, what is asked, and what is said where no answer is given. */
(() => {
  const live = globalThis.lmemLive;
  const straight = (text) => text.replace(/[‘’ʼ]/g, "'");
  const isSmall = ({ small }, word) => new RegExp(`^(?:${small})$`).test(word);

  /** The words of a text that say what it is about, in small letters and without s or 's at the end. */
  function contentWords(lines, text) {
    const words = straight(text).toLowerCase().match(/[\p{L}\p{N}_]+(?:'[\p{L}\p{N}_]+)?/gu) || [];
    return words.filter((word) => !isSmall(lines, word)).map((word) => word.replace(/(?<=[\p{L}\p{N}_]{2})(?:'s|(?<!s)s)$/u, ""));
  }

  /** The words of what was told that have a capital inside a sentence and are never written without, by their small letters. */
  function namesIn(lines, told) {
    const spelled = told.flatMap((text) => text.match(/(?<=[^.!?…:\s] )\p{L}+/gu) || []);
    const small = new Set(spelled.filter((word) => word === word.toLowerCase()));
    const isName = (word) => /^\p{Lu}/u.test(word) && !small.has(word.toLowerCase()) && !isSmall(lines, word.toLowerCase());
    return new Map(spelled.filter(isName).map((word) => [word.toLowerCase(), word]));
  }

  /** A question as `lmem chat` puts it: as it is written in books, and one about the speaker names him or her first. */
  function addressed({ oneself, lines }, speaker, question, told = []) {
    if (!oneself) return question;
    const letter = "[\\p{L}\\p{N}_]", edge = `(?:(?<!${letter})(?=${letter})|(?<=${letter})(?!${letter}))`; // of words in any script
    const pattern = new RegExp(oneself.replaceAll("\\b", edge), "iu"), loud = question === question.toUpperCase();
    const names = namesIn(lines, told).set(speaker.toLowerCase(), speaker);
    let text = (loud ? question.toLowerCase() : question).replace(/[\p{L}\p{N}]+/gu, (word) => names.get(word) || (word === "i" ? "I" : word));
    text = text.slice(0, 1).toUpperCase() + text.slice(1) + (/[\p{L}\p{N}]$/u.test(text) ? "?" : "");
    return pattern.test(straight(text)) ? `${speaker}: ${text}` : text;
  }

  /** What a line says, and what it asks, as `lmem chat` splits it: a statement with a tag asks whether it is so. */
  function partsOf({ opening, rhetorical, tagged, confirms }, line) {
    const [opens, wantsNone, tag, ifSo] = [opening, rhetorical, tagged, confirms].map((pattern) => new RegExp(pattern, "i"));
    const sentences = line.split(/(?<=[.!?。！？…])(?<!\b(?:[DMS][rst]|Mrs)\.)\s+(?=[\p{L}\p{N}"'“‘¿¡(*])/u), said = [], asked = [];
    sentences.forEach((sentence, place) => {
      const plain = straight(sentence).trim(), begins = opens.test(plain), last = place === sentences.length - 1;
      const marked = /[?？؟‽⁇⁈][\s"'!*)”’»]*$/u.test(plain), asks = last ? marked || (begins && !plain.endsWith("!")) : begins && plain.includes("?");
      if (said.length && wantsNone.test(plain)) said.push(sentence);
      else if (said.length && ifSo.test(plain)) asked.push(`${said.pop()} ${sentence}`);
      else (asks || tag.test(plain) ? asked : said).push(sentence);
    });
    return { said: said.join(" "), asked: asked.join(" ") };
  }

  /** What is said where no answer is given, and why, as in `lmem chat`; null if an answer is given. It counts whether what was `told` has
      a word of the question, though perhaps nothing of it was kept. An empty bank answers nothing. */
  function silence({ lines, unknown, untold, unsure, reasons, least }, { text, withheld, none, sure, row, written }, question, told) {
    const asked = new Set(contentWords(lines, question)), spoken = told.some((one) => contentWords(lines, one).some((word) => asked.has(word)));
    const bare = written.every((turn) => turn < 0), silent = bare || withheld || text === unknown || !text;
    const shaky = !silent && row !== null && (sure < least || /(\D{2,})\1\1/.test(text));
    if (!silent && !shaky) return null;
    const heard = withheld ? (spoken ? "spoken" : "untold") : row !== null ? "empty" : spoken ? "unknown but spoken" : "unknown";
    const reason = bare ? "nothing" : shaky ? "unsure" : withheld === "doubted" ? withheld : heard;
    const why = reasons[reason].replace("{sure}", live.percent(shaky ? sure : 1 - none));
    return { said: shaky || spoken || withheld === "doubted" ? unsure : untold, why };
  }

  Object.assign(live, { addressed, contentWords, partsOf, silence });
})();
