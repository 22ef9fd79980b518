/* In a notebook the scripts are one module, files come from Python, and the bank goes back to it. Every view has an engine of its
   own: `createLive` holds all other scripts. */
function render({ model, el }) {
  const live = createLive({}), waiting = {};
  live.file = (name) => {
    const short = name.endsWith("-words") ? "words" : name;
    return (waiting[short] ||= new Promise((done) => {
      const take = (message, buffers) => {
        if (message.file !== short) return;
        model.off("msg:custom", take);
        const file = JSON.parse(message.text);
        if (buffers?.length) file.data = new TextDecoder().decode(buffers[0]);
        done(file);
      };
      model.on("msg:custom", take);
      model.send({ ask: short });
    }));
  };
  const box = live.element("div", { class: "lmem-live", "data-piece": "talk", "data-model": "backbone", "data-memory": "adapter", "data-lm-suppress-shortcuts": true });
  el.append(box); // what is typed there is no shortcut of JupyterLab's
  live.show(box);
  box.piece.bankFile = "bank";
  box.piece.onbank = ({ rows, written, turns }) => model.send({ told: { rows: [...rows], written: [...written], turns } });
  model.on("msg:custom", (message) => message.file === "bank" && box.piece.replace(JSON.parse(message.text)));
}
export default { render };
