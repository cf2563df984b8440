"""Templates: the texts that come with rescue (units, scripts, pages), read by their file name."""

from importlib.resources import files


def template(name: str) -> str:
    """Return the text of that file of the package's folder `templates`."""
    return files("rescue").joinpath("templates", name).read_text(encoding="utf-8")
