"""README and docs/ agree with the code: tables, run files, links, commands and paths."""

import ast
import importlib.util
import re
import shlex
from dataclasses import fields
from pathlib import Path

import pytest

import hpcgen
from hpcgen.commands import parser
from hpcgen.config.reading import parse_config
from hpcgen.models import MODELS
from hpcgen.models.networks.specs import LAYERS
from hpcgen.nn.optimizers import OPTIMIZERS

ROOT = Path(__file__).parents[2]
PAGES = {path.relative_to(ROOT).as_posix(): path.read_text() for path in (ROOT / "docs").glob("*.md")}
PAGES["README.md"] = (ROOT / "README.md").read_text()
TEXT_FILES = {*PAGES, "CHANGES.md"}
README_LINES = 130
EXAMPLE_LINES = 40

_spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
generate = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(generate)


def without_tables(text):
    """Return a page without the tables that are made from the code."""
    return generate.TABLE.sub("", text)


def headings(text):
    """Return the anchors of a page's headings, as GitHub makes them."""
    found = re.findall(r"^#+ (.*)$", re.sub(r"```.*?```", "", text, flags=re.S), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in found}


@pytest.mark.parametrize("page", PAGES)
def test_tables_are_those_of_the_code(page):
    assert generate.rewritten(PAGES[page]) == PAGES[page], "run: python docs/generate.py"


def test_every_setting_and_argument_has_a_meaning():
    for page in PAGES.values():
        for match in generate.TABLE.finditer(page):
            assert not re.findall(r"^.*\|  \|$", match.group(), re.M), match[2]


def test_every_choice_has_its_table():
    tables = {match[2] for page in PAGES.values() for match in generate.TABLE.finditer(page)}
    sources = generate.subcommands(generate.subcommands(parser())["prepare"])
    commands = {f"prepare {source}" for source in sources} | set(generate.subcommands(parser()))
    own = {"kind", "network"}
    kinds = {kind for kind, model in MODELS.items() if _own_keys(model) - own}
    assert tables >= {f"command {command}" for command in commands - {"prepare"}}
    assert tables >= {f"model {kind}" for kind in kinds}
    assert tables >= {f"section {section}" for section in generate.SECTIONS}
    for name in (*LAYERS, *OPTIMIZERS, *MODELS, *(n for model in MODELS.values() for n in model.NETWORKS)):
        assert f"`{name}`" in PAGES["docs/models.md"], name


def _own_keys(model):
    return {
        field.name
        for preset in model.NETWORKS.values()
        for field in fields(preset.options)
        if field.name not in preset.tables
    }


def test_the_run_file_shown_has_the_defaults():
    (text,) = re.findall(r"```toml\n(.*?)```", PAGES["docs/run-file.md"], re.S)
    shown = parse_config(text)
    assert shown == parse_config(f'data.path = "{shown.data.path}"')


def test_parts_of_run_files_are_toml():
    (text,) = re.findall(r"```toml\n(.*?)```", PAGES["docs/models.md"], re.S)
    layers = text.replace("[[model.generator.layers]]", "[[model.encoder.layers]]")
    assert layers.count('kind = "') == 3
    # The lines shown, completed to a whole network of 28 x 28.
    whole = (
        f"data.path = 'x'\n{text}kernel = 4\n[[model.generator.layers]]\nkind = 'tanh'\n"
        "[[model.discriminator.layers]]\nkind = 'flatten'\n"
        "[[model.discriminator.layers]]\nkind = 'dense'\noutputs = 1\n"
    )
    assert len(parse_config(whole).model.generator.layers) == 4


@pytest.mark.parametrize("path", sorted((ROOT / "jobs").glob("*.toml")), ids=lambda path: path.name)
def test_run_files_of_the_jobs_are_whole(path):
    parse_config(path.read_text())


def test_readme_is_a_front_page():
    assert PAGES["README.md"].count("\n") <= README_LINES


@pytest.mark.parametrize("page", sorted(TEXT_FILES))
def test_links_lead_somewhere(page):
    text = (ROOT / page).read_text()
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith(("http://", "https://")):
            continue
        path, _, anchor = target.partition("#")
        linked = (ROOT / page).parent / path if path else ROOT / page
        assert linked.exists(), target
        if anchor:
            assert anchor in headings(linked.read_text()), target


