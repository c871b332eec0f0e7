"""What holds for every model family, on a small random model of its layout: inherited by being in `FAMILIES`."""

from __future__ import annotations

import pytest
import torch

from errata.core.records import Message, Query
from errata.models._chat import tokenizer_of
from errata.nn.patches import Delta, LowRank, NoPatch, Replaced, Rewrite
from tests.conftest import picture

SEEN = Query.ask("what is the red star called?", picture(1))
TOLD = Query.ask("where does mibo live?")
TWO = Query(
    (Message("user", (picture(1), "the red star")), Message("assistant", ("mibo",)), Message("user", (picture(2), "and this?")))
)
TARGET = "red plums and salt"

# The prompts of the families whose processor has no chat template, by the queries' order; `@` stands for a picture's tokens.
WRITTEN = {
    "blip2": {
        SEEN: "@Question: what is the red star called? Answer:",
        TOLD: "Question: where does mibo live? Answer:",
        TWO: "@@Question: the red star Answer: mibo Question: and this? Answer:",
    },
    "minigpt4": {
        SEEN: "###Human: <Img>@</Img> what is the red star called? ###Assistant:",
        TOLD: "###Human: where does mibo live? ###Assistant:",
        TWO: "###Human: <Img>@</Img> the red star ###Assistant: mibo ###Human: <Img>@</Img> and this? ###Assistant:",
    },
}


def whole(model, query, target):
    """The query, the target and the end token as the processor itself and the library's own forward pass take them."""
    if model.processor.chat_template is None:
        return written_out(model, query, target)
    parts = [
        {"role": m.role, "content": [{"type": "text", "text": p} if isinstance(p, str) else {"type": "image"} for p in m.parts]}
        for m in query.messages
    ]
    text = model.processor.apply_chat_template(parts, add_generation_prompt=True)
    pictures = [image.pixels() for image in query.images] or None
    end = model.processor.tokenizer.eos_token
    prompt = model.processor(images=pictures, text=text, return_tensors="pt")
    return prompt, model.processor(images=pictures, text=f"{text} {target}{end}", return_tensors="pt")


def written_out(model, query, target):
    """The same where the processor knows no chat: the family's words, each picture as many tokens as there are queries."""
    tokenizer, text = model.processor.tokenizer, WRITTEN[model.family.name][query]
    text = text.replace("@", "<image>" * model.net.config.num_query_tokens)
    prompt, together = (tokenizer(said, return_tensors="pt") for said in (text, f"{text} {target}{tokenizer.eos_token}"))
    if query.images:
        pixels = model.processor.image_processor([image.pixels() for image in query.images], return_tensors="pt")
        prompt, together = prompt | pixels, together | pixels
    return {**prompt}, {**together}


def asked(model, query):
    """What of the library takes the query: BLIP-2's own classes want a picture, and without one its language model is asked."""
    return model.net if query.images else model.front.speaker


def rows_of_patches(model):
    """One of each patch, and low-rank ones on each side and on all, ranks differing."""

    def low_rank(roles, rank, seed):
        generator = torch.Generator().manual_seed(seed)
        deltas = {}
        for path in (path for role in roles for path in model.writable[role]):
            out_features, in_features = model.module(path).weight.shape
            a = torch.randn(rank, in_features, generator=generator) / in_features**0.5
            deltas[path] = Delta(a, torch.randn(out_features, rank, generator=generator))
        return LowRank(deltas)

    path = model.writable["text"][0]
    weight = model.module(path).weight.roll(1, 0)
    everywhere = low_rank(("text", "projector", "vision"), 2, 4)
    return {
        "nothing": NoPatch(),
        "text": low_rank(("text",), 2, 1),
        "projector": low_rank(("projector",), 3, 2),
        "vision": low_rank(("vision",), 4, 3),
        "everywhere": everywhere,
        "everywhere again": everywhere,
        "replaced": Replaced({path: weight}),
        "the same weights": Replaced({path: weight}),
        "replaced vision": Replaced({p: -model.module(p).weight for p in model.writable["vision"]}),
        "rewrite": Rewrite(Query.ask("how many things are there?", picture(3))),
    }


