"""What to type to make of a file that is not read one that is."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from shlex import quote

from halfsmile.data.containers.archive import ARCHIVE_SUFFIXES

_ARRAYS = (
    'write the pictures into a folder for each label: `python -c "import cv2, {module}, pathlib; d = {load}; '
    "of = lambda c: c.argmax() if getattr(c, 'size', 1) > 1 else c.decode() if isinstance(c, bytes) else c; "
    "[(pathlib.Path('faces', {folder}str(of(c))).mkdir(parents=True, exist_ok=True), "
    "cv2.imwrite(f'faces/{path}{{of(c)}}/{{i}}.png', (x if x.ndim < 3 else x[..., ::-1]) * (255 if x.max() "
    '<= 1 else 1))) for {each}i, (x, c) in enumerate(zip(d[{x}], d[{y}]))]"` for pictures in RGB, and give '
    "faces"
)
_FLAT = {"folder": "", "path": "", "each": ""}
_PANDAS = (
    "It is not read as it is: `python -c \"import pandas; pandas.{read}('{{path}}').to_csv('labels.csv')\"` "
    "makes a table of it; give the path of that."
)
_CONVERT = {
    (
        ".xlsx",
        ".xlsm",
        ".xls",
        ".ods",
        ".numbers",
    ): "Spreadsheets are not read: save it as CSV, in its program or by "
    "`libreoffice --headless --convert-to csv '{path}'`, and give the path of that.",
    (".json",): "If Label Studio wrote it: `halfsmile data import PICTURES '{path}' --layout folder --out "
    "list.parquet`. Of other JSON make a table: `python -c \"import pandas; pandas.read_json('{path}')"
    ".to_csv('labels.csv')\"`, and give the path of that.",
    (".xml",): "If CVAT wrote it: `halfsmile data import PICTURES '{path}' --layout folder --out "
    "list.parquet`, and give the path of that.",
    (".pkl", ".pickle"): "Opening a pickle can run any program, so none is read; where you trust it: "
    "`python -c \"import pandas; pandas.read_pickle('{path}').to_csv('labels.csv')\"`, and give the path of "
    "that.",
    (".mat",): "MATLAB's files are not read: `writetable(struct2table(s), 'labels.csv')` in MATLAB writes a "
    "struct s as a table; `python -c \"import scipy.io; print(scipy.io.loadmat('{path}'))\"` shows what it "
    "holds.",
    (".arrow",): "Write Parquet from it: `python -c \"import datasets; datasets.load_from_disk('{folder}')"
    "['train'].to_parquet('train.parquet')\"`, and give the path of that.",
    (".tfrecord",): "TensorFlow's records are not read: write their pictures into a folder for each label. "
    'What a record holds is shown by `python -c "import tensorflow as tf; print(list(tf.train.Example'
    ".FromString(next(iter(tf.data.TFRecordDataset('{path}'))).numpy()).features.feature))\"`, the picture "
    "mostly as image/encoded, whose bytes are those of the file.",
    (".mdb",): "LMDB is not read: what its keys and values are, only the program that wrote it knows. With "
    'it, write the pictures into a folder for each label (`python -c "import lmdb; '
    "print(next(iter(lmdb.open('{folder}', readonly=True).begin().cursor()))[0])\"` shows the first key).",
    (".feather",): _PANDAS.format(read="read_feather"),
    (".sav",): _PANDAS.format(read="read_spss"),
    (".dta",): _PANDAS.format(read="read_stata"),
    (".rds",): "R's files are not read: `Rscript -e \"write.csv(readRDS('{path}'), 'labels.csv', "
    'row.names=FALSE)"` makes a table of it; give the path of that.',
    (".arff",): "Weka's files are not read: `python -c \"import pandas, scipy.io.arff; "
    "pandas.DataFrame(scipy.io.arff.loadarff('{path}')[0]).to_csv('labels.csv')\"` makes a table of it; give "
    "the path of that.",
    (".sqlite", ".sqlite3"): "Databases are not read: `sqlite3 '{path}' .tables` lists what it has, and "
    "`sqlite3 -header -csv '{path}' 'select * from TABLE' > labels.csv` makes a table of one; give the path "
    "of that.",
    (".pt", ".pth"): "Opening PyTorch's files can run any program, so none is read; where you trust it, see "
    "what it holds: `python -c \"import torch; print(torch.load('{path}', weights_only=True))\"`, and write "
    "its pictures into a folder for each label.",
    (".rar", ".7z"): "Unpack it, and give the folder.",
    (".gz", ".bz2", ".xz"): "Unpack it (`gunzip -k '{path}'` for .gz), and give the path of that.",
    (
        ".mp4",
        ".avi",
        ".mov",
        ".mkv",
        ".webm",
    ): "`halfsmile data prepare '{path}' --out STORE` takes its faces.",
}


def how_to_convert(path: Path) -> str:
    """What to type to make of a file that is not read one that is; nothing for other files.

    Example:
        >>> print(how_to_convert(Path("a/labels.rar")))
        Unpack it, and give the folder.
    """
    suffix = _suffix(path)
    if suffix in (".npz", ".npy"):
        return f"Arrays are not read: {_of_arrays(path)}."
    if suffix in (".h5", ".hdf5"):
        text = _ARRAYS.format(module="h5py", load=f"h5py.File('{path}')", x="'X'", y="'y'", **_FLAT)
        return f"HDF5 is not read: {text}, where X holds pictures and y labels."
    for suffixes, text in _CONVERT.items():
        if suffix in suffixes:
            return text.format(path=path, folder=path.parent)
    return ""


def _suffix(path: Path) -> str:
    """The suffix that tells the kind; TensorFlow's records may have their number behind it."""
    return ".tfrecord" if ".tfrecord" in path.name.lower() else path.suffix.lower()


