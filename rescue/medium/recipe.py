"""The recipe of the medium: the folder bootmedia/ of the checkout or of the package."""

from pathlib import Path

import rescue

_PACKAGE = Path(rescue.__file__).parent


def recipe_folder() -> Path:
    """Return the folder with the menu, the recipe of the rescue system and its overlay."""
    installed = _PACKAGE / "bootmedia"
    return installed if installed.is_dir() else _PACKAGE.parent / "bootmedia"
