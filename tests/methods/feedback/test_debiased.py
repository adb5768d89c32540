from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from halfsmile.methods.feedback.debiased import Feedback, FeedbackTask
from halfsmile.methods.feedback.guard import GuardConfig
from halfsmile.methods.task import Batch
from halfsmile.models.classifier import Classifier
from halfsmile.models.vit import VisionTransformer
from halfsmile.models.vit_config import VitConfig
from halfsmile.taxonomy import Taxonomy
from halfsmile.transforms.augment import NONE, STRONG, WEAK, Augment


class OneWeight(nn.Module):
    """Two classes with the logits 0 and w · pixel."""

    def __init__(self, weight: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(weight))

    def forward(self, images: Tensor) -> Tensor:
        z = self.weight * images.flatten(1)
        return torch.cat([torch.zeros_like(z), z], dim=1)


class Small(nn.Module):
    """Two layers."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.hidden = nn.Linear(64, 8)
        self.head = nn.Linear(8, 3)
        nn.init.normal_(self.head.weight)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.hidden(2 * images.flatten(1) - 1).tanh())  # type: ignore[no-any-return]


def vision(dropout: float = 0.3) -> Classifier:
    """A small network with everything that differs between training and evaluation."""
    torch.manual_seed(0)
    config = VitConfig(
        image_size=8, patch_size=4, channels=1, width=8, depth=2, heads=2, drop_path=dropout,
        mean=(0.5,), std=(0.25,),
    )  # fmt: skip
    moods = Taxonomy("moods", ("calm", "glad", "sad"))
    return Classifier(VisionTransformer(config), taxonomy=moods, standardize=True, dropout=dropout)


def faces(labeled: int = 4, unlabeled: int = 10) -> Batch:
    source = torch.Generator().manual_seed(1)
    images, others = (
        torch.randint(0, 256, (count, 1, 8, 8), generator=source).to(torch.uint8)
        for count in (labeled, unlabeled)
    )
    return Batch(images=images, targets=torch.eye(3)[torch.arange(labeled) % 3], unlabeled=others)


def make(model: nn.Module, *, weak: Augment = NONE, strong: Augment = NONE, **config: object) -> FeedbackTask:
    method = Feedback(**config)  # type: ignore[arg-type]
    task = method.task(model, weak=weak, strong=strong, weight=1.0, smoothing=0.0, ema_decay=0.9)
    return task.train()


def step(task: FeedbackTask, batch: Batch, rate: float) -> dict[str, Tensor]:
    """Both phases with plain gradient descent on whatever has a gradient; all logs."""
    logs: dict[str, Tensor] = {}
    for phase in range(len(task.phases)):
        loss, found = task(batch, torch.Generator().manual_seed(0), phase)
        loss.backward()
        logs |= {f"loss/{phase}": loss.detach(), **found}
        with torch.no_grad():
            for parameter in task.parameters():
                if parameter.grad is not None:
                    parameter.sub_(rate * parameter.grad)
                    parameter.grad = None
    return logs


def one(value: int = 255) -> Tensor:
    return torch.full((1, 1, 1, 1), value, dtype=torch.uint8)


@pytest.mark.parametrize("label", [0, 1])
def test_one_weight_by_hand(label: int) -> None:
    """Student w = 0, teacher v = 1, all pixels 1: the pseudo-label is 1, right or wrong."""
    task = make(OneWeight(0.0))
    nn.init.ones_(task.trained_teacher.weight)  # type: ignore[arg-type]
    batch = Batch(images=one(), targets=torch.eye(2)[[label]], unlabeled=one())
    logs = step(task, batch, rate=0.1)

    # Student: dL/dw = σ(0) − 1 = −1/2, so w becomes 1/20, and log(1 + exp(∓w)) is the labeled loss.
    assert float(next(task.model.parameters()).detach()) == pytest.approx(0.05)
    sign = 1 if label == 1 else -1
    feedback = math.log(2) - math.log(1 + math.exp(-sign * 0.05))
    assert float(logs["feedback"]) == pytest.approx(feedback, abs=1e-7)
    assert math.copysign(1, feedback) == sign
    # Taylor: η · g_x · g_s = 0.1 · (∓1/2) · (−1/2).
    assert feedback == pytest.approx(sign * 0.025, rel=0.03)

    # Teacher: equal views leave the consistency loss at its minimum, where its gradient is 0.
    wrong = 1 / (1 + math.exp(1))
    gradient = (-wrong if label == 1 else 1 - wrong) - feedback * wrong
    assert float(next(task.trained_teacher.parameters()).detach()) == pytest.approx(1 - 0.1 * gradient)


def test_pseudo_labels_that_helped_confirm_the_teacher_and_others_do_not() -> None:
    moved = {}
    for label in (0, 1):
        for factor in (0.0, 10.0):
            task = make(OneWeight(0.0), feedback=factor)
            nn.init.ones_(task.trained_teacher.weight)  # type: ignore[arg-type]
            step(task, Batch(images=one(), targets=torch.eye(2)[[label]], unlabeled=one()), rate=0.1)
            moved[label, factor] = float(next(task.trained_teacher.parameters()).detach())
    assert moved[1, 10.0] > moved[1, 0.0]
    assert moved[0, 10.0] < moved[0, 0.0]


def test_feedback_is_the_dot_product_of_gradients_to_first_order() -> None:
    batch, model = faces(), Small()
    assert batch.targets is not None
    assert batch.unlabeled is not None
    images, unlabeled = batch.images.float() / 255, batch.unlabeled.float() / 255
    labels = model(unlabeled).argmax(dim=1)
    gradients = [
        torch.cat([g.flatten() for g in torch.autograd.grad(loss, list(model.parameters()))])
        for loss in (F.cross_entropy(model(images), batch.targets), F.cross_entropy(model(unlabeled), labels))
    ]
    expected = float(gradients[0] @ gradients[1])
    assert abs(expected) > 1e-3
    errors = []
    for rate in (0.01, 0.005):
        logs = step(make(Small()), batch, rate)
        errors.append(abs(float(logs["feedback"]) / rate - expected))
    assert errors[1] < 0.6 * errors[0] < 0.05 * abs(expected)


def test_losses_equal_the_formulas() -> None:
    batch, student = faces(), Small()
    assert batch.targets is not None
    assert batch.unlabeled is not None
    images, unlabeled = batch.images.float() / 255, batch.unlabeled.float() / 255
    task = make(student, temperature=0.5, consistency=0.7, feedback=3.0)
    teacher = task.trained_teacher
    with torch.no_grad():
        teacher.head.weight.mul_(-2)  # type: ignore[union-attr, operator]
        before = F.cross_entropy(student(images), batch.targets)
        named = teacher(unlabeled)
        student_loss = F.cross_entropy(student(unlabeled), named.argmax(dim=1))
        supervised = F.cross_entropy(teacher(images), batch.targets)
        consistency = -((named / 0.5).softmax(dim=1) * named.log_softmax(dim=1)).sum(dim=1).mean()
        own = F.cross_entropy(named, named.argmax(dim=1))
    logs = step(task, batch, rate=0.1)
    torch.testing.assert_close(logs["loss/0"], student_loss)
    with torch.no_grad():
        feedback = before - F.cross_entropy(student(images), batch.targets)
    torch.testing.assert_close(logs["feedback"], feedback)
    assert abs(float(feedback)) > 1e-3
    torch.testing.assert_close(logs["loss/1"], supervised + 0.7 * consistency + 3.0 * feedback * own)


def test_the_weight_is_the_students_and_label_smoothing_the_teachers() -> None:
    batch, method = faces(), Feedback(feedback=0.0, consistency=0.0)
    assert batch.targets is not None
    task = method.task(Small(), weak=NONE, strong=NONE, weight=3.0, smoothing=0.2, ema_decay=0.9).train()
    student = task.student_step(batch, torch.Generator())
    torch.testing.assert_close(student.loss, 3.0 * student.logs["unlabeled"])
    teacher = task.teacher_step(batch, torch.Generator())
    logits = task.trained_teacher(batch.images.float() / 255)
    torch.testing.assert_close(teacher.loss, F.cross_entropy(logits, batch.targets, label_smoothing=0.2))


def test_the_teacher_names_in_evaluation_and_learns_in_training() -> None:
    task = make(vision())
    modes: list[bool] = []
    task.trained_teacher.register_forward_pre_hook(lambda module, _: modes.append(module.training))
    step(task, faces(), rate=0.0)
    assert modes == [False, True]


def test_each_phase_moves_its_own_network_only() -> None:
    task = make(vision())
    batch = faces()
    for phase, (trained, other) in enumerate(
        [(task.model, task.trained_teacher), (task.trained_teacher, task.model)]
    ):
        loss, _ = task(batch, torch.Generator().manual_seed(0), phase)
        loss.backward()
        assert all(p.grad is None for p in other.parameters())
        assert all(
            p.grad is not None for name, p in trained.named_parameters() if name != "encoder.cls_token"
        )
        task.zero_grad(set_to_none=True)


def test_both_phases_see_the_same_views() -> None:
    task = make(Small(), weak=WEAK, strong=STRONG)
    seen: dict[str, list[Tensor]] = {"student": [], "teacher": []}
    task.model.register_forward_pre_hook(lambda _, given: seen["student"].append(given[0]))
    task.trained_teacher.register_forward_pre_hook(lambda _, given: seen["teacher"].append(given[0]))
    step(task, faces(), rate=0.1)
    strong, labeled, again = seen["student"]
    weak, both = seen["teacher"]
    assert torch.equal(labeled, again)
    assert torch.equal(both, torch.cat([labeled, strong]))
    assert weak.shape == strong.shape
    assert not torch.allclose(weak, strong)


def test_a_student_that_stays_gets_no_feedback_in_spite_of_dropout_and_running_statistics() -> None:
    logs = step(make(vision(), weak=WEAK, strong=STRONG), faces(), rate=0.0)
    assert float(logs["feedback"]) == 0.0


def test_running_statistics_of_the_student_are_those_of_strong_views_alone() -> None:
    task, batch = make(vision(dropout=0.0)), faces()
    assert batch.unlabeled is not None
    features = task.model.encoder(batch.unlabeled.float() / 255).detach()  # type: ignore[operator]
    step(task, batch, rate=0.1)
    norm = task.model.feature_norm
    assert isinstance(norm, nn.BatchNorm1d)
    assert norm.running_mean is not None
    torch.testing.assert_close(norm.running_mean, 0.1 * features.mean(dim=0))
    assert int(norm.num_batches_tracked or 0) == 1
    assert task.model.training
    assert task.trained_teacher.training


def test_statistics_that_another_process_replaces_are_no_feedback() -> None:
    task, generator = make(vision(), weak=WEAK, strong=STRONG), torch.Generator().manual_seed(0)
    with torch.no_grad():
        task(faces(), generator, 0)
        norm = task.model.feature_norm
        assert isinstance(norm, nn.BatchNorm1d)
        assert norm.running_mean is not None
        norm.running_mean.add_(1.0)
        _, logs = task(faces(), generator, 1)
    assert float(logs["feedback"]) == 0.0
    assert float(norm.running_mean.abs().mean()) > 0.5


def test_the_average_is_the_students() -> None:
    task = make(Small())
    start = task.model.head.weight.detach().clone()  # type: ignore[union-attr, operator]
    step(task, faces(), rate=0.5)
    task.after_update()
    assert isinstance(task.averaged, Small)
    assert isinstance(task.model, Small)
    expected = start.lerp(task.model.head.weight, 1 - 2 / 11)
    torch.testing.assert_close(task.averaged.head.weight, expected.detach())


def test_rejected_faces_get_no_loss_and_are_counted() -> None:
    everything = make(Small(), guard=GuardConfig(score="confidence", threshold=1.01))
    logs = step(everything, faces(), rate=0.1)
    assert float(logs["loss/0"]) == float(logs["consistency"]) == float(logs["feedback"]) == 0.0
    torch.testing.assert_close(logs["loss/1"], logs["labeled"])
    assert int(logs["rejected"]) == 10

    task, batch = make(Small()), faces()
    assert batch.unlabeled is not None
    confidence = task.trained_teacher(batch.unlabeled.float() / 255).softmax(dim=1).amax(dim=1)
    threshold = float(confidence.detach().sort().values[3:5].mean())
    kept = batch.unlabeled[confidence >= threshold]
    assert len(kept) == 6
    some = make(Small(), guard=GuardConfig(score="confidence", threshold=threshold))
    found = step(some, batch, rate=0.0)
    expected = step(make(Small()), replace(batch, unlabeled=kept), rate=0.0)
    for name in ("unlabeled", "consistency"):
        torch.testing.assert_close(found[name] * 10, expected[name] * len(kept))
    assert int(found["rejected"]) == 10 - len(kept)


def test_the_guard_follows_the_teachers_labeled_faces() -> None:
    task = make(Small(), guard=GuardConfig(score="energy", quantile=0.5))
    batch = faces()
    logits = task.trained_teacher(batch.images.float() / 255)
    first = step(task, batch, rate=0.0)
    assert int(first["rejected"]) == 0
    assert float(task.guard.threshold) == pytest.approx(float(logits.detach().logsumexp(dim=1).quantile(0.5)))
    assert int(step(task, batch, rate=0.0)["rejected"]) > 0


def parts_of(batch: Batch, count: int) -> list[Batch]:
    assert batch.targets is not None
    assert batch.unlabeled is not None
    columns = zip(*(t.chunk(count) for t in (batch.images, batch.targets, batch.unlabeled)), strict=True)
    return [Batch(images=images, targets=targets, unlabeled=others) for images, targets, others in columns]


@pytest.mark.parametrize("per_sample", [False, True])
def test_parts_of_a_batch_get_the_feedback_of_the_whole(per_sample: bool) -> None:
    whole, split = (make(Small(), per_sample=per_sample, feedback=100.0) for _ in range(2))
    step(whole, faces(), rate=0.1)
    for phase in range(2):
        for part in parts_of(faces(), 2):
            loss, _ = split(part, torch.Generator().manual_seed(0), phase)
            (loss / 2).backward()
        with torch.no_grad():
            for parameter in split.parameters():
                if parameter.grad is not None:
                    parameter.sub_(0.1 * parameter.grad)
        split.zero_grad(set_to_none=True)
    for name, value in whole.state_dict().items():
        torch.testing.assert_close(split.state_dict()[name], value, atol=1e-6, rtol=1e-5)


def test_feedback_per_sample_weighs_faces_by_their_gradients() -> None:
    batch, model = faces(), Small()
    assert batch.targets is not None
    assert batch.unlabeled is not None
    images, unlabeled = batch.images.float() / 255, batch.unlabeled.float() / 255
    labels = model(unlabeled).argmax(dim=1)
    head = list(model.head.parameters())
    target = torch.autograd.grad(F.cross_entropy(model(images), batch.targets), head)
    each = [F.cross_entropy(model(u[None]), y[None]) for u, y in zip(unlabeled, labels, strict=True)]
    gradients = [torch.autograd.grad(loss, head) for loss in each]
    alignment = torch.stack([(w * target[0]).sum() + (b * target[1]).sum() for w, b in gradients])
    assert 0 < int((alignment > 0).sum()) < 10
    own = F.cross_entropy(model(unlabeled), labels, reduction="none")
    scalar = step(make(Small()), batch, rate=0.1)
    logs = step(make(Small(), per_sample=True), batch, rate=0.1)
    share = scalar["feedback"].abs() * alignment / alignment.abs().mean()
    expected = (share * own).mean() - scalar["feedback"] * own.mean()
    torch.testing.assert_close(logs["loss/1"] - scalar["loss/1"], expected.detach())


def test_half_precision_neither_stops_gradients_nor_blurs_the_feedback() -> None:
    found = {}
    for half in (False, True):
        task = make(Small())
        for phase, trained in enumerate((task.model, task.trained_teacher)):
            with torch.autocast("cpu", torch.bfloat16, enabled=half):
                loss, logs = task(faces(), torch.Generator().manual_seed(0), phase)
                loss.backward()
            assert all(p.grad is not None for p in trained.parameters())
            with torch.no_grad():
                for parameter in trained.parameters():
                    parameter.sub_(1e-4)
        found[half] = logs["feedback"]
    assert 0 < abs(float(found[False])) < 1e-3
    assert torch.equal(found[True], found[False])


def test_a_step_that_was_broken_off_leaves_nothing_behind() -> None:
    broken, sound = make(Small()), make(Small())
    broken(faces(6, 12), torch.Generator().manual_seed(5), 0)
    broken.train()
    for task in (broken, sound):
        step(task, faces(), rate=0.1)
    for name, value in sound.state_dict().items():
        assert torch.equal(broken.state_dict()[name], value)


def test_batches_and_models_that_do_not_fit_are_refused() -> None:
    batch = faces()
    with pytest.raises(ValueError, match="unlabeled faces"):
        make(Small())(Batch(images=batch.images, targets=batch.targets), torch.Generator(), 0)
    with pytest.raises(ValueError, match="OneWeight has none"):
        make(OneWeight(0.0), per_sample=True)