def how_to_unpack(path: Path) -> str:
    """What to type to unpack an archive into a folder of its name, on any system.

    Example:
        >>> print(how_to_unpack(Path("a/train.tar.gz")))
        `python -m tarfile -e a/train.tar.gz a/train`
    """
    module = "zipfile" if path.suffix.lower() == ".zip" else "tarfile"
    ending = next((end for end in ARCHIVE_SUFFIXES if path.name.lower().endswith(end)), path.suffix)
    folder = path.with_name(path.name[: -len(ending)] if ending else path.name)
    return f"`python -m {module} -e {quote(str(path))} {quote(str(folder))}`"


def labels_in_order(root: Path, name: str, images: Sequence[str]) -> str:
    """What to type where an array may hold the labels of the pictures that it lies beside.

    Args:
        root: A folder.
        name: The file below it.
        images: The pictures below it.
    """
    suffix = PurePosixPath(images[0]).suffix
    return (
        f"If {name} holds only labels, in the order of the pictures' names: `python -c \"import numpy, "
        f"pathlib; print('image,label'); [print(p.relative_to('{root}'), c.argmax() if c.size > 1 else c, "
        f"sep=',') for p, c in zip(sorted(pathlib.Path('{root}').rglob('*{suffix}')), "
        f"numpy.load('{root / name}'), strict=True)]\" > labels.csv`, and put it into {root}. If it "
        "holds the pictures, too: "
    )


def table_of_files(root: Path, suffix: str) -> str:
    """What to type to write a table of a text or JSON file beside each picture."""
    said = "json.loads(p.read_text())['label']" if suffix == ".json" else "p.read_text().split()[0]"
    place = f"the folder that {root} was unpacked to" if root.is_file() else str(root)
    return (
        'These are not read; this writes a table of them, if each holds its label: `python -c "import json, '
        f"pathlib; print('image,label'); [print(p.stem, {said}, sep=',') for p in "
        f"sorted(pathlib.Path('{place}').rglob('*{suffix}'))]\" > labels.csv`. Put it beside the pictures, "
        "and give its path."
    )


def _of_arrays(path: Path) -> str:
    """What to type for NumPy's files: by the names of an archive's arrays, or of files side by side."""
    if path.suffix.lower() == ".npy":
        beside = sorted(other.name for other in path.parent.glob("*.npy"))
        names = {name: f"numpy.load('{path.parent / name}')" for name in beside}
        x = next((name for name in beside if name.lower().startswith(("x", "im", "fac", "dat"))), path.name)
        y = next((name for name in beside if name.lower().startswith(("y", "lab", "emo", "tar"))), "y.npy")
        for name in (x, y):
            names.setdefault(name, f"numpy.load('{path.parent / name}')")
        load = f"{{'x': {names[x]}, 'y': {names[y]}}}"
        return _ARRAYS.format(module="numpy", load=load, x="'x'", y="'y'", **_FLAT)
    load = f"numpy.load('{path}')"
    names_in = _names_in(path)
    if {"x_train", "y_train", "x_test", "y_test"} <= {name.casefold() for name in names_in}:
        x, y = (next(n for n in names_in if n.casefold() == f"{part}_train")[0] for part in "xy")
        return _ARRAYS.format(
            module="numpy", load=load, x=f"f'{x}_{{s}}'", y=f"f'{y}_{{s}}'", folder="s, ", path="{s}/",
            each="s in ('train', 'test') for ",
        )  # fmt: skip
    x, y = names_in if len(names_in) == 2 else ("X", "y")
    text = _ARRAYS.format(module="numpy", load=load, x=f"'{x}'", y=f"'{y}'", **_FLAT)
    return text + f", where {x} holds pictures and {y} labels (it holds {', '.join(names_in) or 'nothing'})"


def _names_in(path: Path) -> list[str]:
    """The arrays of an ``.npz`` file, which is a zip archive."""
    try:
        with zipfile.ZipFile(path) as archive:
            return [name.removesuffix(".npy") for name in archive.namelist()]
    except (OSError, zipfile.BadZipFile):
        return []
