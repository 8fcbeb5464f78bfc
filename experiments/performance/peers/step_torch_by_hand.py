"""The training step in PyTorch without autograd: products that add onto the weights, in kept buffers."""

import torch

from experiments.performance.peers.steps import RATE, WIDTHS, Case, Learner, serve


class Network:
    """The layers with the buffers of one batch size."""

    def __init__(self, case: Case) -> None:
        self.layers = [(torch.from_numpy(weight), torch.from_numpy(bias)) for weight, bias in case.layers()]
        self._outputs = [torch.empty(case.batch, width) for width in WIDTHS[1:]]
        self._deltas = [torch.empty(case.batch, width) for width in WIDTHS[1:]]
        self._rows = torch.arange(case.batch)

    def step(self, x: torch.Tensor, y: torch.Tensor) -> None:
        """Make one update."""
        self._forward(x)
        torch.softmax(self._outputs[-1], 1, out=self._deltas[-1])
        self._deltas[-1][self._rows, y] -= 1
        self._deltas[-1].div_(len(x))
        self._backward([x, *self._outputs[:-1]])

    def _forward(self, inputs: torch.Tensor) -> None:
        for (weight, bias), out in zip(self.layers, self._outputs, strict=True):
            torch.addmm(bias, inputs, weight, out=out)
            inputs = out if out is self._outputs[-1] else out.relu_()

    def _backward(self, inputs: list[torch.Tensor]) -> None:
        for index in reversed(range(len(self.layers))):
            (weight, bias), delta = self.layers[index], self._deltas[index]
            if index:
                torch.mm(delta, weight.T, out=self._deltas[index - 1])
                self._deltas[index - 1].mul_(inputs[index] > 0)
            weight.addmm_(inputs[index].T, delta, alpha=-RATE)
            bias.sub_(delta.sum(0), alpha=RATE)


def learner(case: Case) -> Learner:
    torch.set_num_threads(1)
    network = Network(case)
    x, y = map(torch.from_numpy, case.data())

    def reset() -> None:
        for layer, initial in zip(network.layers, case.layers(), strict=True):
            for part, value in zip(layer, initial, strict=True):
                part.copy_(torch.from_numpy(value))

    def train() -> None:
        with torch.no_grad():
            for batch in case.batches():
                network.step(x[batch], y[batch])

    return Learner(reset, train, lambda: network.layers)


if __name__ == "__main__":
    serve(learner)
