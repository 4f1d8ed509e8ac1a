"""Task sets of a user's own data: instances over repositories, and programs of QuixBugs' layout."""

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from turnwise_envs.errors import DataError, UsageError
from turnwise_envs.sandbox import ContainerImage
from turnwise_envs.splits import STREAM, Task, TaskSet, content_id
from turnwise_envs.swe import quixbugs
from turnwise_envs.swe.assignments import Assignment
from turnwise_envs.swe.checkouts import Checkout, find_repository
from turnwise_envs.swe.images import image_of, repository_in
from turnwise_envs.swe.instances import Instance, parse_row, read_rows

_KEPT = 8
_SUFFIXES = (".jsonl", ".json")
_MARK = b"FAIL_TO_PASS"


def instance_files(path: Path) -> list[Path]:
    """Returns the files that have instances: the path itself, or those in the folder."""
    files = [path] if path.is_file() else sorted(path.glob("*"))
    return [f for f in files if f.suffix in _SUFFIXES and f.is_file() and _has_mark(f)]


def _has_mark(file: Path) -> bool:
    try:
        with file.open("rb") as lines:
            return any(_MARK in line for line in lines)
    except OSError as error:
        raise DataError(f"{file} must be readable: {error.strerror}.") from error


class LoadedTasks(TaskSet):
    """Tasks of one split of a user's data.

    A row that names its split is in that one alone; others are in every split.

    Args:
        split: name of the split.
        data_dir: file or folder of instances, or folder of QuixBugs' layout.
        checkouts: folder with repositories; those beside the data are found, too.
        containers: what the work is done in where that is containers: a repository that is in no
            folder is taken from the instance's image.

    Raises:
        DataError: If the data cannot be read, or have nothing in this split.
    """

    def __init__(
        self,
        split: str,
        data_dir: str,
        checkouts: str | None = None,
        containers: ContainerImage | None = None,
    ) -> None:
        super().__init__(split)
        self._path = Path(data_dir).expanduser()
        if not self._path.exists():
            raise DataError(f"data_dir must be a file or folder of tasks, {data_dir} is not there.")
        beside = self._path if self._path.is_dir() else self._path.parent
        self._folders = [Path(checkouts).expanduser()] if checkouts else []
        self._folders.append(beside)
        self._containers = containers
        self._programs: list[quixbugs.Program] = []
        self._instances: list[Instance] = []
        if self._path.is_dir() and quixbugs.is_layout(self._path):
            names, _ = quixbugs.survey(self._path)
            self._programs = [quixbugs.Program(self._path, name) for name in names]
        else:
            files = instance_files(self._path)
            rows = [parse_row(row, place) for file in files for place, row in read_rows(file)]
            self._instances = [row for row in rows if row.split in ("", split)]
        if not len(self):
            raise DataError(
                f"{self._path} must have tasks of the split {split!r}, it has none. See what it "
                f"has with: turnwise data check {self._path}"
            )
        self._checkout = lru_cache(maxsize=_KEPT)(self._open)

    def __len__(self) -> int:
        return len(self._programs) or len(self._instances)

    def task(self, index: int) -> Task:
        """Returns task `index`."""
        if self._programs:
            program = self._programs[index]
            return Task(program.id, self.split, index, "program", index, program.name)
        instance = self._instances[index]
        return Task(instance.id, self.split, index, "repository", index, instance.name)

    @property
    def data_version(self) -> str:
        """Digest of the tasks."""
        return content_id(list(self.ids))

    def repair(self, task: Task) -> Assignment:
        """Returns the task's content.

        Raises:
            DataError: If the instance's repository is not here, or does not fit it.
        """
        if self._programs:
            return self._programs[task.payload]
        return self._checkout(task.payload)

    def _open(self, index: int) -> Checkout:
        instance = self._instances[index]
        found = find_repository(instance, self._folders)
        if found is None and self._containers is not None and instance.image:
            image = image_of(instance, self._containers)
            # The one commit that is kept of it is the base.
            return Checkout(replace(instance, base_commit=""), repository_in(image))
        return Checkout(instance, found or repository_of(instance, self._folders))


def repository_of(instance: Instance, folders: Sequence[Path]) -> Path:
    """Returns the folder of an instance's repository.

    Raises:
        DataError: If there is none; says where one was looked for.
    """
    found = find_repository(instance, folders)
    if found is None:
        places = ", ".join(map(str, folders))
        raise DataError(
            f"{instance.name}: the repository {instance.repo} must be in {places}. Clone it there, "
            f"as {instance.repo} or {instance.repo.replace('/', '__')}, or pass checkouts=, the "
            'folder that has it; with backend="docker" it may be in the image that the row names.'
        )
    return found


def loaded_tasks(
    split: str,
    data_dir: str,
    checkouts: str | None = None,
    containers: ContainerImage | None = None,
) -> LoadedTasks:
    """Returns the tasks of a split of a user's data.

    Raises:
        DataError: As for `LoadedTasks`.
        UsageError: For the split "stream".
    """
    if split == STREAM:
        raise UsageError('split must be a finite one where data_dir is given, got "stream".')
    return LoadedTasks(split, data_dir, checkouts, containers)
