"""What is read off the features."""

import numpy as np
import torch
from scipy.special import erf

from ters_train.models.heads import ClassHead, TensorHead


def test_class_head_is_affine():
    head = ClassHead(6, 3)
    head.linear.bias.data.normal_()
    features = torch.randn(4, 6)
    want = features.numpy() @ head.linear.weight.detach().numpy().T
    want = want + head.linear.bias.detach().numpy()
    np.testing.assert_allclose(head(features).detach().numpy(), want, rtol=1e-5, atol=1e-6)


def test_tensor_head_mode_by_mode():
    head = TensorHead(6, 4)
    for parameter in head.parameters():
        parameter.data.normal_()
    features = torch.randn(2, 6)
    weights = {name: p.detach().numpy() for name, p in head.named_parameters()}
    hidden = features.numpy() @ weights["hidden.weight"].T + weights["hidden.bias"]
    hidden = hidden * (1 + erf(hidden / np.sqrt(2))) / 2
    got = head(features).detach().numpy()
    assert got.shape == (2, 4, 3, 3)
    rows = weights["linear.weight"].reshape(4, 3, 3, 6)
    want = np.einsum("mijf,bf->bmij", rows, hidden) + weights["linear.bias"].reshape(4, 3, 3)
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-4)
    assert not np.allclose(got, got.swapaxes(2, 3))
