"""How the source is written: each rule is a row with what it catches, what it lets pass, and why it is there."""

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pytest

Finder = Callable[[ast.Module], Iterator[ast.AST]]

LONGEST_MODULE = 400
VAGUE_NAMES = {"utils", "helpers", "common", "manager", "data", "info"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One habit of the source: ``caught`` and ``passed`` are its own proof."""

    name: str
    because: str
    find: Finder
    caught: tuple[str, ...]
    passed: str
    allowed: tuple[str, ...] = ()
    """Modules and folders (with a slash) of the package to which it does not apply."""


def _attributes(*names: str) -> Finder:
    def find(tree: ast.Module) -> Iterator[ast.AST]:
        return (node for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr in names)

    return find


def _keywords(**unwanted: object) -> Finder:
    def find(tree: ast.Module) -> Iterator[ast.AST]:
        for node in ast.walk(tree):
            if not (isinstance(node, ast.keyword) and isinstance(node.value, ast.Constant)):
                continue
            if node.arg in unwanted and node.value.value is unwanted[node.arg]:
                yield node.value

    return find


def _called(node: ast.AST) -> str:
    """Give the last part of what is called: ``text`` for ``sqlalchemy.text(...)``."""
    if not isinstance(node, ast.Call):
        return ""
    if isinstance(node.func, ast.Attribute):
        return node.func.attr
    return node.func.id if isinstance(node.func, ast.Name) else ""


def _is_pieced_together(node: ast.AST) -> bool:
    """Say whether a text is made while running: f-string with values, ``+``, ``%`` or ``.format``."""
    if isinstance(node, ast.JoinedStr):
        return any(isinstance(part, ast.FormattedValue) for part in node.values)
    if isinstance(node, ast.BinOp):
        return isinstance(node.op, ast.Add | ast.Mod)
    return _called(node) == "format"


def _pieced_together_in(*functions: str) -> Finder:
    def find(tree: ast.Module) -> Iterator[ast.AST]:
        for node in ast.walk(tree):
            if _called(node) in functions:
                assert isinstance(node, ast.Call)
                yield from (argument for argument in node.args if _is_pieced_together(argument))

    return find


def _writes(tree: ast.Module) -> Iterator[ast.AST]:
    for node in ast.walk(tree):
        name = _called(node)
        if name in {"write_text", "write_bytes", "touch", "mkstemp", "NamedTemporaryFile"}:
            yield node
        elif name in {"open", "fdopen"}:
            assert isinstance(node, ast.Call)
            given = [*node.args, *(keyword.value for keyword in node.keywords if keyword.arg == "mode")]
            modes = [part.value for part in given if isinstance(part, ast.Constant) and isinstance(part.value, str)]
            flags = [part.attr for part in ast.walk(node) if isinstance(part, ast.Attribute)]
            if any(re.fullmatch(r"[rwaxbt+]*[wax+][rwaxbt+]*", mode) for mode in modes) or {
                "O_WRONLY",
                "O_RDWR",
                "O_CREAT",
            } & set(flags):
                yield node


def _environment(tree: ast.Module) -> Iterator[ast.AST]:
    names = {"environ", "environb", "getenv", "getenvb", "putenv", "unsetenv", "expandvars", "expanduser"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in names:
            yield node
        if isinstance(node, ast.ImportFrom) and node.module == "os" and names & {alias.name for alias in node.names}:
            yield node
    yield from (node for node in ast.walk(tree) if _called(node) == "home")


def _prints(tree: ast.Module) -> Iterator[ast.AST]:
    yield from (node for node in ast.walk(tree) if isinstance(node, ast.Call) and _called(node) in {"print", "echo"})
    yield from (node for node in _attributes("stdout", "stderr")(tree) if _is_of_sys(node))


def _is_of_sys(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "sys"


RULES = (
    Rule(
        name="no-private-property",
        because="which addresses are answered is an explicit list; these properties are another one",
        find=_attributes("is_private", "is_global", "is_reserved", "is_site_local"),
        caught=("ip_address(text).is_private", "if not address.is_global: pass"),
        passed="address in ip_network('10.0.0.0/8')",
    ),
    Rule(
        name="tls-is-verified",
        because="a client that verifies nothing proves nothing",
        find=_keywords(verify=False, check_hostname=False),
        caught=("httpx2.Client(verify=False)",),
        passed="httpx2.Client(verify=context)",
    ),
    Rule(
        name="no-shell",
        because="arguments are given one by one, so that no text becomes a command",
        find=_keywords(shell=True),
        caught=("subprocess.run(line, shell=True)",),
        passed="subprocess.run(['nginx', '-s', 'reload'])",
    ),
    Rule(
        name="sql-is-constant",
        because="values go into SQL as parameters",
        find=_pieced_together_in("text", "execute", "executemany", "executescript", "exec_driver_sql"),
        caught=(
            'connection.execute(sqlalchemy.text(f"select {name}"))',
            'cursor.execute("select " + name)',
            'cursor.execute("select %s" % name)',
            'cursor.execute("select {}".format(name))',
        ),
        passed='connection.execute(text("select :name"), {"name": name})',
    ),
    Rule(
        name="sentences-are-constant",
        because="a sentence made while running is in no catalogue; values are filled in after translation",
        find=_pieced_together_in("_", "N_", "gettext", "ngettext"),
        caught=('N_(f"connected to {server}")', '_("valid " + period)'),
        passed='fill(_("connected to {server}"), {"server": server})',
    ),
    Rule(
        name="one-door-files",
        because="a power cut must leave the old file or the new one, and private files are private from the first byte",
        find=_writes,
        caught=(
            "path.write_text(content)",
            "path.write_bytes(content)",
            "open(path, 'w')",
            "path.open(mode='ab')",
            "os.open(path, os.O_WRONLY | os.O_CREAT)",
        ),
        passed="path.open('rb'); open(path); os.open(path, os.O_RDONLY)",
        allowed=(
            "kit/files.py",
            "box/bundle.py",  # it opens parts of a zip file that is made in memory
            "service/store/engine.py",  # SQLite writes its own file; it is made private before SQLite sees it
        ),
    ),
    Rule(
        name="one-door-environment",
        because="a setting that is read in one place can be listed, checked and explained",
        find=_environment,
        caught=("os.environ['HOME']", "os.getenv('LANG')", "from os import environ", "Path.home()"),
        passed="read_settings('box', known, file)",
        allowed=("kit/settings.py",),
    ),
    Rule(
        name="one-door-printing",
        because="only the command line speaks to a terminal; everything else logs or answers",
        find=_prints,
        caught=("print('done')", "sys.stderr.write('done')", "click.echo('done')"),
        passed="log.info('done')",
        allowed=(
            "cli/",
            "kit/logs.py",  # the log's own stream is standard error
        ),
    ),
)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_rule_catches_what_it_is_for(rule: Rule) -> None:
    """No rule is blind, and none cries at the right way to do it."""
    assert all(list(rule.find(ast.parse(snippet))) for snippet in rule.caught)
    assert list(rule.find(ast.parse(rule.passed))) == []


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_the_source_keeps_the_rule(rule: Rule, modules: dict[Path, ast.Module], source: Path) -> None:
    """Every module of the package keeps it, the named exceptions apart."""
    broken = [
        f"{path.relative_to(source).as_posix()}:{getattr(node, 'lineno', 0)}"
        for path, tree in modules.items()
        for node in rule.find(tree)
        if not _is_allowed(path.relative_to(source).as_posix(), rule)
    ]

    assert broken == [], rule.because


def _is_allowed(module: str, rule: Rule) -> bool:
    return any(module == name or (name.endswith("/") and module.startswith(name)) for name in rule.allowed)


def _too_long(lines: dict[str, int]) -> list[str]:
    return [name for name, count in lines.items() if count > LONGEST_MODULE]


def _vague(paths: list[str]) -> list[str]:
    return [path for path in paths if VAGUE_NAMES & set(PurePosixPath(path).with_suffix("").parts)]


def test_no_module_is_two_things_with_one_name(modules: dict[Path, ast.Module]) -> None:
    """A module stays short enough to be read in one sitting."""
    lines = {path.as_posix(): len(path.read_text(encoding="utf-8").splitlines()) for path in modules}

    assert _too_long(lines) == []
    assert _too_long({"a.py": 400, "b.py": 401}) == ["b.py"]


def test_every_module_is_named_after_what_it_is(modules: dict[Path, ast.Module], source: Path) -> None:
    """A name that fits everything tells nothing."""
    assert _vague([path.relative_to(source).as_posix() for path in modules]) == []
    assert _vague(["kit/utils.py", "box/common/keys.py", "box/info.py", "kit/files.py"]) == [
        "kit/utils.py",
        "box/common/keys.py",
        "box/info.py",
    ]


def test_every_module_says_what_it_is_for(modules: dict[Path, ast.Module]) -> None:
    """The first lines of a file tell a newcomer whether it is the right one."""
    silent = [path.as_posix() for path, tree in modules.items() if tree.body and ast.get_docstring(tree) is None]

    assert silent == []


def test_every_outside_tool_a_test_asks_for_is_installed_by_make_test(root: Path) -> None:
    """Each tool("name") of the tests has its Debian package in tools/outside-tools.txt."""
    listed = (root / "tools" / "outside-tools.txt").read_text(encoding="utf-8")
    known = {line.split()[0] for line in listed.splitlines() if line and not line.startswith("#")}
    asked = {
        (argument.value, path.name)
        for path in (root / "tests").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_bytes()))
        if isinstance(node, ast.Call) and _called(node) == "tool"
        for argument in node.args
        if isinstance(argument, ast.Constant)
    }

    assert {(name, where) for name, where in asked if name not in known} == set()
