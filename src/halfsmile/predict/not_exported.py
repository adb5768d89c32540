"""What to say of a folder that was given as a model and holds no exported one."""

from __future__ import annotations

from pathlib import Path

from halfsmile.runs.stages import CLASSIFYING


def run_of(path: Path) -> Path | None:
    """The run folder that a folder is, or that it or a file lies in at most two levels deep."""
    return next((folder for folder in [path, *path.parents][:3] if (folder / "recipe.json").is_file()), None)


def not_exported(folder: Path, file: Path, wanted: str = "a run") -> str:
    """What a folder is, and how to get a model.

    Args:
        folder: Without an exported model.
        file: What an exported run has, from its folder.
        wanted: What kind of run.
    """
    run = run_of(folder)
    if run is not None:
        way = f"halfsmile export {run}"
        way += f" --stage {folder.name}" if folder != run and folder.name in CLASSIFYING else ""
        return f"{folder} holds no exported model (no {file}): `{way}` makes one."
    return (
        f"{folder} holds no exported model (no {file}){_what(folder)}. Give an ONNX file, or the folder of "
        f"{wanted} (`halfsmile train`) after `halfsmile export RUN`."
    )


def _what(folder: Path) -> str:
    """What a folder holds instead, as far as its kind is known."""
    from halfsmile.data.readers.recognition.layout import LAYOUTS
    from halfsmile.data.readers.recognition.recognize import recognize

    try:
        found = recognize(folder)
    except (ValueError, OSError):  # nothing that faces are read from
        return " and is no run folder (no recipe.json)"
    return f", but {'' if found.is_certain else 'it seems '}{LAYOUTS[found.name]}"
