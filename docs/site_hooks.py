"""What mkdocs.yml cannot say: pages and links from outside of docs/, and a check that the API pages are complete."""

import ast
import logging
import re
import zlib
from functools import cache, partial
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
    for name in sorted({f"{module}.{name}" for module, names in exported().items() for name in names} - shown):
        log.warning("%s is public, and no API page shows it", name)


@cache
def exported() -> dict[str, list[str]]:
    """Return the `__all__` of every public module that has one."""
    found = {}
    for path in PACKAGE.rglob("*.py"):
        module = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")
        if "._" in module or module.startswith("binxent.workbench"):  # a program; docs/workbench.md describes it
            continue
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == ["__all__"]:
                found[module] = ast.literal_eval(node.value)
    return found


class House(griffe.Extension):
    """How docstrings and names of this code are read."""

    def on_object(self, *, obj: griffe.Object, **_: object) -> None:
        """Read `Example:` as griffe's section `Examples:`, link names, and leave special methods but calls out."""
        if obj.docstring:
            text = re.sub(r"^Example:$", "Examples:", obj.docstring.value, flags=re.MULTILINE)
            obj.docstring.value = re.sub(r"`([\w.]+)`", partial(link, obj), text)
        if obj.name.startswith("__") and obj.name != "__call__":
            obj.public = False


def link(obj: griffe.Object, name: re.Match[str]) -> str:
    """Link a name between backticks, if it is public in the module that shows the object, or one of the losses."""
    inside = [module for module in exported() if f"{obj.path}.".startswith(f"{module}.")]
    module = max(inside, key=len)
    if name[1] in exported()[module] and name[1] != obj.name:
        return f"[{name[0]}][{module}.{name[1]}]"
    if (name[1] == "Loss" and "losses" in obj.path) or name[1].startswith("binxent.losses."):
        return f"[{name[0]}][binxent.losses.{name[1].split('.')[-1]}]"
    return name[0]
