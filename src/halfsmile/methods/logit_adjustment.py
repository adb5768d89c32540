"""After training: what a classifier says without having looked is taken out of its answers.

Few labels of a class make it rarely named. Two corrections shift the logits by one number for each class, so
no face is looked at differently, and a trained network can be corrected, and the correction taken back:

* Post-hoc logit adjustment (Menon et al. 2021, arXiv 2007.07314, equation 9): with π the shares of the
  classes among the labels,  f(x) − τ log π.  At τ = 1 it is the answer for equally frequent classes, which is
  best for the mean recall over classes; accuracy on faces with the labels' shares falls.
* CDMAD (Lee and Kim 2024, arXiv 2403.10391): f(x) − ρ f(g), where g is a picture without any face, here of
  the encoder's mean color everywhere. What the network says of it is its bias, whatever the labels' shares.
"""

from __future__ import annotations

import torch
from torch import Tensor

from halfsmile.models.classifier import Classifier


def prior_shift(shares: Tensor, amount: float) -> Tensor:
    """Post-hoc logit adjustment: what is added to the logits, (classes,), mean zero.

    Args:
        shares: (classes,) of the labels, each above 0.
        amount: τ; 0 changes nothing.

    Raises:
        ValueError: If a class has no label.

    Example:
        >>> prior_shift(torch.tensor([0.8, 0.2]), 1.0).tolist()  # half of log 4 each way
        [-0.6931472420692444, 0.6931471824645996]
    """
    if (shares <= 0).any():
        raise ValueError("Logit adjustment needs a label of each class; one has none.")
    logs = shares.log()
    return amount * (logs.mean() - logs)


@torch.no_grad()
def blank_shift(classifier: Classifier, amount: float) -> Tensor:
    """CDMAD: what is added to the logits, (classes,), mean zero.

    Args:
        classifier: Asked in evaluation mode about a picture of one color.
        amount: ρ; 0 changes nothing.
    """
    config = classifier.encoder.config
    color = torch.tensor(config.mean).view(1, -1, 1, 1)
    training = classifier.training
    said: Tensor = classifier.eval()(color.expand(1, -1, config.image_size, config.image_size))[0]
    classifier.train(training)
    return amount * (said.mean() - said)


@torch.no_grad()
def shift(classifier: Classifier, amounts: Tensor) -> None:
    """Add (classes,) to a classifier's logits, in place, in its last layer."""
    classifier.head.bias.add_(amounts)
