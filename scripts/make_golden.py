"""Writes the golden transcript of every registered id, or of those named on the command line."""

import sys
from pathlib import Path

import turnwise_envs
from turnwise_envs.transcripts import golden_text

FOLDER = Path(__file__).resolve().parent.parent / "tests" / "golden"


def main() -> None:
    for env_id in sys.argv[1:] or turnwise_envs.env_ids():
        path = FOLDER / (env_id.replace("/", "_") + ".txt")
        path.write_text(golden_text(env_id), encoding="utf-8")
        print(path.name)


if __name__ == "__main__":
    main()
