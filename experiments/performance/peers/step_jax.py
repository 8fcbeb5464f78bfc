"""The training step in JAX: ``--way scan`` compiles a whole pass, ``--way step`` one step."""

from experiments.performance.peers.steps import RATE, Case, Layers, Learner, one_core, serve

one_core()

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402

Batch = tuple[jax.Array, jax.Array]


def loss(layers: Layers, x: jax.Array, y: jax.Array) -> jax.Array:
    for weight, bias in layers[:-1]:
        x = jax.nn.relu(x @ weight + bias)
    weight, bias = layers[-1]
    likelihoods = jax.nn.log_softmax(x @ weight + bias)
    return -jnp.take_along_axis(likelihoods, y[:, None], axis=1).mean()


def step(layers: Layers, batch: Batch) -> tuple[Layers, None]:
    gradients = jax.grad(loss)(layers, *batch)
    return jax.tree.map(lambda part, gradient: part - RATE * gradient, layers, gradients), None


def learner(case: Case) -> Learner:
    x, y = case.data()
    data = (
        jnp.asarray(x).reshape(-1, case.batch, x.shape[1]),
        jnp.asarray(y, jnp.int32).reshape(-1, case.batch),
    )
    batches = list(zip(*data, strict=True))
    # The parameters are given away to each call, which may then write into their memory.
    jitted = jax.jit(step, donate_argnums=0)
    scan = jax.jit(lambda layers, data: jax.lax.scan(step, layers, data)[0], donate_argnums=0)
    state: list[Layers] = [[]]

    def reset() -> None:
        state[0] = jax.block_until_ready([tuple(map(jnp.array, layer)) for layer in case.layers()])

    def by_step(layers: Layers) -> Layers:
        for batch in batches:
            layers, _ = jitted(layers, batch)
        return layers

    way = {"step": by_step, "scan": lambda layers: scan(layers, data)}[case.way]

    def train() -> None:
        state[0] = jax.block_until_ready(way(state[0]))

    return Learner(reset, train, lambda: state[0])


if __name__ == "__main__":
    serve(learner)
