"""Each site against a forward pass written out by hand, so that a transformers release that moves a hook is caught."""

from contextlib import ExitStack
from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers import away, by_hand
from test_write import pooled, sigmoid, softmax
from transformers.modeling_outputs import BaseModelOutput

from lmem.backbone.hooks import attach
from lmem.errors import MethodError
from lmem.memory.model import MemoryModel
from lmem.memory.read import ExtensionRead


def filled(model, talk):
    """The bank of these turns with random rows: those of a real bank are nearly equal, so attention makes no difference."""
    bank = model.write(model.new_bank(), talk)
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn(bank.state.rows.shape, generator=generator)
    return replace(bank, state=bank.state._replace(rows=rows))


def head(backbone, states):
    """Logits of the decoder's last states; T5 scales the input of a tied head."""
    t5 = backbone.model
    tied = t5.lm_head.weight is t5.shared.weight
    return t5.lm_head(states * backbone.width**-0.5 if tied else states)


@pytest.mark.parametrize("name", ["tiny", "flan"])
def test_extension_by_hand(request, talk, questions, name):
    backbone = request.getfixturevalue(name)
    t5 = backbone.model
    model = away(MemoryModel(backbone, "m3"))
    bank = filled(model, talk)
    inputs, start = by_hand(backbone, questions[0])
    with torch.no_grad():
        z = t5.encoder(**inputs).last_hidden_state
        both = torch.cat([z, bank.state.rows @ model.read.w_mem], 1)
        states = t5.decoder(
            input_ids=start,
            encoder_hidden_states=both,
            encoder_attention_mask=torch.ones(both.shape[:2]),
        ).last_hidden_state
        expected = head(backbone, states)
        with model.attached(bank):
            actual = t5(**inputs, decoder_input_ids=start).logits
    torch.testing.assert_close(actual, expected, atol=1e-4, rtol=1e-4)


def test_an_extension_inside_another_stands_behind_it(tiny, talk, questions):
    """Both banks' rows behind the encoder's output, whatever the reads are; each is projected by its own map."""
    outer, inner = away(MemoryModel(tiny, "m3")), away(MemoryModel(tiny, "m6", scale=0.5), seed=1)
    banks = [m.write(m.new_bank(), talk[:n]) for m, n in ((outer, 3), (inner, 4))]
    inputs, start = by_hand(tiny, questions[0])
    rows = [bank.state.rows @ m.read.w_mem for m, bank in zip((outer, inner), banks, strict=True)]
    with torch.no_grad():
        z = tiny.model.encoder(**inputs).last_hidden_state
        both = BaseModelOutput(torch.cat([z, *rows], 1))
        expected = tiny.model(encoder_outputs=both, decoder_input_ids=start).logits
        with outer.attached(banks[0]), inner.attached(banks[1]):
            nested = tiny.model(**inputs, decoder_input_ids=start).logits
        torch.testing.assert_close(nested, expected, atol=1e-4, rtol=1e-4)
        proxy = away(MemoryModel(tiny, "m2_as_run"), seed=2)  # its rows are no bank's
        bank = proxy.write(proxy.new_bank(), talk)
        found = []
        for pairs in ([(outer, banks[0]), (proxy, bank)], [(proxy, bank)]):
            with ExitStack() as stack:
                for m, one in pairs:
                    stack.enter_context(m.attached(one))
                found.append(tiny.model(**inputs, decoder_input_ids=start).logits)
    assert (found[0] - found[1]).abs().max() > 1e-2


def test_the_encoder_may_be_called_without_names(tiny, talk):
    """A mask by its place in the call is still a mask: padding is not read behind a prefix either."""
    model = away(MemoryModel(tiny, "m1"))
    inputs = tiny.inputs(["question: Where does Ben live?", "question: Who?"])
    ids, mask = inputs["input_ids"], inputs["attention_mask"]
    with torch.no_grad(), model.attached(model.write(model.new_bank(), talk)):
        named = tiny.encoder(input_ids=ids, attention_mask=mask).last_hidden_state
        placed = tiny.encoder(ids, mask).last_hidden_state
        blind = tiny.encoder(ids).last_hidden_state
    assert torch.equal(named, placed)
    assert (named[1] - blind[1]).abs().max() > 1e-2


