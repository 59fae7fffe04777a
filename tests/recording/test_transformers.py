"""A Mixtral of the transformers package, with random weights: recorded without changing it, and without downloads."""

import numpy as np
import pytest
import torch

import routeviz as rv

LAYERS, EXPERTS, TOP = 3, 8, 2
SPACE = rv.experts_space(LAYERS, EXPERTS)
GATES = {f"model.layers.{at}.mlp.gate": f"layer {at}" for at in range(LAYERS)}


def shares(output):
    logits, weights, chosen = output
    return torch.zeros_like(logits).scatter(-1, chosen, weights)


@pytest.fixture
def model(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    transformers = pytest.importorskip("transformers", reason="no transformers: pip install 'routeviz[transformers]'")
    torch.manual_seed(0)
    config = transformers.MixtralConfig(
        vocab_size=64,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=LAYERS,
        num_attention_heads=4,
        num_key_value_heads=2,
        num_local_experts=EXPERTS,
        num_experts_per_tok=TOP,
    )
    return transformers.MixtralForCausalLM(config).eval()


@pytest.fixture
def words():
    return torch.randint(64, (4, 16), generator=torch.Generator().manual_seed(1))


def record(model, words):
    with torch.no_grad(), rv.record(model, SPACE, GATES, activations=shares) as recording:
        logits = model(words).logits
        recording.add(image=[f"text {at}" for at in range(len(words)) for _ in range(words.shape[1])])
    return recording.log, logits


def test_a_row_holds_the_weights_that_the_model_gives_its_experts(model, words):
    log, _ = record(model, words)
    gates = log.gates.reshape(words.numel(), LAYERS, EXPERTS)
    assert ((gates > 0).sum(axis=-1) == TOP).all()
    np.testing.assert_allclose(gates.sum(axis=-1), 1, atol=1e-6)
    with torch.no_grad():
        said = model(words, output_router_logits=True).router_logits
    for layer, logits in enumerate(said):
        # The model's own account of its routers, by the formula of Mixtral: a softmax over the largest logits alone.
        largest = logits.topk(TOP, dim=-1)
        expected = torch.zeros_like(logits).scatter(-1, largest.indices, largest.values.softmax(dim=-1))
        np.testing.assert_allclose(gates[:, layer], expected, atol=1e-6)


def test_the_model_answers_as_before_and_nothing_is_left_on_it(model, words):
    def hooks():
        return {name: (len(m._forward_hooks), len(m._forward_pre_hooks)) for name, m in model.named_modules()}

    before, weights = hooks(), {name: value.clone() for name, value in model.state_dict().items()}
    with torch.no_grad():
        expected = model(words).logits
    _, logits = record(model, words)
    assert torch.equal(logits, expected)
    assert hooks() == before
    assert all(torch.equal(value, weights[name]) for name, value in model.state_dict().items())


def test_load_and_balance_are_those_of_the_chosen_experts(model, words):
    log, _ = record(model, words)
    load = rv.expert_load(log).groupby("cell", sort=False)
    assert (load.rows.sum() == TOP * words.numel()).all()
    np.testing.assert_allclose(load.load.sum(), 1)
    assert tuple(rv.expert_balance(log).cell) == SPACE.cell_names


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_compiled_model_gives_the_same_routes(model, words):
    log, logits = record(model, words)
    compiled = torch.compile(model, backend="eager")
    with torch.no_grad():
        compiled(words)
    again, answers = record(compiled, words)
    np.testing.assert_array_equal(again.gates, log.gates)
    assert torch.equal(answers, logits)
