"""Container images that tests make of the base image, without a build or a registry."""

import io
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from turnwise_envs.sandbox.engine import BASE_IMAGE, engine


@contextmanager
def image_with(name: str, contents: dict[str, Path | str]) -> Iterator[str]:
    """Yields an image with files and folders on top of the base image; removes it at the end.

    Args:
        name: the image's, with its version.
        contents: absolute path inside -> what is copied there, or the text of a program.
    """
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for target, source in contents.items():
            if isinstance(source, Path):
                tar.add(source, target)
                continue
            info = tarfile.TarInfo(target)
            info.mode, info.size = 0o755, len(source.encode())
            tar.addfile(info, io.BytesIO(source.encode()))
    client = engine().client
    made = client.create_container(BASE_IMAGE, ["true"])["Id"]
    try:
        client.put_archive(made, "/", archive.getvalue())
        client.commit(made, *name.split(":"))
    finally:
        client.remove_container(made)
    try:
        yield name
    finally:
        engine().client.remove_image(name, force=True)
