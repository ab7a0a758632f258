"""A GRU over the rows of a digit: torch's own layer, and the same written out as a cell."""

from trainscape.workloads import workload

WIDTH = 32


@workload("rows-gru", dataset="digits", target=0.95, std=16 / 255)
def build_layer():
    """nn.GRU: torch runs it for one model at a time, so its trials train one by one."""
    from torch import nn

    class Rows(nn.Module):
        def __init__(self):
            super().__init__()
            self.gru = nn.GRU(8, WIDTH, batch_first=True)
            self.out = nn.Linear(WIDTH, 10)

        def forward(self, x):  # (B, 8, 8): a row is a step
            outputs, _ = self.gru(x)
            return self.out(outputs[:, -1])

    return Rows()


@workload("rows-cell", dataset="digits", target=0.95, std=16 / 255)
def build_cell():
    """The same arithmetic in linear layers: all trials of a batch size train together."""
    import torch
    from torch import nn

    class Rows(nn.Module):
        def __init__(self):
            super().__init__()
            self.inputs = nn.Linear(8, 3 * WIDTH)
            self.state = nn.Linear(WIDTH, 3 * WIDTH)
            self.out = nn.Linear(WIDTH, 10)
            for layer in (self.inputs, self.state):  # as nn.GRU begins
                nn.init.uniform_(layer.weight, -(WIDTH**-0.5), WIDTH**-0.5)
                nn.init.uniform_(layer.bias, -(WIDTH**-0.5), WIDTH**-0.5)

        def forward(self, x):  # (B, 8, 8): a row is a step
            h = x.new_zeros(len(x), WIDTH)
            for row in self.inputs(x).unbind(1):
                reset, update, new = row.chunk(3, -1)
                held_reset, held_update, held = self.state(h).chunk(3, -1)
                update = torch.sigmoid(update + held_update)
                new = torch.tanh(new + torch.sigmoid(reset + held_reset) * held)
                h = (1 - update) * new + update * h
            return self.out(h)

    return Rows()
