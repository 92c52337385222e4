"""Real trainings by Lightning and loops of Accelerate, in processes of their own."""

import json
import subprocess
import sys
from importlib.util import find_spec
from itertools import chain

import pytest

import tersgen
from ters_train.lightning import DataModule
from tersgen.errors import ConfigError, MissingExtraError

needs_lightning = pytest.mark.skipif(
    find_spec("lightning") is None, reason="Lightning is not installed (the extra lightning)"
)

TRAINING = """
import json, os, sys, warnings
warnings.simplefilter("ignore")
import lightning, torch
from lightning.pytorch.callbacks import ModelCheckpoint
from ters_train.lightning import DataModule

class Net(lightning.LightningModule):
    def __init__(self, out):
        super().__init__()
        self.layer = torch.nn.Linear(64, 3)
        self.out, self.seen, self.checked = out, [], []
    def training_step(self, batch, number):
        self.seen.append(batch["row"].tolist())
        return self.layer(batch["spectra"].float()).square().mean()
    def validation_step(self, batch, number):
        self.checked.append(batch["row"].tolist())
    def on_train_end(self):
        with open(f"{self.out}/seen-{self.global_rank}.json", "w") as file:
            json.dump([self.seen, self.checked], file)
    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.01)

if __name__ == "__main__":
    path, out, steps, devices, checkpoint = sys.argv[1:]
    keep = ModelCheckpoint(out, every_n_train_steps=7, save_top_k=-1, filename="{step}")
    trainer = lightning.Trainer(
        max_steps=int(steps), max_epochs=-1, accelerator="cpu", devices=int(devices),
        strategy="auto" if devices == "1" else "ddp_spawn", logger=False, callbacks=[keep],
        enable_progress_bar=False, enable_model_summary=False, default_root_dir=out,
    )
    data = DataModule(path, ["spectra", "label"], 100, seed=3, mix_blocks=4)
    trainer.fit(Net(out), data, ckpt_path=checkpoint or None)
"""


@pytest.fixture(scope="module")
def train(stored, tmp_path_factory):
    """Return a function that trains in a process of its own, and returns what each rank saw."""
    script = tmp_path_factory.mktemp("script") / "training.py"
    script.write_text(TRAINING)

    def run(steps: int, devices: int = 1, checkpoint: str = ""):
        out = tmp_path_factory.mktemp("run")
        done = subprocess.run(
            [sys.executable, script, stored["zarr"], out, str(steps), str(devices), checkpoint],
            capture_output=True, text=True, timeout=600,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-3000:]
        ranks = [json.loads((out / f"seen-{rank}.json").read_text()) for rank in range(devices)]
        return out, ranks

    return run


@pytest.fixture(scope="module")
def whole(train):
    """A run of two and a half epochs of 24 batches."""
    return train(60)


@needs_lightning
@pytest.mark.exhaustive
@pytest.mark.parametrize(("step", "devices"), [(7, 1), (28, 1), (49, 2)])
def test_a_run_goes_on_at_the_very_batch(step, devices, whole, train):
    folder, [(seen, _)] = whole
    _, ranks = train(60, devices, str(folder / f"step={step}.ckpt"))
    found = [list(chain(*parts)) for parts in zip(*(rank[0] for rank in ranks), strict=True)]
    assert found == seen[step:]


@needs_lightning
@pytest.mark.exhaustive
def test_each_epoch_trains_and_validates_on_all_rows(whole, stored):
    _, [(seen, checked)] = whole
    ds = tersgen.open(stored["zarr"])
    train, val = ds.rows_in("train").tolist(), ds.rows_in("val").tolist()
    per_epoch = len(train) // 100
    for epoch in range(2):
        rows = list(chain(*seen[epoch * per_epoch : (epoch + 1) * per_epoch]))
        assert len({*rows}) == len(rows) == per_epoch * 100
        assert {*rows} <= {*train}
    assert seen[:per_epoch] != seen[per_epoch : 2 * per_epoch]
    n_batches = -(-len(val) // 100)
    sanity = min(2, n_batches)
    assert list(chain(*checked[sanity : sanity + n_batches])) == val
    assert list(chain(*checked[sanity + n_batches :])) == val


@needs_lightning
def test_a_view_is_no_dataset_of_parts(dataset):
    with pytest.raises(ConfigError, match="expected a whole dataset, got a view"):
        DataModule(dataset.select(part="train"), ["label"])
    assert DataModule(dataset, ["label"], val=None).val_dataloader() == []


@pytest.mark.skipif(find_spec("lightning") is not None, reason="Lightning is installed")
def test_without_lightning_it_says_what_to_install(dataset):
    with pytest.raises(MissingExtraError, match=r"pip install 'tersgen\[lightning\]'"):
        DataModule(dataset, ["label"])


PREPARED = """
import sys, warnings
warnings.simplefilter("ignore")
import tersgen
from accelerate import Accelerator
from torch import distributed
from torch.utils.data import DataLoader
from ters_train import Order, Samples, Stream, all_rows
from tersgen.errors import ConfigError

if __name__ == "__main__":
    accelerator = Accelerator(cpu=True)
    ds = tersgen.open(sys.argv[1])
    order = Order(all_rows(ds), 100, seed=1)
    rows = [row for batch in Stream(ds, ["label"], order) for row in batch["row"].tolist()]
    samples = Samples(ds, ["label"])
    loader = accelerator.prepare(DataLoader(samples, batch_size=50, shuffle=True))
    mapped = [row for batch in loader for row in batch["row"].tolist()]
    refused = []
    for loader in (
        DataLoader(Stream(ds, ["label"], order), batch_size=None),
        DataLoader(samples, batch_sampler=samples.batches(100)),
    ):
        try:
            next(iter(accelerator.prepare(loader)))
            refused.append("nothing")
        except ConfigError as error:
            refused.append(str(error))
        except RuntimeError as error:  # rank 0, which reads for all, has refused
            refused.append("other rank")
    import json
    with open(f"{sys.argv[2]}/{accelerator.process_index}.json", "w") as file:
        json.dump([rows, mapped, refused], file)
"""


@pytest.mark.exhaustive
@pytest.mark.skipif(find_spec("accelerate") is None, reason="Accelerate is not installed")
def test_processes_of_accelerate_share_the_rows(stored, tmp_path):
    script = tmp_path / "loop.py"
    script.write_text(PREPARED)
    command = [
        *(sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2"),
        *("--master-port=0", "--rdzv-backend=c10d", "--rdzv-endpoint=127.0.0.1:0"),
    ]
    done = subprocess.run(
        [*command, script, stored["zarr"], tmp_path], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-3000:]
    ranks = [json.loads((tmp_path / f"{rank}.json").read_text()) for rank in range(2)]
    assert sorted(ranks[0][0] + ranks[1][0]) == list(range(3000))
    assert {*ranks[0][1], *ranks[1][1]} == {*range(3000)}
    assert "leave the stream out of prepare" in ranks[0][2][0]
    for _, _, refused in ranks:
        assert "leave the stream out of prepare" in refused[1]
