"""Nothing of a dataset, a plan or a checkpoint runs code or writes outside results.

The first part reads the code itself, so that nobody brings back a door that was shut.
"""

import ast
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from models import PLAIN, bring_in, send_out
from slicewise import config
from slicewise.case_names import name_problems
from slicewise.files import read_json, write_json
from slicewise.nnunet_checkpoints import read_torch
from slicewise.sources import PACKAGE
from slicewise.user_plans import read_user_plan

GOLDEN = Path(__file__).parent / "golden"
SCRIPTS = PACKAGE.parent
FILES = sorted(SCRIPTS.rglob("*.py"))

RUNS_CODE = {
    *("eval", "exec", "compile", "__import__", "os.system", "os.popen", "runpy.run_path"),
    *("importlib.import_module", "import_module", "builtins.eval", "builtins.exec"),
}
"""Calls that run what a text says, or load code by its name."""

UNPICKLES = {
    *("pickle.load", "pickle.loads", "pickle.Unpickler", "marshal.load", "marshal.loads"),
    *("shelve.open", "pandas.read_pickle", "pd.read_pickle", "joblib.load", "dill.load"),
}
"""Calls that run code of a file's while they read it."""

YAML_READERS = {"yaml.load", "yaml.load_all", "yaml.compose"}
UNSAFE_YAML = {"yaml.unsafe_load", "yaml.full_load", "yaml.load_all", "yaml.UnsafeLoader"}
SAFE_LOADERS = {"schemas.LOADER", "LOADER"}


def calls(path: Path) -> Iterator[tuple[ast.Call, str]]:
    """Yield every call in a file, with the name of what is called as it is written."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            yield node, ast.unparse(node.func)


def keyword(call: ast.Call, name: str) -> str:
    """Return the text of a keyword argument of a call, or nothing."""
    return next((ast.unparse(k.value) for k in call.keywords if k.arg == name), "")


def doors(path: Path) -> list[str]:
    """Return the calls in a file through which a user's file could run code."""
    found = []
    for call, name in calls(path):
        loads = name.rsplit(".", 1)[-1] == "load" and name.split(".")[0] in ("np", "numpy")
        memory_map = name in ("np.lib.format.read_array", "np.lib.format.open_memmap")
        shut = {
            "runs code": name not in RUNS_CODE | UNPICKLES | UNSAFE_YAML,
            "opens a shell": keyword(call, "shell") in ("", "False"),
            "may unpickle an array": not loads or keyword(call, "allow_pickle") == "False",
            "maps an array": not memory_map,
            "may unpickle": name != "torch.load" or keyword(call, "weights_only") == "True",
            "reads any YAML": name not in YAML_READERS
            or {ast.unparse(argument) for argument in call.args[1:]} & SAFE_LOADERS,
        }
        found += [f"line {call.lineno}: {name} {fault}" for fault, safe in shut.items() if not safe]
    return found


@pytest.mark.parametrize("path", FILES, ids=[str(path.relative_to(SCRIPTS)) for path in FILES])
def test_no_call_in_the_code_runs_what_a_file_says(path):
    assert doors(path) == []


HARMLESS = {"pickle.UnpicklingError", "importlib.metadata", "importlib.util.find_spec"}


@pytest.mark.parametrize("path", FILES, ids=[str(path.relative_to(SCRIPTS)) for path in FILES])
def test_no_module_that_runs_code_is_imported(path):
    """But for what says which packages there are, and pickle's exception, which torch raises."""
    imported = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom) and node.module:
            imported |= {f"{node.module}.{alias.name}" for alias in node.names}
    top = {name.split(".")[0] for name in imported - HARMLESS}
    assert not top & {"pickle", "marshal", "shelve", "dill", "joblib", "importlib", "runpy"}


