import numpy as np
import pytest
import torch

from routeviz.costs import CONVENTIONS, macs
from routeviz.datasets import Sample
from routeviz.errors import DatasetError
from routeviz.network import NetworkConfig, RoutingNetwork
from routeviz.training import Evaluation, evaluate


class Labelled:
    """Random images; their labels are what `label` makes of each."""

    class_names = ("a", "b", "c")
    ignore_index = 255

    def __init__(self, label, *, sizes=((32, 64),) * 5, broken=()):
        rng = np.random.default_rng(0)
        self.images = [rng.integers(0, 256, (*size, 3), dtype=np.uint8) for size in sizes]
        self.label, self.broken = label, broken

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        if index in self.broken:
            raise DatasetError(f"image {index} is broken")
        image = self.images[index]
        return Sample(image=image, label=self.label(image), id=str(index), file=f"{index}.png")


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(3)
    net = RoutingNetwork(NetworkConfig(layers=4, width=4, num_classes=3, stem_width=4)).eval()
    with torch.no_grad():
        for cell in net.cells:
            cell.gate.score.bias.normal_()
    return net


@torch.no_grad()
def predicted(net, image):
    return net(net.preprocess(image)[None]).logits.argmax(1)[0].numpy().astype(np.uint8)


def test_what_the_network_predicts_has_full_marks(net):
    evaluation = evaluate(net, Labelled(lambda image: predicted(net, image)))
    assert (evaluation.miou, evaluation.pixel_accuracy, evaluation.images) == (1, 1, 5)
    assert set(evaluation.iou.values()) <= {1, None}


def test_iou_is_of_all_pixels_of_the_dataset_together(net):
    data = Labelled(lambda image: (image[..., 0] % 3).astype(np.uint8))
    label = np.stack([data[index].label for index in range(5)])
    prediction = np.stack([predicted(net, image) for image in data.images])
    iou = [((label == k) & (prediction == k)).sum() / ((label == k) | (prediction == k)).sum() for k in range(3)]
    evaluation = evaluate(net, data)
    assert list(evaluation.iou.values()) == pytest.approx(iou)
    assert evaluation.miou == pytest.approx(np.mean(iou))
    assert evaluation.pixel_accuracy == pytest.approx((label == prediction).mean())


def test_ignored_pixels_count_nowhere_and_absent_classes_have_no_iou(net):
    def label(image):
        half = predicted(net, image)
        half[:, ::2] = 255
        return np.where(half == 2, 255, half).astype(np.uint8)

    evaluation = evaluate(net, Labelled(label))
    assert evaluation.iou["c"] is None
    assert evaluation.pixel_accuracy == 1


@torch.no_grad()
def test_macs_are_those_of_each_images_own_route(net):
    data = Labelled(lambda image: image[..., 0] % 3, sizes=((32, 64), (64, 32), (32, 64), (40, 40)))
    evaluation = evaluate(net, data, batch_size=2)
    for convention in CONVENTIONS:
        alone = [
            macs(net, net(net.preprocess(image)[None]).gates.numpy(), image.shape[:2], convention=convention)[0]
            for image in data.images
        ]
        assert evaluation.macs[convention] == {"avg": round(np.mean(alone)), "max": max(alone), "min": min(alone)}


def test_batch_size_and_order_of_sizes_change_nothing(net):
    sizes = ((32, 64), (64, 64), (32, 32), (32, 64), (64, 64), (32, 64), (64, 32))
    data = Labelled(lambda image: image[..., 0] % 3, sizes=sizes)
    figures = [evaluate(net, data, batch_size=size) for size in (1, 2, 3, 8)]
    for other in figures[1:]:
        assert (other.iou, other.macs, other.images) == (figures[0].iou, figures[0].macs, 7)


def test_resized_images_are_compared_at_their_new_size(net):
    data = Labelled(lambda image: image[..., 0] % 3)
    small, whole = (evaluate(net, data, resize=size).macs["conv"]["avg"] for size in ((32, 32), None))
    assert small < whole


def test_unreadable_image_is_reported_and_left_out(net):
    evaluation = evaluate(net, Labelled(lambda image: predicted(net, image), broken={1}))
    assert (evaluation.images, evaluation.unreadable) == (4, ["image 1 is broken"])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (Labelled(lambda image: None), "no label"),
        (Labelled(lambda image: image[..., 0], broken=range(5)), "could be read"),
        (Labelled(lambda image: image[..., 0], sizes=()), "empty"),
        (Labelled(lambda image: np.full(image.shape[:2], 255, np.uint8)), "no labelled pixel"),
    ],
)
def test_dataset_that_cannot_be_evaluated_on_is_refused(net, data, message):
    with pytest.raises(DatasetError, match=message):
        evaluate(net, data)


@pytest.mark.parametrize("mode", [True, False])
def test_network_is_left_in_its_mode(net, mode):
    net.train(mode)
    evaluate(net, Labelled(lambda image: image[..., 0] % 3, sizes=((32, 32),)))
    with pytest.raises(DatasetError):
        evaluate(net, Labelled(lambda image: None))
    assert net.training == mode
    net.eval()


def test_figures_survive_json(net):
    evaluation = evaluate(net, Labelled(lambda image: image[..., 0] % 3))
    assert Evaluation.from_dict(evaluation.to_dict()) == evaluation
