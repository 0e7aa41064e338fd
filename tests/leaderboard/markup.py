"""Reading HTML and SVG as a browser's tree, to test what it says rather than how it is spelt."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

VOID = {"input", "meta", "link", "br", "hr", "img"}


@dataclass
class Node:
    tag: str
    attributes: dict[str, str | None] = field(default_factory=dict)
    children: list[Node] = field(default_factory=list)
    text: str = ""

    def all(self, tag: str | None = None) -> list[Node]:
        found = [self] if tag in {None, self.tag} else []
        return found + [node for child in self.children for node in child.all(tag)]

    @property
    def words(self) -> str:
        return self.text + "".join(child.words for child in self.children)


class Tree(HTMLParser):
    def __init__(self, source: str) -> None:
        super().__init__()
        self.root = Node("root")
        self.open = [self.root]
        self.feed(source)
        self.close()
        assert self.open == [self.root], f"not closed: {[node.tag for node in self.open]}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        node = Node(tag, dict(attrs))
        self.open[-1].children.append(node)
        if tag not in VOID:
            self.open.append(node)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open[-1].children.append(Node(tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open[-1].tag == tag, f"</{tag}> closes <{self.open[-1].tag}>"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        self.open[-1].children.append(Node("text", text=data))


def parse(source: str) -> Node:
    return Tree(source).root


def accessibility_faults(source: str) -> list[str]:
    """What a screen reader would stumble over, by structure alone."""
    root = parse(source)
    faults = []
    labelled = {node.attributes.get("for") for node in root.all("label")}
    wrapped = [inner for label in root.all("label") for inner in label.all()]
    for node in root.all():
        named = node.attributes.get("aria-label") or node.attributes.get("id") in labelled
        if node.tag in {"input", "select"} and not named and node not in wrapped:
            faults.append(f"{node.tag} without a label")
        if node.tag in {"a", "button"} and not (node.words.strip() or named):
            faults.append(f"{node.tag} without a name")
        if node.tag == "table" and not node.all("caption"):
            faults.append("table without a caption")
        if node.tag == "th" and node.attributes.get("scope") not in {"col", "row"}:
            faults.append("heading cell without a scope")
        if node.tag == "svg" and not _is_named_drawing(node):
            faults.append("drawing without a name and description")
        if node.tag == "img":
            faults.append("an image nobody asked for")
    return faults


def svg_elements(source: str) -> list[ET.Element]:
    """All elements of a drawing, read as strict XML."""
    return list(ET.fromstring(source).iter())


def _is_named_drawing(node: Node) -> bool:
    """A picture, or where it holds links a group, since pictures hide what is inside them."""
    role = "group" if node.all("a") else "img"
    named = node.attributes.get("aria-label") and node.all("title") and node.all("desc")
    return bool(named) and node.attributes.get("role") == role
