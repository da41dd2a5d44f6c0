"""Which augmentations happen, how often and how far: the official pipes by their names."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Pipe:
    """The strength of each transform (its probability is strength · p; 0 leaves it out), then their ranges."""

    xflip: float = 0
    rotate90: float = 0
    xint: float = 0
    scale: float = 0
    rotate: float = 0
    aniso: float = 0
    xfrac: float = 0
    brightness: float = 0
    contrast: float = 0
    lumaflip: float = 0
    hue: float = 0
    saturation: float = 0
    imgfilter: float = 0
    noise: float = 0
    cutout: float = 0

    xint_max: float = 0.125  # share of the size
    scale_std: float = 0.2  # octaves
    rotate_max: float = 1  # half turns
    aniso_std: float = 0.2  # octaves
    xfrac_std: float = 0.125  # share of the size
    brightness_std: float = 0.2
    contrast_std: float = 0.5  # octaves
    hue_max: float = 1  # half turns
    saturation_std: float = 1  # octaves
    imgfilter_bands: tuple[float, float, float, float] = (1, 1, 1, 1)  # strength per octave, lowest first
    imgfilter_std: float = 1  # octaves
    noise_std: float = 0.1
    cutout_size: float = 0.5  # share of the size


BLIT = ("xflip", "rotate90", "xint")
GEOMETRY = ("scale", "rotate", "aniso", "xfrac")
COLOR = ("brightness", "contrast", "lumaflip", "hue", "saturation")


def _pipe(*names: str) -> Pipe:
    return dataclasses.replace(Pipe(), **dict.fromkeys(names, 1.0))


PRESETS = {
    "blit": _pipe(*BLIT),
    "geom": _pipe(*GEOMETRY),
    "color": _pipe(*COLOR),
    "filter": _pipe("imgfilter"),
    "noise": _pipe("noise"),
    "cutout": _pipe("cutout"),
    "bg": _pipe(*BLIT, *GEOMETRY),
    "bgc": _pipe(*BLIT, *GEOMETRY, *COLOR),
    "bgcf": _pipe(*BLIT, *GEOMETRY, *COLOR, "imgfilter"),
    "bgcfn": _pipe(*BLIT, *GEOMETRY, *COLOR, "imgfilter", "noise"),
    "bgcfnc": _pipe(*BLIT, *GEOMETRY, *COLOR, "imgfilter", "noise", "cutout"),
}
