"""Models that their authors publish, by short names: where they lie, under which licence, who is related to whom."""

from dataclasses import dataclass

_ADA = "https://nvlabs-fi-cdn.nvidia.com/stylegan2-ada-pytorch/pretrained"
_SOURCES = f"{_ADA}/transfer-learning-source-nets"
_STYLEGAN2 = "https://nvlabs-fi-cdn.nvidia.com/stylegan2/networks"
LICENCES = {
    "NVIDIA ADA": "https://nvlabs.github.io/stylegan2-ada-pytorch/license.html",
    "NVIDIA 2019": "https://nvlabs.github.io/stylegan2/license.html",
}
"""Both are Nvidia Source Code Licenses for non-commercial use."""


@dataclass(frozen=True)
class Published:
    """One published model.

    Attributes:
      address: where its authors keep it.
      licence: a key of `LICENCES`.
      resolution: of its images.
      configuration: config-e and config-f of the StyleGAN2 paper, or the --cfg of stylegan2-ada.
      family: models of one family have a common ancestor and can be blended; None where nothing is known of relatives.
      what: its images.
    """

    address: str
    licence: str
    resolution: int
    configuration: str
    family: str | None
    what: str


def _ada(file: str, resolution: int, configuration: str, family: str | None, what: str) -> Published:
    return Published(f"{_ADA}/{file}.pkl", "NVIDIA ADA", resolution, configuration, family, what)


def _source(file: str, resolution: int, configuration: str, what: str) -> Published:
    return Published(f"{_SOURCES}/{file}.pkl", "NVIDIA ADA", resolution, configuration, None, what)


def _stylegan2(kind: str, config: str, resolution: int, what: str) -> Published:
    address = f"{_STYLEGAN2}/stylegan2-{kind}-config-{config}.pkl"
    return Published(address, "NVIDIA 2019", resolution, f"config-{config}", None, what)


PUBLIC: dict[str, Published] = {
    "ffhq-1024-f": _ada("ffhq", 1024, "config-f", "ffhq-1024-f", "faces"),
    "metfaces-1024": _ada("metfaces", 1024, "config-f", "ffhq-1024-f", "faces in art, fine-tuned from FFHQ"),
    "afhqcat-512": _ada("afhqcat", 512, "paper512", None, "cats"),
    "afhqdog-512": _ada("afhqdog", 512, "paper512", None, "dogs"),
    "afhqwild-512": _ada("afhqwild", 512, "paper512", None, "wild animals"),
    "cifar10-32": _ada("cifar10", 32, "cifar", None, "ten classes of things (conditional)"),
    "brecahad-512": _ada("brecahad", 512, "paper512", None, "tissue under the microscope"),
    "ffhq-256": _source("ffhq-res256-mirror-paper256-noaug", 256, "paper256", "faces, to fine-tune from"),
    "ffhq-512": _source("ffhq-res512-mirror-stylegan2-noaug", 512, "config-f", "faces, to fine-tune from"),
    "ffhq-1024": _source("ffhq-res1024-mirror-stylegan2-noaug", 1024, "config-f", "faces, to fine-tune from"),
    "celebahq-256": _source(
        "celebahq-res256-mirror-paper256-kimg100000-ada-target0.5", 256, "paper256", "faces of the famous"
    ),
    "lsundog-256": _source("lsundog-res256-paper256-kimg100000-noaug", 256, "paper256", "dogs"),
    "stylegan2-ffhq-config-e": _stylegan2("ffhq", "e", 1024, "faces (TensorFlow)"),
    "stylegan2-ffhq-config-f": _stylegan2("ffhq", "f", 1024, "faces (TensorFlow)"),
    "stylegan2-car-config-f": _stylegan2("car", "f", 512, "cars (TensorFlow)"),
    "stylegan2-cat-config-f": _stylegan2("cat", "f", 256, "cats (TensorFlow)"),
    "stylegan2-church-config-f": _stylegan2("church", "f", 256, "churches (TensorFlow)"),
    "stylegan2-horse-config-f": _stylegan2("horse", "f", 256, "horses (TensorFlow)"),
}
"""Short name → what it stands for. A file or folder of that name comes first."""
