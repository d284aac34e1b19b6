"""Trains a light detector of torchvision on images with boxes in COCO's format.

One process for each GPU under torchrun, or one on a CPU. docs/training_a_detector.md says how.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from pycocotools.cocoeval import COCOeval
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, DistributedSampler
from torchvision import models, ops, tv_tensors
from torchvision.datasets import CocoDetection
from torchvision.transforms import v2


class GreyImages(CocoDetection):
    """Images as the package's detectors see them: grey, in three equal channels.

    Args:
        data: folder with ``train2017``, ``val2017`` and ``annotations/instances_*2017.json``.
        part: ``train``, which is augmented, or ``val``.
    """

    def __init__(self, data: Path, part: str) -> None:
        annotations = data / "annotations" / f"instances_{part}2017.json"
        for needed in (data / f"{part}2017", annotations):
            if not needed.exists():
                sys.exit(f"{needed} is not there: data are laid out as COCO's")
        try:
            super().__init__(data / f"{part}2017", annotations)
        except (AssertionError, AttributeError, KeyError, TypeError, ValueError) as error:
            sys.exit(f"{annotations} cannot be read as COCO's JSON: {error!r}")
        self.categories = sorted(self.coco.cats)
        """Numbers of the categories in the annotations; a network's label 1 is the first."""
        if not self.categories:
            sys.exit(f"{annotations} lists no categories")
        unknown = {thing["category_id"] for thing in self.coco.anns.values()} - {*self.categories}
        if unknown:
            sys.exit(f"{annotations} has things of category {min(unknown)}, which it does not list")
        for number, thing in self.coco.anns.items():
            if len(thing.get("bbox", ())) != 4:
                sys.exit(
                    f"{annotations}: annotation {number} has bbox {thing.get('bbox')}; "
                    "it must be left, top, width and height"
                )
            # Some tools leave them out, and pycocotools needs them.
            thing.setdefault("iscrowd", 0)
            thing.setdefault("area", thing["bbox"][2] * thing["bbox"][3])
        for image in self.coco.imgs.values():
            if not (data / f"{part}2017" / image["file_name"]).is_file():
                sys.exit(f"{annotations} has {image['file_name']}, which {part}2017 has not")
        augmentation = [v2.ColorJitter(0.4, 0.4), v2.RandomIoUCrop(), v2.RandomHorizontalFlip()]
        self._transforms = v2.Compose(
            [v2.ToImage(), v2.Grayscale(3)]
            + (augmentation if part == "train" else [])
            + [v2.SanitizeBoundingBoxes(), v2.ToDtype(torch.float32, scale=True)]
        )

    @property
    def classes(self) -> list[str]:
        """Names in the order of a network's labels; label 0 is the background."""
        return ["background", *(self.coco.cats[number]["name"] for number in self.categories)]

    def __getitem__(self, index: int) -> tuple[torch.Tensor, dict[str, Any]]:
        """An image float32 [3, H, W] in 0 to 1, with its boxes, their labels and its number."""
        image, things = super().__getitem__(index)
        things = [thing for thing in things if not thing.get("iscrowd")]
        boxes = torch.tensor([thing["bbox"] for thing in things], dtype=torch.float32)
        boxes = ops.box_convert(boxes.reshape(-1, 4), "xywh", "xyxy")
        labels = [1 + self.categories.index(thing["category_id"]) for thing in things]
        target = {
            "boxes": tv_tensors.BoundingBoxes(boxes, format="XYXY", canvas_size=image.size[::-1]),
            "labels": torch.tensor(labels, dtype=torch.int64),
            "image_id": self.ids[index],
        }
        return self._transforms(image, target)


def side_by_side(samples: Sequence[tuple]) -> tuple:
    """Images and targets of a batch, which differ in size."""
    return tuple(zip(*samples, strict=True))


def start_from_coco(network: nn.Module, name: str) -> None:
    """Take torchvision's weights, which it downloads, where names and shapes agree."""
    given = models.get_model_weights(name).DEFAULT.get_state_dict(progress=False)
    wanted = network.state_dict()
    fitting = {
        key: value
        for key, value in given.items()
        if key in wanted and wanted[key].shape == value.shape
    }
    network.load_state_dict(fitting, strict=False)
    print(f"{len(fitting)} of {len(wanted)} tensors start from COCO", flush=True)


