"""What the images weigh: in all, layer by layer, package by package: benchmark/image_size.sh.

Exit code 0: PASS, both are within their limits; 1: FAIL.
"""

from __future__ import annotations

import json
import re
import sys
from dataclasses import dataclass

from benchmark.text_table import ReportPart, table

from .engine import ask, image_name, inspect_image
from .limits import FOLLOWED_MB, LIMITS, Limit

BASE_LABEL = "org.opencontainers.image.base.name"
# A package's bytes, with its bytecode and its metadata; run inside.
WEIGH = """
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
MOST_PACKAGES = 12
# Docker says 0B, podman 0 B.
NOTHING = {"0B", "0 "}


@dataclass(frozen=True)
class Size:
    """What an image weighs, in MB."""

    room: str
    total: float
    base: float
    layers: tuple[tuple[str, str], ...]
    packages: tuple[tuple[str, float], ...]

    @property
    def over_base(self) -> float:
        """What is ours of it."""
        return self.total - self.base

    def holds(self, limit: Limit) -> bool:
        """Whether it is within its limits."""
        return self.over_base <= limit.over_base_mb and self.total <= limit.total_mb


def weigh(room: str) -> Size:
    """Weigh the image of a room."""
    name = image_name(room)
    found = inspect_image(name)
    base = inspect_image(found["Config"]["Labels"][BASE_LABEL])
    return Size(room, found["Size"] / 1e6, base["Size"] / 1e6, _layers(name), _packages(name))


def _layers(name: str) -> tuple[tuple[str, str], ...]:
    """Return what each layer was made by, and its size; the newest first."""
    lines = ask("history", "--no-trunc", "--format", "{{.Size}}\t{{.CreatedBy}}", name)
    rows = (line.split("\t", 1) for line in lines.splitlines())
    return tuple((_instruction(made_by), size) for size, made_by in rows if size[:2] not in NOTHING)


def _instruction(made_by: str) -> str:
    """Return a line of a Dockerfile out of what engines make of it."""
    said = made_by.removeprefix("/bin/sh -c ").removeprefix("#(nop) ")
    return re.sub(r"\w+:[0-9a-f]{64} in ", "", said).strip()


def _packages(name: str) -> tuple[tuple[str, float], ...]:
    said = ask("run", "--rm", "--network", "none", name, "python", "-c", WEIGH)
    return tuple((package, size / 1e6) for package, size in json.loads(said))


def describe(sizes: list[Size]) -> ReportPart:
    """Return the verdict on images, and what each is made of."""
    rows = [("image", "total", "over its base", "at most", "smaller than the 1.26 GB we follow")]
    rows += [
        (
            one.room,
            f"{one.total:.0f} MB",
            f"{one.over_base:.1f} MB",
            f"{LIMITS[one.room].over_base_mb:.0f} MB, {LIMITS[one.room].total_mb:.0f} in all",
            f"{FOLLOWED_MB / one.total:.1f} ×",
        )
        for one in sizes
    ]
    good = all(one.holds(LIMITS[one.room]) for one in sizes)
    return ReportPart(
        "PASS" if good else "FAIL", "image size", table(rows), "\n\n".join(map(_made_of, sizes))
    )


def _made_of(size: Size) -> str:
    layers = [(f"{size.room}, by layer", "")]
    layers += [(made_by[:60], said) for made_by, said in size.layers]
    largest, others = size.packages[:MOST_PACKAGES], size.packages[MOST_PACKAGES:]
    packages = [(f"{size.room}, by package", "")]
    packages += [(name, f"{mb:.1f} MB") for name, mb in largest]
    if others:
        rest = f"{len(others)} others"
        packages.append((rest, f"{sum(mb for _, mb in others):.1f} MB"))
    return f"{table(layers)}\n\n{table(packages)}"


def main() -> int:
    """Weigh both images and say the verdict first."""
    part = describe([weigh(room) for room in LIMITS])
    print(f"{part.word}  {part.title}\n{part.text}\n\n{part.detail}")
    return 0 if part.word == "PASS" else 1


if __name__ == "__main__":
    sys.exit(main())
