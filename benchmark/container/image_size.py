"""Measure the size of the images: in total, per layer and per package: benchmark/image_size.sh.

Exit code 0: PASS, all images are within their limits; 1: FAIL.
"""

from __future__ import annotations

import json
import re
import sys
from dataclasses import dataclass

from benchmark.text_table import PartVerdict, format_table

from .engine import image_name, inspect_image, run_engine
from .limits import LIMITS, PREDECESSOR_MB, Limit

BASE_LABEL = "org.opencontainers.image.base.name"
# Runs in the image, and prints the bytes of each package with its bytecode and metadata.
PACKAGE_SIZES_SCRIPT = """
import collections, json, os
sizes = collections.Counter()
for top in ("/srv/packages", "/srv/veilleuse"):
    for folder, _, files in os.walk(top):
        inside = os.path.relpath(folder, top).split(os.sep)[0]
        for name in files:
            owner = name if inside == "." else inside
            owner = owner.split("-")[0].lower() if owner.endswith(".dist-info") else owner
            path = os.path.join(folder, name)
            if not os.path.islink(path):
                sizes[owner.removesuffix(".libs")] += os.path.getsize(path)
print(json.dumps(sizes.most_common()))
"""
MAX_PACKAGES = 12
# The first characters of an empty layer's size: docker prints 0B, podman 0 B.
EMPTY = {"0B", "0 "}


@dataclass(frozen=True)
class ImageSize:
    """The size of an image and its parts, in MB."""

    role: str
    total: float
    base: float
    layers: tuple[tuple[str, str], ...]
    packages: tuple[tuple[str, float], ...]

    @property
    def over_base(self) -> float:
        """The size without the base image."""
        return self.total - self.base

    def is_within(self, limit: Limit) -> bool:
        """Return True if the image is within its limits."""
        return self.over_base <= limit.over_base_mb and self.total <= limit.total_mb


def measure_image(role: str) -> ImageSize:
    """Measure the image of a role, web or worker."""
    name = image_name(role)
    image = inspect_image(name)
    base = inspect_image(image["Config"]["Labels"][BASE_LABEL])
    return ImageSize(role, image["Size"] / 1e6, base["Size"] / 1e6, _layers(name), _packages(name))


def _layers(name: str) -> tuple[tuple[str, str], ...]:
    """Return the instruction that made each layer, and its size; the newest layer first."""
    lines = run_engine("history", "--no-trunc", "--format", "{{.Size}}\t{{.CreatedBy}}", name)
    rows = (line.split("\t", 1) for line in lines.splitlines())
    return tuple((_instruction(made_by), size) for size, made_by in rows if size[:2] not in EMPTY)


def _instruction(made_by: str) -> str:
    """Return the Dockerfile's instruction, without what the engine adds to it."""
    instruction = made_by.removeprefix("/bin/sh -c ").removeprefix("#(nop) ")
    return re.sub(r"\w+:[0-9a-f]{64} in ", "", instruction).strip()


def _packages(name: str) -> tuple[tuple[str, float], ...]:
    command = ("run", "--rm", "--network", "none", name, "python", "-c", PACKAGE_SIZES_SCRIPT)
    return tuple((package, size / 1e6) for package, size in json.loads(run_engine(*command)))


def image_size_verdict(sizes: list[ImageSize]) -> PartVerdict:
    """Return the verdict on the sizes of images, with their layers and packages as its detail."""
    rows = [("image", "total", "over its base", "limits", "smaller than the predecessor (1.26 GB)")]
    rows += [
        (
            size.role,
            f"{size.total:.0f} MB",
            f"{size.over_base:.1f} MB",
            f"{LIMITS[size.role].over_base_mb:.0f} MB, {LIMITS[size.role].total_mb:.0f} in total",
            f"{PREDECESSOR_MB / size.total:.1f} ×",
        )
        for size in sizes
    ]
    is_within = all(size.is_within(LIMITS[size.role]) for size in sizes)
    detail = "\n\n".join(map(_detail, sizes))
    return PartVerdict("PASS" if is_within else "FAIL", "image size", format_table(rows), detail)


def _detail(size: ImageSize) -> str:
    layers = [(f"{size.role}, by layer", "")]
    layers += [(made_by[:60], layer_size) for made_by, layer_size in size.layers]
    largest, others = size.packages[:MAX_PACKAGES], size.packages[MAX_PACKAGES:]
    packages = [(f"{size.role}, by package", "")]
    packages += [(name, f"{mb:.1f} MB") for name, mb in largest]
    if others:
        packages.append((f"{len(others)} others", f"{sum(mb for _, mb in others):.1f} MB"))
    return f"{format_table(layers)}\n\n{format_table(packages)}"


def main() -> int:
    """Measure all images and print the verdict; returns an exit code."""
    part = image_size_verdict([measure_image(role) for role in LIMITS])
    print(f"{part.word}  {part.title}\n{part.text}\n\n{part.detail}")
    return 0 if part.word == "PASS" else 1


if __name__ == "__main__":
    sys.exit(main())