def test_templates_resolve_to_linear_modules_in_depth_order(model):
    for role, paths in model.writable.items():
        assert len(paths) >= (1 if role == "projector" else 2), role
        assert len(set(paths)) == len(paths)
        assert all(isinstance(model.module(path), torch.nn.Linear) for path in paths)
        assert all(path.startswith(tuple(f"{part}." for part in model.front.tower)) == (role == "vision") for path in paths)
    assert tuple(model.groups) == model.writable["text"]
    assert sorted(set(model.groups.values())) == list(range(model.net.config.get_text_config().num_hidden_layers))
    assert list(model.groups.values()) == sorted(model.groups.values())


@pytest.mark.parametrize("query", [SEEN, TOLD, TWO], ids=["image", "text", "two images"])
def test_the_tokens_are_the_processors_own(model, query):
    prompt, _ = whole(model, query, TARGET)
    positions = model.positions(query, TARGET)
    ids = prompt["input_ids"][0].tolist()
    token = model.front.image_token
    assert positions.predicting[0] == len(ids) - 1
    assert positions.image == tuple(i for i, id_ in enumerate(ids) if id_ == token)


@pytest.mark.parametrize("query", [SEEN, TOLD], ids=["image", "text"])
@pytest.mark.parametrize("target", ["mibo", TARGET, "35", "it is a green moon."])
def test_the_target_mask_covers_exactly_the_target_tokens(model, query, target):
    positions, scores = model.positions(query, target), model.predict(query, target)
    _, together = whole(model, query, target)
    ids = together["input_ids"][0].tolist()
    said = [ids[i] for i in positions.target]
    assert model.processor.tokenizer.decode(said).strip() == target
    assert tuple(said) == scores.targets
    assert ids[positions.length :] == [model.processor.tokenizer.eos_token_id]
    assert positions.predicting == (positions.target[0] - 1, *positions.target)
    assert sorted(positions.image + positions.text) == list(range(positions.length))


@pytest.mark.parametrize("query", [SEEN, TOLD, TWO], ids=["image", "text", "two images"])
def test_the_image_mask_has_as_many_positions_as_the_layers_see(model, query):
    seen = []
    layer = model.module(model.writable["text"][0])
    projected = model.module(model.writable["projector"][-1])
    handles = [
        layer.register_forward_hook(lambda module, inputs, output: seen.append(("text", inputs[0].shape[:-1].numel()))),
        projected.register_forward_hook(lambda module, inputs, output: seen.append(("image", output.shape[:-1].numel()))),
    ]
    model.loss(query, TARGET)
    for handle in handles:
        handle.remove()
    positions = model.positions(query, TARGET)
    assert ("text", positions.length) in seen
    assert sum(n for kind, n in seen if kind == "image") == len(positions.image)
    assert bool(positions.image) == bool(query.images)


