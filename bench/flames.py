"""A flame graph of perf's stacks, as an SVG that needs nothing else: hover for names and shares."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html import escape

WIDTH = 1400.0
ROW = 17
LEAST = 0.3  # pixels
_FRAME = re.compile(r"^\s+[0-9a-f]+ (.+?)(?:\+0x[0-9a-f]+)? \(")


@dataclass
class Node:
    name: str
    samples: int = 0
    children: dict[str, Node] = field(default_factory=dict)

    def add(self, stack: list[str]) -> None:
        self.samples += 1
        if stack:
            self.children.setdefault(stack[0], Node(stack[0])).add(stack[1:])

    def depth(self) -> int:
        return 1 + max((child.depth() for child in self.children.values()), default=0)


def fold(script: str) -> list[list[str]]:
    """Stacks of `perf script`'s output, the outermost first, under the thread's name."""
    stacks = []
    for block in script.split("\n\n"):
        head, *frames = block.strip("\n").split("\n")
        names = [found.group(1) for line in frames if (found := _FRAME.match(line))]
        if names:
            stacks.append([head.strip().split(" ")[0], *(_short(name) for name in reversed(names))])
    return stacks


def _short(name: str) -> str:
    """Without arguments and template arguments: the name is what one looks for."""
    previous = ""
    while previous != name:
        previous, name = name, re.sub(r"<[^<>]*>", "", name)
    return re.sub(r"\(.*", "", name) or "?"


def draw(stacks: list[list[str]]) -> str:
    root = Node("all")
    for stack in stacks:
        root.add(stack)
    height = root.depth() * ROW + 10
    boxes: list[str] = []
    _box(root, 0.0, height - ROW - 5, WIDTH / root.samples, root.samples, boxes)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH:.0f}" height="{height}" font-family="sans-serif" '
        f'font-size="11">\n<rect width="100%" height="100%" fill="#ffffff"/>\n{"".join(boxes)}</svg>\n'
    )


def _box(node: Node, x: float, y: float, scale: float, whole: int, boxes: list[str]) -> None:
    width = node.samples * scale
    if width < LEAST:
        return
    share = 100 * node.samples / whole
    hue = 20 + hash_of(node.name) % 35
    room = int(width / 6.5)
    label = f'<text x="{x + 3:.1f}" y="{y + 12:.0f}">{escape(node.name[:room])}</text>' if room > 3 else ""
    boxes.append(
        f'<g><title>{escape(node.name)}: {share:.1f} %</title><rect x="{x:.1f}" y="{y:.0f}" width="{width:.1f}" '
        f'height="{ROW - 1}" fill="hsl({hue},80%,62%)"/>{label}</g>\n'
    )
    for child in sorted(node.children.values(), key=lambda each: each.name):
        _box(child, x, y - ROW, scale, whole, boxes)
        x += child.samples * scale


def hash_of(name: str) -> int:
    """The same in every run, unlike hash()."""
    return sum((i + 1) * ord(letter) for i, letter in enumerate(name))