@torch.inference_mode()
def average_precision(network: nn.Module, images: GreyImages, loader: DataLoader) -> float:
    """Mean of COCO's average precision over overlaps of 0.5 to 0.95, 0 to 1."""
    network.eval()
    device = next(network.parameters()).device
    results = []
    for batch, targets in loader:
        found = network([image.to(device) for image in batch])
        for target, each in zip(targets, found, strict=True):
            boxes = ops.box_convert(each["boxes"], "xyxy", "xywh").tolist()
            values = zip(boxes, each["labels"].tolist(), each["scores"].tolist(), strict=True)
            results += [
                {
                    "image_id": target["image_id"],
                    "category_id": images.categories[label - 1],
                    "bbox": box,
                    "score": score,
                }
                for box, label, score in values
            ]
    if not results:
        return 0.0
    evaluation = COCOeval(images.coco, images.coco.loadRes(results), "bbox")
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    return float(evaluation.stats[0])


def train(arguments: argparse.Namespace) -> None:
    """Train, and write the network after each epoch."""
    torch.manual_seed(arguments.seed)
    rank, processes = (int(os.environ.get(name, n)) for name, n in (("RANK", 0), ("WORLD_SIZE", 1)))
    cuda = torch.cuda.is_available()
    device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0))) if cuda else "cpu"
    if cuda:
        torch.cuda.set_device(device)
    if processes > 1:
        distributed.init_process_group("nccl" if cuda else "gloo")

    images, held_out = (GreyImages(arguments.data, part) for part in ("train", "val"))
    if images.categories != held_out.categories:
        sys.exit(f"categories of train are {images.categories}, of val {held_out.categories}")
    options = {"num_workers": arguments.workers, "collate_fn": side_by_side}
    sampler = DistributedSampler(images, processes, rank, seed=arguments.seed)
    loader = DataLoader(images, arguments.batch, sampler=sampler, drop_last=True, **options)
    if not len(loader):
        sys.exit(f"{len(images)} images for {processes} processes make no batch of --batch each")

    network = models.get_model(
        arguments.model, weights=None, weights_backbone=None, num_classes=len(images.classes)
    )
    if arguments.from_coco:
        start_from_coco(network, arguments.model)
    if cuda and processes > 1:
        network = nn.SyncBatchNorm.convert_sync_batchnorm(network)
    network.to(device)
    model = DistributedDataParallel(network) if processes > 1 else network
    optimizer = torch.optim.SGD(
        network.parameters(), arguments.rate, momentum=0.9, weight_decay=4e-5, nesterov=True
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        arguments.rate,
        total_steps=arguments.epochs * len(loader),
        pct_start=0.05,
        cycle_momentum=False,
    )
    arguments.run.mkdir(parents=True, exist_ok=True)
    for epoch in range(arguments.epochs):
        sampler.set_epoch(epoch)
        model.train()
        total = 0.0
        for batch, targets in loader:
            moved = [{key: each[key].to(device) for key in ("boxes", "labels")} for each in targets]
            loss = sum(model([image.to(device) for image in batch], moved).values())
            if not torch.isfinite(loss):
                sys.exit(f"loss is {loss.item()} in epoch {epoch + 1}: try a lower --rate")
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item()
        if rank == 0:
            print(f"epoch {epoch + 1}: loss {total / len(loader):.4f}", flush=True)
            precision = average_precision(network, held_out, DataLoader(held_out, 8, **options))
            print(f"epoch {epoch + 1}: average precision {precision:.4f}", flush=True)
            saved = {"model": arguments.model, "classes": images.classes}
            torch.save({**saved, "weights": network.state_dict()}, arguments.run / "part.pt")
            (arguments.run / "part.pt").replace(arguments.run / "detector.pt")
    if processes > 1:
        distributed.destroy_process_group()


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="folder laid out as COCO's")
    parser.add_argument("run", type=Path, help="folder for detector.pt")
    parser.add_argument(
        "--model",
        default="ssdlite320_mobilenet_v3_large",
        choices=models.list_models(module=models.detection, exclude=["mask*", "keypoint*"]),
        metavar="NAME",
        help="a detector of torchvision",
    )
    parser.add_argument("--from-coco", action="store_true", help="start from torchvision's weights")
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--batch", type=int, default=24, help="images of each process")
    parser.add_argument("--rate", type=float, default=0.02, help="highest learning rate")
    parser.add_argument("--workers", type=int, default=4, help="of each process, that read images")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    for option in ("epochs", "batch"):
        if vars(arguments)[option] < 1:
            parser.error(f"--{option} is {vars(arguments)[option]}; it must be at least 1")
    train(arguments)


if __name__ == "__main__":
    main()