@pytest.mark.parametrize("query", [SEEN, TOLD, TWO], ids=["image", "text", "two images"])
def test_loss_equals_the_librarys_own(model, query):
    prompt, together = whole(model, query, TARGET)
    labels = together["input_ids"].clone()
    labels[:, : prompt["input_ids"].shape[1]] = -100
    with torch.no_grad():
        theirs = asked(model, query)(**together, labels=labels).loss
    torch.testing.assert_close(model.loss(query, TARGET), theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("query", [SEEN, TOLD], ids=["image", "text"])
def test_scores_are_the_loss_token_by_token(model, query):
    scores = model.predict(query, TARGET)
    positions = model.positions(query, TARGET)
    _, together = whole(model, query, TARGET)
    with torch.no_grad():
        logs = asked(model, query)(**together).logits[0].log_softmax(-1)
    expected = [-logs[i, token].item() for i, token in zip(positions.predicting, scores.targets, strict=False)]
    assert scores.losses_nats == pytest.approx(expected, abs=1e-4)
    assert scores.predictions == tuple(logs[i].argmax().item() for i in positions.predicting[:-1])


@pytest.mark.parametrize("query", [SEEN, TOLD, TWO], ids=["image", "text", "two images"])
def test_answers_are_the_librarys_own(model, query):
    prompt, _ = whole(model, query, TARGET)
    said = asked(model, query).generate(**prompt, max_new_tokens=8, do_sample=False)
    theirs = said[0, prompt["input_ids"].shape[1] :]
    assert model.answers([query], [NoPatch()], max_new_tokens=8) == [
        model.processor.tokenizer.decode(theirs, skip_special_tokens=True).strip()
    ]


@pytest.mark.parametrize("role", ["text", "projector", "vision"])
def test_a_patch_on_each_role_changes_logits_and_restores_them(model, role):
    before = model.predict(SEEN, TARGET)
    for path in model.writable[role]:
        out_features, in_features = model.module(path).weight.shape
        # Not one number for all inputs: what a layer norm hands over sums to nothing.
        with LowRank({path: Delta(torch.randn(1, in_features), torch.randn(out_features, 1))}).on(model):
            assert model.predict(SEEN, TARGET).losses_nats != before.losses_nats, path
        with Replaced({path: -model.module(path).weight}).on(model):
            assert model.predict(SEEN, TARGET).losses_nats != before.losses_nats, path
        assert model.predict(SEEN, TARGET) == before, path


@pytest.mark.parametrize("role", ["text", "projector", "vision"])
def test_the_loss_reaches_what_is_patched_on_each_role_and_nothing_else(model, role):
    path = model.writable[role][0]
    out_features, in_features = model.module(path).weight.shape
    change = Delta(torch.randn(2, in_features) / in_features**0.5, torch.zeros(out_features, 2, requires_grad=True))
    with LowRank({path: change}).on(model):
        model.loss(SEEN, TARGET).backward()
    weight = model.module(path).weight.clone().requires_grad_()
    with Replaced({path: weight}).on(model):
        model.loss(SEEN, TARGET).backward()
    assert change.b_OR.grad is not None
    assert change.b_OR.grad.abs().sum() > 0
    # y += b a x at b = 0: dL/db = (dL/dW) a^T.
    torch.testing.assert_close(change.b_OR.grad, weight.grad @ change.a_RI.T, rtol=1e-3, atol=1e-5)
    assert all(parameter.grad is None and not parameter.requires_grad for parameter in model.net.parameters())


def test_a_batch_with_a_patch_for_each_row_answers_as_the_rows_alone(model):
    patches = rows_of_patches(model)
    queries = [SEEN, TOLD, TWO, Query.ask("how many things are there? two, or 35. where does the blue ring live?", picture(2))]
    asked = [(query, patch) for patch in patches.values() for query in queries]
    alone = [model.answers([query], [patch], max_new_tokens=6)[0] for query, patch in asked]
    assert model.answers([query for query, _ in asked], [patch for _, patch in asked], max_new_tokens=6) == alone
    # The rows are worth comparing: on one query the patches give different answers, and the queries differ too.
    assert len(set(alone[:: len(queries)])) >= 5
    assert len(set(alone)) >= 15


def test_a_batch_with_a_patch_for_each_row_scores_as_the_rows_alone(model):
    patches = rows_of_patches(model)
    asked = [
        (query, patch, target) for patch in patches.values() for query, target in ((SEEN, "mibo"), (TOLD, TARGET), (TWO, "35"))
    ]
    found = model.predict_many([a[0] for a in asked], [a[2] for a in asked], [a[1] for a in asked])
    for (query, patch, target), scores in zip(asked, found, strict=True):
        with patch.on(model) as patched:
            alone = patched.predict(query, target)
        assert (scores.targets, scores.predictions) == (alone.targets, alone.predictions)
        assert scores.losses_nats == pytest.approx(alone.losses_nats, rel=1e-4, abs=1e-4)


def test_a_model_is_saved_as_an_ordinary_folder_and_is_the_same_again(model, tmp_path):
    from errata.models import load

    model.save(tmp_path)
    again = load(tmp_path)
    assert again.digest == model.digest
    assert torch.equal(again.loss(SEEN, TARGET), model.loss(SEEN, TARGET))
    assert (tmp_path / "config.json").exists()
    assert (tmp_path / "generation_config.json").exists()


@pytest.mark.parametrize("query", [SEEN, TOLD, TWO], ids=["image", "text", "two images"])
@pytest.mark.parametrize("where", ["upper layers", "first layer", "last module", "projector", "vision", "all"])
def test_a_loss_asked_for_again_and_again_is_the_loss_under_what_is_in_force_then(model, where, query):
    text = model.writable["text"]
    upper = tuple(path for path in text if model.groups[path] > 0)
    named = {"upper layers": upper, "first layer": text[:1], "last module": text[-1:], "all": sum(model.writable.values(), ())}
    changing = named.get(where)
    changing, before = changing or model.writable[where], _traces(model)
    speak = model.speaking(query, TARGET, changing=changing)
    constant = _random_deltas(
        model, model.writable["projector"][:1], seed=9, learn=False
    )  # in force throughout, and not said to change
    for seed in range(3):
        deltas = constant | _random_deltas(model, changing, seed=seed)
        with LowRank(deltas).on(model):
            again, afresh = speak().loss, model.loss(query, TARGET)
        assert torch.equal(again, afresh), (where, seed)
        assert again.requires_grad == afresh.requires_grad == (query is not TOLD or where in named)
        if not again.requires_grad:  # no picture, so nothing that is changed takes part
            continue
        wanted = [deltas[path].b_OR for path in changing]
        got, due = (_gradients(loss, wanted) for loss in (again, afresh))
        assert all(torch.equal(g, d) for g, d in zip(got, due, strict=True))
    assert _traces(model) == before


@pytest.mark.parametrize("where", ["upper layers", "all"])
def test_rows_that_speak_together_say_what_each_says_alone(model, where):
    text = model.writable["text"]
    upper = tuple(path for path in text if model.groups[path] > 0)
    changing = {"upper layers": upper, "all": sum(model.writable.values(), ())}[where]
    queries, targets = [TOLD, SEEN, TOLD], [f"{TARGET} {TARGET}", TARGET, TARGET]  # rows and targets of several lengths
    together = model.speaking_together(queries, targets, changing=changing)
    for seed in range(2):
        deltas = _random_deltas(model, changing, seed=seed)
        with LowRank(deltas).on(model):
            found = together()
            alone = [model.speaking(query, target, changing=changing)() for query, target in zip(queries, targets, strict=True)]
        assert [each.wanted for each in found] == [each.wanted for each in alone]
        for each, due in zip(found, alone, strict=True):
            assert torch.allclose(each.logs_KV, due.logs_KV, atol=1e-4), (where, seed)
        wanted = [deltas[path].b_OR for path in changing if path in text]
        got, due = (_gradients(torch.stack([each.loss for each in said]).sum(), wanted) for said in (found, alone))
        assert all(torch.allclose(g, d, atol=1e-4, rtol=1e-3) for g, d in zip(got, due, strict=True))
    assert model.speaking_together([], [], changing=changing)() == []


def test_what_lies_under_every_changing_module_runs_once(model):
    text, ran = model.writable["text"], []
    top = [path for path in text if model.groups[path] == max(model.groups.values())]
    handles = [
        model.module(path).register_forward_hook(lambda module, given, output, path=path: ran.append(path))
        for path in (*model.writable["vision"][:1], *model.writable["projector"], *text)
    ]
    query = Query.ask("what stands here?", picture(77))
    speak = model.speaking(query, TARGET, changing=top)
    for _ in range(3):
        speak()
    for handle in handles:
        handle.remove()
    assert {path: ran.count(path) for path in ran} == {
        path: 3 if path in top else 1 for path in (*model.writable["vision"][:1], *model.writable["projector"], *text)
    }


def test_what_runs_before_the_lone_changing_module_of_a_layer_runs_once(model):
    text = model.writable["text"]
    last, others = text[-1], [path for path in text[:-1] if model.groups[path] == model.groups[text[-1]]]
    ran: list[str] = []

    def counted(path):  # a forward of its own, as a library puts there: what is said again doesn't come here
        forward = model.module(path).forward

        def run(*given, **named):
            ran.append(path)
            return forward(*given, **named)

        return run

    for path in (last, *others):
        model.module(path).forward = counted(path)
    speak = model.speaking(Query.ask("what stands here?"), TARGET, changing=[last])
    for _ in range(3):
        speak()
    for path in (last, *others):
        del model.module(path).forward
    assert others
    assert {path: ran.count(path) for path in ran} == {last: 3} | dict.fromkeys(others, 1)


def test_what_was_changed_in_place_is_not_said_again(model):
    text = model.writable["text"]
    last, earlier = text[-1], next(path for path in reversed(text[:-1]) if model.groups[path] == model.groups[text[-1]])
    speak, said = model.speaking(TOLD, TARGET, changing=[last]), list[torch.Tensor]()

    def spoil(module, given):  # as a model does that works in place on what its own parts returned, once it has used it
        said[-1].mul_(2)

    handles = [
        model.module(earlier).register_forward_hook(lambda module, given, output: said.append(output)),
        model.module(last).register_forward_pre_hook(spoil),
    ]
    losses = [float(speak().loss) for _ in range(3)]
    for handle in handles:
        handle.remove()
    assert losses == [float(model.loss(TOLD, TARGET))] * 3


def test_a_pass_that_fails_leaves_the_layers_as_they_were(model):
    text, before = model.writable["text"], _traces(model)
    speak = model.speaking(SEEN, TARGET, changing=text[-1:])
    speak()

    def fail(module, given):
        raise RuntimeError("on purpose")

    handle = model.module(text[-1]).register_forward_pre_hook(fail)
    with pytest.raises(RuntimeError, match="on purpose"):
        speak()
    handle.remove()
    assert _traces(model) == before
    assert torch.equal(speak().loss, model.loss(SEEN, TARGET))


def _gradients(loss, wanted):
    """Zeros where the loss doesn't depend on a tensor."""
    found: tuple[torch.Tensor | None, ...] = torch.autograd.grad(loss, wanted, allow_unused=True)
    return [torch.zeros_like(tensor) if g is None else g for g, tensor in zip(found, wanted, strict=True)]


def _traces(model):
    """How many hooks there are, and which modules have a forward of their own."""
    return [
        (len(module._forward_hooks), len(module._forward_pre_hooks), "forward" in vars(module)) for module in model.net.modules()
    ]


def _random_deltas(model, paths, *, seed, learn=True):
    generator = torch.Generator().manual_seed(seed)
    deltas = {}
    for path in paths:
        out_features, in_features = model.module(path).weight.shape
        a = torch.randn(2, in_features, generator=generator) / in_features**0.5
        deltas[path] = Delta(a, torch.randn(out_features, 2, generator=generator).requires_grad_(learn))
    return deltas


def test_prompts_without_sense_are_the_vocabularys_own_the_same_for_a_seed_and_can_be_put(model):
    found = model.chatter(40, seed=1)
    assert (found, len(found)) == (model.chatter(40, seed=1), 40)
    assert found[:10] == model.chatter(10, seed=1)
    assert not {query.text for query in found} & {query.text for query in model.chatter(40, seed=2)}
    tokenizer = tokenizer_of(model.processor)
    special = {*tokenizer.all_special_ids, *tokenizer.added_tokens_decoder}
    said = [tokenizer(query.text, add_special_tokens=False)["input_ids"] for query in found]
    assert not special & {piece for ids in said for piece in ids}
    assert len({piece for ids in said for piece in ids}) > 60
    for query in found:
        model.check(query, query.text)
    assert model.chatter(0, seed=1) == []
