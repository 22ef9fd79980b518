const done = arguments[arguments.length - 1], pause = (ms) => new Promise((then) => setTimeout(then, ms)), box = document.querySelector(".lmem-live");
const tellTwo = async () => { for (const {text} of box.piece.words.tell.slice(0, 2)) await box.piece.tell(text); };
(async () => { while (!box.piece?.words) await pause(50); const {piece} = box; PRESSED; await pause(400); done(!box.querySelector(".live-failed")); })();