@pytest.mark.parametrize(("name", "length"), [("tiny", None), ("tiny", 5), ("flan", 5)])
def test_prefix_by_hand(request, talk, questions, name, length):
    backbone = request.getfixturevalue(name)
    t5 = backbone.model
    model = away(MemoryModel(backbone, "m1", read={} if length is None else {"length": length}))
    bank = filled(model, talk)
    inputs, start = by_hand(backbone, questions[0])
    with torch.no_grad():
        rows = bank.state.rows if length is None else model.read.u_p @ bank.state.rows
        soft = rows @ model.read.w_p
        assert soft.shape[1] == (length or model.rows)
        embeds = torch.cat([soft, t5.shared(inputs["input_ids"])], 1)
        z = t5.encoder(inputs_embeds=embeds).last_hidden_state[:, soft.shape[1] :]
        expected = t5(encoder_outputs=(z,), decoder_input_ids=start).logits
        with model.attached(bank):
            actual = t5(**inputs, decoder_input_ids=start).logits
    torch.testing.assert_close(actual, expected, atol=1e-4, rtol=1e-4)


def test_a_kept_prefix_is_seen_by_the_decoder(tiny, talk):
    """With `keep` the decoder reads all of E([S; x]), one text or several, one beam or two."""
    model = away(MemoryModel(tiny, "m1", read={"keep": True}))
    bank, t5 = filled(model, talk), tiny.model
    inputs = tiny.inputs(["question: Where does Ben live?", "question: Who?"])
    with torch.no_grad():
        soft = (bank.state.rows @ model.read.w_p).expand(2, -1, -1)
        embeds = torch.cat([soft, t5.shared(inputs["input_ids"])], 1)
        mask = torch.cat([torch.ones(2, model.rows).long(), inputs["attention_mask"]], 1)
        z = t5.encoder(inputs_embeds=embeds, attention_mask=mask).last_hidden_state
        start = torch.zeros(2, 1, dtype=torch.long)
        whole = {"encoder_outputs": BaseModelOutput(z), "attention_mask": mask}
        expected = t5(**whole, decoder_input_ids=start).logits
        cut = {"encoder_outputs": BaseModelOutput(z[:, model.rows :])}
        dropped = t5(**cut, attention_mask=mask[:, model.rows :], decoder_input_ids=start).logits
        beams = {"num_beams": 2, "max_new_tokens": 4, "do_sample": False}
        written = t5.generate(**whole, **beams)
        with model.attached(bank):
            actual = t5(**inputs, decoder_input_ids=start).logits
            generated = t5.generate(**inputs, **beams)
    torch.testing.assert_close(actual, expected, atol=1e-4, rtol=1e-4)
    assert (actual - dropped).abs().max() > 1e-2
    assert torch.equal(generated, written)


def softmax_heads(look, j, s, rows):
    """What each state finds among the rows, head by head: (N, inner)."""
    size, parts = look.inner // look.heads, []
    for h in range(look.heads):
        cut = slice(h * size, (h + 1) * size)
        q, k = s @ look.w_q[j][:, cut], rows @ look.w_k[j][:, cut]
        parts.append((q @ k.T / size**0.5).softmax(-1) @ (rows @ look.w_v[j][:, cut]))
    return torch.cat(parts, -1)


