"""What mkdocs.yml cannot say: pages and links from outside of docs/, and a check that the API pages are complete."""

import ast
import logging
import re
import zlib
from collections.abc import Iterator
from pathlib import Path

import griffe
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "binxent"
OUTSIDE = [*sorted(ROOT.glob("examples/*.py")), ROOT / "CHANGELOG.md", ROOT / "CONTRIBUTING.md"]
log = logging.getLogger("mkdocs.hooks.binxent")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Put the files outside of docs/ that pages link to beside the pages."""
    for path in OUTSIDE:
        files.append(File(path.relative_to(ROOT).as_posix(), str(ROOT), config.site_dir, config.use_directory_urls))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Make the README the first page, and let links lead to where the files are in the site."""
    if not page.parent:
        page.meta["hide"] = ["navigation"]  # the tabs above say the same
    if page.file.src_uri == "index.md":
        markdown = (ROOT / "README.md").read_text(encoding="utf-8")
    if page.file.src_uri in ("index.md", "CONTRIBUTING.md"):
        return markdown.replace("](docs/", "](")
    return markdown if "/" in page.file.src_uri else markdown.replace("](../", "](")


def on_post_build(config: MkDocsConfig) -> None:
    """Warn of public names that no API page shows; under --strict that fails the build."""
    inventory = (Path(config.site_dir) / "objects.inv").read_bytes().split(b"\n", 4)[4]
    shown = {line.split(" ", 1)[0] for line in zlib.decompress(inventory).decode().splitlines()}
    for name in sorted(set(public_names()) - shown):
        log.warning("%s is public, and no API page shows it", name)


def public_names() -> Iterator[str]:
    """The full name of everything in an `__all__` of a public module."""
    for path in PACKAGE.rglob("*.py"):
        module = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")
        if "._" in module or module.startswith("binxent.workbench"):  # a program; docs/workbench.md describes it
            continue
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == ["__all__"]:
                yield from (f"{module}.{name}" for name in ast.literal_eval(node.value))


class House(griffe.Extension):
    """How docstrings and names of this code are read."""

    def on_object(self, *, obj: griffe.Object, **_: object) -> None:
        """Read `Example:` as griffe's section `Examples:`, link losses, and leave special methods but calls out."""
        if obj.docstring:
            text = re.sub(r"^Example:$", "Examples:", obj.docstring.value, flags=re.MULTILINE)
            text = text.replace("`Loss` explains", "[`Loss`][binxent.losses.Loss] explains")
            obj.docstring.value = re.sub(r"`(binxent\.losses\.\w+)`", r"[`\1`][\1]", text)
        if obj.name.startswith("__") and obj.name != "__call__":
            obj.public = False