@pytest.mark.parametrize(
    "line",
    [
        "eval(text)",
        "pickle.load(file)",
        "np.load(path)",
        "np.load(path, allow_pickle=True)",
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "yaml.load(text, yaml.Loader)",
        "yaml.unsafe_load(text)",
        "subprocess.run(command, shell=True)",
        "os.system(command)",
        "import_module(name)",
    ],
)
def test_an_open_door_would_be_seen(tmp_path, line):
    path = tmp_path / "script.py"
    path.write_text(line)
    assert len(doors(path)) == 1


def test_rules_call_no_shell(root):
    """Names of cases and paths of a config never become words of a shell: rules have scripts."""
    for path in [root / "Snakefile", *(root / "workflow/rules").glob("*.smk")]:
        text = path.read_text(encoding="utf-8")
        assert "shell:" not in text
        assert "shell(" not in text
        assert "run:" not in text


def test_a_class_that_a_plan_names_is_never_imported(tmp_path, monkeypatch):
    (tmp_path / "hostile.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    monkeypatch.syspath_prepend(tmp_path)
    content = read_json(GOLDEN / "thick_z/plans.json")
    plan = content["configurations"]["2d"]
    plan["architecture"]["network_class_name"] = "hostile.PlainConvUNet"
    plan["architecture"]["arch_kwargs"]["conv_op"] = "hostile.Conv2d"
    plan["preprocessor_name"] = "hostile.Preprocessor"
    write_json(tmp_path / "plans.json", content)
    with pytest.raises(ValueError, match=r"(?s)hostile\.Conv2d.*hostile\.PlainConvUNet"):
        read_user_plan(tmp_path / "plans.json", 1, reorient=False)
    assert "hostile" not in sys.modules
    assert not (tmp_path / "ran").exists()


def test_a_checkpoint_with_code_is_refused_and_the_code_not_run(tmp_path):
    with pytest.raises(ValueError, match="found code to run"):
        read_torch(save_with_code(tmp_path))
    assert not (tmp_path / "ran").exists()


def save_with_code(folder: Path) -> Path:
    """Write a checkpoint that makes the file `ran` where its code is run."""

    class Code:
        def __reduce__(self):
            return Path.touch, (folder / "ran",)

    torch.save({"network": Code()}, folder / "checkpoint_final.pt")
    return folder / "checkpoint_final.pt"


def test_the_code_of_that_checkpoint_would_run_elsewhere(tmp_path):
    torch.load(save_with_code(tmp_path), weights_only=False)
    assert (tmp_path / "ran").exists()


def test_a_compressed_checkpoint_is_refused_before_it_fills_the_memory(tmp_path):
    path = tmp_path / "bomb.pt"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", bytes(10**7))
    with pytest.raises(ValueError, match="found a compressed archive of 10,000,000 bytes"):
        read_torch(path)


@pytest.mark.parametrize("change", ["plans_name", "trainer"])
def test_a_model_is_not_written_outside_its_folder(tmp_path, change):
    """Its folder is named for its trainer and its plans, which another may have written."""
    folder = bring_in(PLAIN, tmp_path / "run")
    if change == "trainer":
        saved = torch.load(folder / "checkpoint_final.pt", weights_only=True)
        torch.save(saved | {"trainer": "../../../up"}, folder / "checkpoint_final.pt")
    else:
        plans = read_json(folder / "plans.json")
        write_json(folder / "plans.json", plans | {"plans_name": "../../../../up"})
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ValueError, match="expected letters, digits"):
        send_out(folder)
    assert sorted(tmp_path.rglob("*")) == before


def test_yaml_of_a_config_runs_no_code(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(f'a: !!python/object/apply:os.system ["touch {tmp_path}/ran"]\na: 1\n')
    with pytest.raises(ValueError, match="a: found twice"):
        config.load({"datasets": {"mine": {"phantom": {}}}}, [path])
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("name", ["../up", "a/b", "/root", "$(touch ran)", "a;b", "-rf", "a\nb"])
def test_a_case_name_is_neither_a_path_nor_a_word_of_a_shell(name):
    (problem,) = name_problems("dataset.json", [name])
    assert "the case name" in problem.found
