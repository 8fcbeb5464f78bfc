"""The training step in PyTorch with a module, autograd and `torch.optim.SGD`.

``--way eager`` is what everybody writes; ``compiled`` gives the loss and the optimiser's step to Inductor.
"""

import itertools

import torch

from experiments.performance.peers.steps import RATE, WIDTHS, Case, Layers, Learner, serve


def learner(case: Case) -> Learner:
    torch.set_num_threads(1)
    linears = [torch.nn.Linear(inputs, outputs) for inputs, outputs in itertools.pairwise(WIDTHS)]
    model = torch.nn.Sequential(*[part for linear in linears for part in (linear, torch.nn.ReLU())][:-1])
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE)
    x, y = map(torch.from_numpy, case.data())

    def loss(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.cross_entropy(model(x), y)

    lose, update = loss, optimizer.step
    if case.way == "compiled":
        lose, update = torch.compile(loss), torch.compile(optimizer.step)

    @torch.no_grad()
    def reset() -> None:
        for linear, (weight, bias) in zip(linears, case.layers(), strict=True):
            linear.weight.copy_(torch.from_numpy(weight.T))
            linear.bias.copy_(torch.from_numpy(bias))

    def train() -> None:
        for batch in case.batches():
            optimizer.zero_grad()
            lose(x[batch], y[batch]).backward()
            update()

    def layers() -> Layers:
        return [(linear.weight.detach().T, linear.bias.detach()) for linear in linears]

    return Learner(reset, train, layers)


if __name__ == "__main__":
    serve(learner)