def lines_of_code(page):
    """Yield the lines of a page's code: indented, fenced, or between backticks."""
    text = without_tables(PAGES[page])
    yield from re.findall(r"^ {4}(\S.*)$", text, re.M)
    for block in re.findall(r"```[a-z]*\n(.*?)```", text, re.S):
        yield from block.splitlines()
    yield from re.findall(r"`([^`\n]+)`", text)


@pytest.mark.parametrize("page", PAGES)
def test_commands_are_those_of_the_parser(page):
    for line in lines_of_code(page):
        match = re.search(r"(?:^|\$MPIRUN -n \d+ )hpcgen ([a-z]+.*)$", line)
        if not match:
            continue
        words = shlex.split(match[1], comments=True)
        found = parser()
        while words and words[0] in (known := _subcommands(found)):
            found = known[words.pop(0)]
        assert found.prog != "hpcgen", line
        options = {text for action in found._actions for text in action.option_strings}
        for word in words:
            assert not word.startswith("--") or word.partition("=")[0] in options, line


def _subcommands(found):
    return generate.subcommands(found) if found._subparsers else {}


@pytest.mark.parametrize("page", PAGES)
def test_files_that_are_named_exist(page):
    bases = (ROOT, ROOT / "hpcgen", ROOT / "tests", ROOT / page)
    text = " ".join(lines_of_code(page))
    for name in set(re.findall(r"[\w./-]+\.(?:py|toml|sbatch|sh|cfg)\b", text)):
        if "/" in name and "NAME" not in name and "FILE" not in name:
            assert any((base / name).exists() for base in bases), name


@pytest.mark.parametrize("page", ["docs/architecture.md", "docs/contributing.md"])
def test_names_and_folders_exist(page):
    """Constants that are named, and folders of tests."""
    code = "".join(path.read_text() for path in (ROOT / "hpcgen").rglob("*.py"))
    for text in re.findall(r"`([^`\n]+)`", PAGES[page]):
        if re.fullmatch(r"[A-Z]+_[A-Z_]+|[A-Z]{5,}", text):
            assert re.search(rf"\b{text}\b", code), text
        folder = re.match(r"tests/[a-z]+", text)
        assert not folder or (ROOT / folder[0]).exists() or (ROOT / text).exists(), text


def collective():
    """Yield the public functions and classes whose docstring says that they are collective."""
    for path in sorted((ROOT / "hpcgen").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_"):
                words = " ".join((ast.get_docstring(node) or "").split()).lower()
                if "collective over" in words:
                    yield path.relative_to(ROOT).as_posix(), node.name


def test_the_table_of_collective_calls_is_whole():
    (table,) = re.findall(r"## What is collective\n(.*?)\n## ", PAGES["docs/architecture.md"], re.S)
    names = {word for code in re.findall(r"`([^`\n]+)`", table) for word in re.findall(r"\w+", code)}
    assert len(list(collective())) > 30
    for path, name in collective():
        assert name in names, f"{name} of {path}"


def test_the_map_of_rooms_is_whole():
    ignored = {"__init__.py", "__main__.py", "__pycache__"}
    rooms = {path.name for path in (ROOT / "hpcgen").iterdir()} - ignored
    for room in rooms:
        assert re.search(rf"^.*\b{re.escape(room)}", PAGES["docs/architecture.md"], re.M), room


EXAMPLES = sorted((ROOT / "docs" / "examples").glob("*.py"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_examples_import_from_hpcgen_what_it_exports(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module.startswith("hpcgen"):
            assert not {alias.name for alias in node.names} & set(hpcgen.__all__)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "hpcgen":
            assert node.attr in hpcgen.__all__


def test_all_that_hpcgen_exports_is_there():
    for name in hpcgen.__all__:
        assert getattr(hpcgen, name) is not None
    named = set(re.findall(r"`(\w+Options)`", (ROOT / "CHANGES.md").read_text()))
    assert {"SampleOptions", "EvaluateOptions", "PrepareOptions"} <= named <= set(hpcgen.__all__)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_examples_are_short(path):
    lines = [line for line in path.read_text().splitlines() if line.strip()]
    assert len(lines) < EXAMPLE_LINES
    assert f"]({path.relative_to(ROOT).as_posix()})" in PAGES["README.md"] or path.name == "flow.py"
