"""Train a small network on spectra with nothing but torch and the stream.

Run: python examples/own_training_loop.py
"""

import tempfile
from pathlib import Path

import torch
from torch import nn

import tersgen
from ters_train import Order, RowSet, Stream

# a recipe file is a dataset too: its rows are generated as they are read, and never stored
recipe = tersgen.Recipe(seed=3, library=("builtin",), grid={"n_points": 1024})
path = Path(tempfile.mkdtemp()) / "recipe.json"
tersgen.save_recipe(recipe, path)
dataset = tersgen.open(path)

train = RowSet("train", 0, 16_384, dataset.block_rows)
test = RowSet("test", 16_384, 18_432, dataset.block_rows)
stream = Stream(dataset, ["spectra", "label"], Order(train, batch_size=256, seed=1))

torch.manual_seed(0)
model = nn.Sequential(
    nn.Conv1d(1, 16, 15, stride=4), nn.ReLU(), nn.MaxPool1d(2),
    nn.Conv1d(16, 32, 9, stride=2), nn.ReLU(), nn.AdaptiveMaxPool1d(8), nn.Flatten(),
    nn.Linear(256, len(dataset.classes)),
)  # fmt: skip
optimiser = torch.optim.AdamW(model.parameters(), lr=2e-3)

for epoch in range(2):
    for batch in stream:
        logits = model(batch["spectra"].float()[:, None])
        loss = nn.functional.cross_entropy(logits, batch["label"].long())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    print(f"epoch {epoch + 1}: loss {loss.item():.3f}")

right = 0
with torch.inference_mode():
    for batch in Stream(dataset, ["spectra", "label"], Order(test, 256, shuffle=False)):
        right += int((model(batch["spectra"].float()[:, None]).argmax(1) == batch["label"]).sum())
print(f"{right / 2048:.1%} of unseen spectra are named rightly")
assert right > 0.9 * 2048