@pytest.mark.parametrize("name", ["tiny", "flan"])
@pytest.mark.parametrize(
    ("method", "options"),
    [
        ("m2", {}),
        ("m2", {"raw": True, "heads": 4}),
        ("recent", {}),
        ("m5", {}),
        ("m5", {"shared": False}),
    ],
    ids=str,
)
def test_branch_by_hand(request, talk, questions, method, options, name):
    """Embedding, blocks, attention and feed-forward, all written out; the gain by its equation."""
    backbone = request.getfixturevalue(name)
    model = away(MemoryModel(backbone, method, read=options))
    bank = filled(model, talk)
    inputs, start = by_hand(backbone, questions[0])
    read, rows = model.read, bank.state.rows[0][model.write_rule.readable(bank.state)[0]]
    t5, decoder = backbone.model, backbone.model.decoder
    length = start.shape[1]
    causal = torch.full((length, length), float("-inf")).triu(1)[None, None]
    with torch.no_grad():
        z = t5.encoder(**inputs).last_hidden_state
        x = t5.shared(start)
        bias = decoder.block[0].layer[0].SelfAttention.compute_bias(length, length) + causal
        for i, block in enumerate(decoder.block):
            own, cross, feed = block.layer
            x = x + attention(own.SelfAttention, own.layer_norm(x), None, bias)
            s = cross.layer_norm(x)
            j, seen = i % read.sets, x if read.raw else s
            gain = softmax_heads(read.attend, j, seen[0], rows)
            if method == "m5":
                gate = torch.cat([seen[0], gain], 1) @ read.w_g[j] + read.b_g[j]
                gain = gate.sigmoid() * gain
            else:
                gain = read.beta[i] * gain @ read.w_o[j]
            x = x + attention(cross.EncDecAttention, s, z, 0.0) + gain
            x = x + feed.DenseReluDense(feed.layer_norm(x))
        expected = head(backbone, decoder.final_layer_norm(x))
        with model.attached(bank):
            actual = t5(**inputs, decoder_input_ids=start).logits
    torch.testing.assert_close(actual, expected, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("method", ["m2", "m3"])
def test_bart_by_hand(backbone_of, talk, questions, method):
    """BART normalises after each sublayer, so a branch reads and adds before the sublayer's norm."""
    backbone = backbone_of("bart")
    bart = backbone.model
    model = away(MemoryModel(backbone, method))
    bank = filled(model, talk)
    inputs, start = by_hand(backbone, questions[0])
    read, rows = model.read, bank.state.rows[0]
    length = start.shape[1]
    causal = torch.full((length, length), float("-inf")).triu(1)[None, None]
    with torch.no_grad():
        z = bart.model.encoder(**inputs).last_hidden_state
        if method == "m3":
            z = torch.cat([z, rows[None] @ read.w_mem], 1)
        decoder = bart.model.decoder
        x = decoder.embed_tokens(start) + decoder.embed_positions(start)
        x = decoder.layernorm_embedding(x)
        for i, layer in enumerate(decoder.layers):
            x = layer.self_attn_layer_norm(x + bart_attention(layer.self_attn, x, x, causal))
            gain = 0.0
            if method == "m2":
                gain = read.beta[i] * softmax_heads(read.attend, 0, x[0], rows) @ read.w_o[0]
            found = bart_attention(layer.encoder_attn, x, z, 0.0)
            x = layer.encoder_attn_layer_norm(x + found + gain)
            x = layer.final_layer_norm(x + layer.fc2(layer.activation_fn(layer.fc1(x))))
        expected = bart.lm_head(x) + bart.final_logits_bias
        with model.attached(bank):
            actual = bart(**inputs, decoder_input_ids=start).logits
    torch.testing.assert_close(actual, expected, atol=1e-4, rtol=1e-4)


def bart_attention(module, x, z, bias):
    """BART's attention, written out: queries are scaled, and every map has a bias."""
    q, k, v = (
        m(y).unflatten(-1, (module.num_heads, -1)).transpose(1, 2)
        for m, y in ((module.q_proj, x), (module.k_proj, z), (module.v_proj, z))
    )
    scores = q @ k.transpose(2, 3) / q.shape[-1] ** 0.5 + bias
    return module.out_proj((scores.softmax(-1) @ v).transpose(1, 2).flatten(2))


def test_recall_by_hand(tiny, talk, questions):
    """Two hops over the keys in NumPy, and what they find behind the encoder's output."""
    model = away(MemoryModel(tiny, "keyed"))
    bank = model.write(model.new_bank(), talk)
    inputs, start = by_hand(tiny, questions[0])
    read, written = model.read, model.write_rule.readable(bank.state)[0]
    assert 0 < written.sum() < len(written)
    rows = bank.state.rows[0][written].numpy()
    keys, values = rows[:, : read.key], rows[:, read.key :]
    with torch.no_grad():
        z = tiny.model.encoder(**inputs).last_hidden_state
        states, hops = z[0].numpy(), []
        beta = 10 * read.sharp.item()
        for ask in read.asks:
            halves = [pooled(half, states) for half in ask.halves]
            query = np.concatenate([half / np.linalg.norm(half) for half in halves]) / np.sqrt(2)
            p = softmax(beta * np.append(keys @ query, 1 - read.nu.item()))
            hops.append((p[:-1] @ values, p[-1]))
            back = read.back(torch.tensor(hops[-1][0]).float()).numpy()
            states = np.concatenate([states, back[None]])
        second = sigmoid(pooled(read.halt, z[0].numpy())[0])
        value, none = ((1 - second) * a + second * b for a, b in zip(*hops, strict=True))
        extra = (1 - none) * read.tell(torch.tensor(value).float())
        both = torch.cat([z, extra.reshape(1, -1, tiny.width)], 1)
        expected = tiny.model(encoder_outputs=(both,), decoder_input_ids=start).logits
        with model.attached(bank):
            actual = tiny.model(**inputs, decoder_input_ids=start).logits
        bare = tiny.model(**inputs, decoder_input_ids=start).logits
    torch.testing.assert_close(actual, expected, atol=1e-3, rtol=1e-3)
    assert (actual - bare).abs().max() > 1e-2


@pytest.mark.parametrize("method", ["m4", "delta+query"])
def test_query_by_hand(tiny, talk, questions, method):
    """Each token of the question reads the square bank; padding of a shorter question gives no row."""
    model = away(MemoryModel(tiny, method, scale=0.1))
    bank = filled(model, talk)
    inputs = tiny.inputs([f"question: {q}" for q in ("Where does Ben live?", questions[0])])
    start = torch.tensor([[0, 40, 41]] * 2)
    with torch.no_grad(), model.attached(bank):
        found = tiny.model(**inputs, decoder_input_ids=start).logits
    for i in range(2):
        ids = inputs["input_ids"][i : i + 1, : inputs["attention_mask"][i].sum()]
        with torch.no_grad():
            z = tiny.model.encoder(input_ids=ids).last_hidden_state
            asked = z @ model.read.w_q @ bank.state.rows @ model.read.w_mem
            both = (torch.cat([z, asked], 1),)
            expected = tiny.model(encoder_outputs=both, decoder_input_ids=start[:1]).logits
        torch.testing.assert_close(found[i : i + 1], expected, atol=1e-3, rtol=1e-3)


def attention(module, x, other, bias):
    """T5's attention, written out: no scaling by the root of the head's width."""
    other = x if other is None else other
    q, k, v = (
        (m(y)).unflatten(-1, (module.n_heads, -1)).transpose(1, 2)
        for m, y in ((module.q, x), (module.k, other), (module.v, other))
    )
    scores = q @ k.transpose(2, 3) + bias
    return module.o((scores.softmax(-1) @ v).transpose(1, 2).flatten(2))


@pytest.mark.parametrize("name", ["tiny", "flan"])
def test_a_borrowed_branch_starts_as_the_frozen_attention(request, talk, name):
    backbone = request.getfixturevalue(name)
    model = MemoryModel(backbone, "recent")
    bank = model.write(model.new_bank(), talk)
    mask = model.write_rule.readable(bank.state)
    states = torch.randn(1, 3, backbone.width)
    for i, block in enumerate(backbone.model.decoder.block):
        with torch.no_grad():
            found = model.read(bank.state.rows, mask, states, layer=i)
            expected = attention(
                block.layer[1].EncDecAttention, states, bank.state.rows[:, mask[0]], 0.0
            )
        torch.testing.assert_close(found, model.read.beta[i] * expected, atol=1e-4, rtol=1e-4)


def test_attach_needs_no_memory_model(tiny, questions):
    """The context manager alone: any rows, any read."""
    read = ExtensionRead(tiny.width, tiny.layers, start="identity")
    inputs, start = by_hand(tiny, questions[0])
    rows, mask = torch.randn(1, 3, tiny.width), torch.tensor([[True, False, True]])
    with torch.no_grad(), attach(tiny.model, read, rows, mask):
        masked = tiny.model(**inputs, decoder_input_ids=start).logits
    with torch.no_grad(), attach(tiny.model, read, rows[:, [0, 2]], mask[:, [0, 2]]):
        two = tiny.model(**inputs, decoder_input_ids=start).logits
    torch.testing.assert_close(masked, two, atol=1e-5, rtol=1e-5)


def test_attention_kernels_that_were_not_tried_are_refused(tiny, talk, monkeypatch):
    model = MemoryModel(tiny, "m3")
    bank = model.write(model.new_bank(), talk)
    monkeypatch.setattr(tiny.model.config, "_attn_implementation_internal", "flex_attention")
    with pytest.raises(MethodError, match="eager, sdpa"), model.attached(bank):
        pass
