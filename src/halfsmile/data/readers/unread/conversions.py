"""What to type to make of a file that is not read one that is."""

from __future__ import annotations

from pathlib import Path

_ARRAYS = (
    "write the pictures into a folder for each label, where X holds pictures and y labels: "
    "`python -c \"import cv2, {module}, pathlib; X, y = {load}; [(pathlib.Path('faces', str(c)).mkdir("
    "parents=True, exist_ok=True), cv2.imwrite(f'faces/{{c}}/{{i}}.png', x)) for i, (x, c) in "
    'enumerate(zip(X, y))]"`'
)
_CONVERT = {
    (".xlsx", ".xls", ".ods", ".numbers"): "Spreadsheets are not read: save it as CSV, in its program or by "
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
    (".npz", ".npy"): "Arrays are not read: "
    + _ARRAYS.replace("{module}", "numpy").replace("{load}", "{numpy}")
    + ", and give faces.",
    (".h5", ".hdf5"): "HDF5 is not read: "
    + _ARRAYS.replace("{module}", "h5py").replace("{load}", "h5py.File('{path}').values()")
    + ", and give faces.",
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
    suffix = path.suffix.lower()
    arrays = f"numpy.load('{path}').values()"
    if suffix == ".npy":
        arrays = f"numpy.load('{path}'), numpy.load('y.npy')"
    for suffixes, text in _CONVERT.items():
        if suffix in suffixes:
            return text.format(path=path, folder=path.parent, numpy=arrays)
    return ""
