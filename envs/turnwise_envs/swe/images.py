"""Repositories that lie in container images, as those of published instances do."""

import os
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

from turnwise_envs.cache import cache_folder
from turnwise_envs.core import digest
from turnwise_envs.errors import DataError
from turnwise_envs.sandbox import ContainerImage
from turnwise_envs.swe.instances import Instance
from turnwise_envs.swe.repositories import commit_folder


def image_of(instance: Instance, containers: ContainerImage) -> ContainerImage:
    """Returns the image of an instance, used as the given one is; the given one if it has none."""
    return replace(containers, name=instance.image) if instance.image else containers


def repository_in(image: ContainerImage) -> Path:
    """Returns a git repository with one commit: the work folder of an image as it is there.

    What the image's maker built there (compiled modules, files of versions) is part of it, its
    history is not. It is kept in the cache folder until the image changes.

    Raises:
        DataError: If the folder is empty, or cannot be kept.
        EnvironmentFault: If there is no engine, no such image, or no such folder in it.
    """
    kept = cache_folder() / "swe" / digest(f"{image.id}\0{image.work}")
    if kept.is_dir():
        return kept
    files = image.read_folder(image.work)
    if not files:
        raise DataError(
            f"The folder {image.work} of the image {image.name} must have a repository, it has no "
            "files. Name the right one: image=ContainerImage(work=...)."
        )
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=kept.parent) as folder:
            partial = Path(folder, "repository")
            for path, content in files.items():
                if ".git" not in path.split("/"):
                    target = partial / path
                    target.parent.mkdir(parents=True, exist_ok=True)
                    target.write_bytes(content)
            commit_folder(partial, image.name)
            _move(partial, kept)
    except OSError as error:
        raise DataError(
            f"The repository in {image.name} must be kept in {kept.parent}: {error}."
        ) from error
    return kept


def _move(partial: Path, kept: Path) -> None:
    try:
        os.rename(partial, kept)
    except OSError:
        if not kept.is_dir():  # else another process was first
            raise
        shutil.rmtree(partial)
