"""Teachers for distillation: networks that say how sure they are of each pair of 16 px cells."""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from coarse_loftr_lab.network.matcher_net import COARSE_STRIDE
from coarse_loftr_lab.network.published_student import PublishedStudent
from coarse_loftr_lab.network.restore import is_model, open_network
from coarse_loftr_lab.training.distillation import pooled_confidence

__all__ = ["Teacher", "load_teacher"]

Teacher = Callable[[Tensor, Tensor], Tensor]
"""Images [B, 1, H, W] in [0, 1], reference and current -> confidences [B, L, S] of our cells."""


def load_teacher(
    path: Path,
    device: torch.device,
    size: tuple[int, int],
    option: str = "distillation.teacher",
) -> Teacher:
    """The teacher in a file, whatever its kind.

    Args:
        path: a checkpoint of this project, an exported model (a folder, or the name of a shipped
            one), a published Coarse LoFTR checkpoint
            (``model_state_dict``), LoFTR weights for kornia (``state_dict``), or an ONNX pair
            graph whose first output is the confidence matrix.
        device: that it runs on; ONNX graphs run on the CPU.
        size: (width, height) of the training images.
        option: that named it, for messages.

    Raises:
        FileNotFoundError: when there is no such file.
        ValueError: when it is none of these, or takes images of another size.
        ModuleNotFoundError: when ONNX Runtime or kornia is needed and not installed.
    """
    if is_model(path):
        return OwnTeacher(path, device)
    if not path.is_file():
        raise FileNotFoundError(f"{option}: there is no file {path}")
    if path.suffix == ".onnx":
        return OnnxTeacher(path, size)
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, zipfile.BadZipFile) as error:
        reason = str(error).partition("\n")[0]
        raise ValueError(f"{option}: {path} holds no weights: {reason}") from error
    keys = set(content) if isinstance(content, dict) else set()
    if "format" in keys:
        return OwnTeacher(path, device)
    if "model_state_dict" in keys:
        return PublishedTeacher(path, device)
    if "state_dict" in keys:
        return LoftrTeacher(content["state_dict"], device)
    raise ValueError(
        f"{option}: {path} holds {', '.join(sorted(map(str, keys))[:5])}; expected a "
        "checkpoint of this project, model_state_dict (Coarse LoFTR) or state_dict (LoFTR)"
    )


class OwnTeacher:
    """A network of this project."""

    def __init__(self, path: Path, device: torch.device) -> None:
        self._net = open_network(path).to(device).requires_grad_(False)

    @torch.no_grad()
    def __call__(self, reference: Tensor, current: Tensor) -> Tensor:
        """Dual softmax of its similarities."""
        similarity = self._net(reference, current)[0].float()
        return similarity.softmax(dim=1) * similarity.softmax(dim=2)


class PublishedTeacher:
    """The published Coarse LoFTR student; its cells are ours."""

    def __init__(self, path: Path, device: torch.device) -> None:
        self._net = PublishedStudent.from_checkpoint(path).to(device).requires_grad_(False)

    @torch.no_grad()
    def __call__(self, reference: Tensor, current: Tensor) -> Tensor:
        """Its confidences."""
        return self._net(reference, current)[0]


class OnnxTeacher:
    """A graph of two images [1, 1, H, W] in [0, 1] whose first output is [1, L, S]."""

    def __init__(self, path: Path, size: tuple[int, int]) -> None:
        try:
            import onnxruntime
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError(
                "an ONNX teacher needs ONNX Runtime: pip install onnxruntime"
            ) from error

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        options.intra_op_num_threads = torch.get_num_threads()
        self._session = onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )
        inputs = self._session.get_inputs()
        if len(inputs) != 2:
            raise ValueError(f"{path} takes {len(inputs)} inputs; a pair graph takes two images")
        self._names = [entry.name for entry in inputs]
        self._cells = (size[1] // COARSE_STRIDE, size[0] // COARSE_STRIDE)
        for entry in inputs:
            fixed = [s if isinstance(s, int) else None for s in entry.shape]
            if len(fixed) != 4 or any(
                side is not None and side != wanted
                for side, wanted in zip(fixed, (1, 1, size[1], size[0]), strict=True)
            ):
                shape = "x".join(map(str, entry.shape[:1:-1])) or str(entry.shape)
                raise ValueError(
                    f"{path} takes images of {shape} px, training has {size[0]}x{size[1]}: set "
                    "width and height to the teacher's"
                )

    def __call__(self, reference: Tensor, current: Tensor) -> Tensor:
        """Its confidences, one pair after the other."""
        answers = []
        for pair in zip(reference.cpu().numpy(), current.cpu().numpy(), strict=True):
            feed = {name: image[None] for name, image in zip(self._names, pair, strict=True)}
            answers.append(torch.from_numpy(self._session.run(None, feed)[0]))
        confidence = torch.cat(answers).to(reference.device)
        return _on_our_cells(confidence, self._cells)


class LoftrTeacher:
    """LoFTR (Sun et al., CVPR 2021) as kornia has it, with weights from disk.

    Args:
        weights: the published state dict, with or without its ``matcher.`` prefix.
        device: that it runs on.
    """

    def __init__(self, weights: dict[str, Tensor], device: torch.device) -> None:
        try:
            from kornia.feature import LoFTR
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError(
                "LoFTR as a teacher needs kornia: pip install 'coarse_loftr_lab[loftr]'"
            ) from error
        self._net = LoFTR(pretrained=None)
        self._net.load_state_dict(weights)
        self._net.to(device).eval().requires_grad_(False)

    @torch.no_grad()
    def __call__(self, reference: Tensor, current: Tensor) -> Tensor:
        """Its coarse confidences, summed up from 8 px to 16 px cells."""
        coarse, _ = self._net.backbone(torch.cat([reference, current]))
        tokens = self._net.pos_encoding(coarse).flatten(2).transpose(1, 2)
        one, other = self._net.loftr_coarse(*tokens.chunk(2))
        similarity = torch.matmul(one, other.transpose(1, 2)) / one.shape[2]
        similarity = similarity / self._net.config["match_coarse"]["dsmax_temperature"]
        confidence = F.softmax(similarity, dim=1) * F.softmax(similarity, dim=2)
        cells = (reference.shape[2] // COARSE_STRIDE, reference.shape[3] // COARSE_STRIDE)
        return _on_our_cells(confidence, cells)

    @torch.no_grad()
    def points(
        self, reference: Tensor, current: Tensor, threshold: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Its fine matches of one pair: points [N, 2] of both, px, and confidences [N]."""
        self._net.coarse_matching.thr = threshold
        found = self._net({"image0": reference, "image1": current})
        return found["keypoints0"], found["keypoints1"], found["confidence"]


def _on_our_cells(confidence: Tensor, cells: tuple[int, int]) -> Tensor:
    """Confidences of a teacher's cells on ours, (rows, columns); its must divide them evenly.

    Raises:
        ValueError: when they do not.
    """
    rows, columns = cells
    by = round((confidence.shape[1] / (rows * columns)) ** 0.5)
    theirs = (rows * by, columns * by)
    if by < 1 or confidence.shape[1:] != (theirs[0] * theirs[1],) * 2:
        raise ValueError(
            f"the teacher's confidences are {confidence.shape[1]}x{confidence.shape[2]}; those of "
            f"{columns}x{rows} cells of {COARSE_STRIDE} px cannot be made of them"
        )
    return pooled_confidence(confidence, theirs, theirs, by)
