"""WebShop's own files: which there are, and what one raw entry says.

items_shuffle*.json       a list of products; or *.jsonl, a product (or {"product": ...}) a line
items_ins*.json           {asin: {"attributes", "instruction", "instruction_attributes"}}
items_human_ins*.json     {asin: [{"instruction", "instruction_attributes", ...}, ...]}
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from turnwise_envs.errors import DataError
from turnwise_envs.webshop.products import NO_PRICE, Product, Review, price_tag, settle_price

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Files:
    """The files of a data set.

    Attributes:
        products: the product file.
        instructions: attributes and machine-made instructions, None where there is no such file.
        human: people's instructions, None where there is no such file.
    """

    products: Path
    instructions: Path | None
    human: Path | None


def is_product_file(path: Path) -> bool:
    """Returns whether a file's name (and first line, for .jsonl) is that of a product file."""
    if path.suffix == ".json":
        return path.name.startswith("items_shuffle")
    if path.suffix != ".jsonl":
        return False
    try:
        with open(path, encoding="utf-8-sig") as file:
            first = json.loads(file.readline(_CHUNK))
    except (OSError, ValueError):
        return False
    return isinstance(first, dict) and ("asin" in first or "product" in first)


def find_files(path: Path) -> Files:
    """Returns the files of a data set.

    Args:
        path: the product file, or a folder that holds exactly one.

    Raises:
        DataError: If there is none, or several to choose from.
    """
    if path.is_dir():
        candidates = sorted(file for file in path.iterdir() if is_product_file(file))
        if len(candidates) != 1:
            names = ", ".join(file.name for file in candidates) or "none"
            raise DataError(
                f"{path} must hold one product file (items_shuffle*.json or *.jsonl), got {names}. "
                "Pass the path of the file itself."
            )
        products = candidates[0]
    else:
        products = path
    folder = products.parent
    return Files(
        products,
        _companion(folder, "items_ins*.json", products),
        _companion(folder, "items_human_ins*.json", products),
    )


def _companion(folder: Path, pattern: str, products: Path) -> Path | None:
    """Returns the file of this pattern, of several the one with the product file's number."""
    found = sorted(folder.glob(pattern))
    if len(found) <= 1:
        return found[0] if found else None
    numbers = {file: _number(file) for file in found}
    chosen = [file for file in found if numbers[file] == _number(products)]
    if len(chosen) != 1:
        names = ", ".join(file.name for file in found)
        raise DataError(f"{folder} must hold one {pattern} for {products.name}, got {names}.")
    return chosen[0]


def _number(path: Path) -> str:
    """Returns the 1000 of items_shuffle_1000.json, "" where a name has no such number."""
    found = re.search(r"_(\d+)\.", path.name)
    return found[1] if found else ""


# -------------------------------------------------------------------- reading


def _no_text(path: Path, error: UnicodeDecodeError) -> DataError:
    return DataError(f"{path} must be UTF-8 text, got {error}. Convert it with iconv.")


def read_json(path: Path) -> Any:
    """Returns the content of a JSON file.

    Raises:
        DataError: If it is no UTF-8 or no JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path} must be UTF-8 text, got {error}. Convert it with iconv."
        ) from error
    except ValueError as error:
        raise DataError(f"{path} must be JSON, got {error}. Download it again.") from error


def raw_products(path: Path) -> Iterator[tuple[str, Any]]:
    """Yields (place, entry) of a product file without reading it whole.

    Raises:
        DataError: If it is no UTF-8, or no JSON of the expected form.
    """
    try:
        with open(path, encoding="utf-8-sig") as file:
            if path.suffix == ".jsonl":
                for number, line in enumerate(file, start=1):
                    if line.strip():
                        raw = json.loads(line)
                        inner = raw.get("product", raw) if isinstance(raw, dict) else raw
                        yield f"line {number}", inner
            else:
                yield from _array(file, path)
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path} must be UTF-8 text, got {error}. Convert it with iconv."
        ) from error
    except ValueError as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{path} must be JSON, got {error}. Download it again.") from error


def _array(file: Any, path: Path) -> Iterator[tuple[str, Any]]:
    decoder = json.JSONDecoder()
    text = file.read(_CHUNK).lstrip()
    if not text.startswith("["):
        raise DataError(f"{path} must be a JSON list of products, got {text[:20]!r}.")
    text, count = text[1:], 0
    while True:
        text = text.lstrip(" \t\r\n,")
        if text.startswith("]"):
            return
        try:
            entry, end = decoder.raw_decode(text)
        except ValueError as error:
            more = file.read(max(_CHUNK, len(text)))  # doubling keeps long entries linear
            if not more:
                raise DataError(
                    f"{path} must be JSON, its end or entry {count} is broken ({error}). "
                    "Download it again."
                ) from error
            text += more
            continue
        yield f"entry {count}", entry
        count += 1
        text = text[end:]


# -------------------------------------------------------------------- one product


def make_product(raw: Any, known: Any) -> Product:
    """Returns the product that a raw entry describes, as the original's engine prepares it.

    Args:
        raw: an entry of the product file.
        known: the entry of the same id in `items_ins*.json`, or None.

    Raises:
        DataError: If something that a product needs is missing; the message says what.
    """
    if not isinstance(raw, dict):
        raise DataError(f"must be an object, got {type(raw).__name__}")
    missing = [name for name in ("asin", "name", "category", "query") if not _text(raw.get(name))]
    if missing:
        raise DataError(f"must have {', '.join(missing)}")
    asin = _text(raw["asin"]).upper()
    if asin == "NAN" or len(asin) > 10 or not asin.isascii():
        raise DataError(f"asin must be an id of at most 10 letters and digits, got {asin!r}")
    pricing = _pricing(raw.get("pricing"))
    attributes = _list(raw.get("Attributes"))
    if isinstance(known, dict):
        attributes = _list(known.get("attributes"))
    images = _list(raw.get("images"))
    return Product(
        asin=asin,
        title=_text(raw["name"]),
        category=_text(raw["category"]),
        query=_text(raw["query"]).lower(),
        product_category=_text(raw.get("product_category")),
        price=settle_price(asin, pricing),
        price_tag=price_tag(pricing or [NO_PRICE]),
        description=_text(raw.get("full_description")),
        bullets=tuple(_list(raw.get("small_description"))),
        attributes=tuple(attributes),
        options=_options(raw),
        reviews=_reviews(raw.get("Reviews")),
        rating=_text(raw.get("Rating")) or "N.A.",
        image=images[0] if images else "",
    )


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value.strip()
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else ""


def _list(value: Any) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [text for text in map(_text, values) if text]


def _pricing(value: Any) -> list[float]:
    """Returns no price, one, or the two ends of a range, from "$9.99 - $12.50" or numbers."""
    if isinstance(value, list):
        numbers = [float(price) for price in value if isinstance(price, int | float)]
        return [price for price in numbers if 0 <= price < math.inf][:2]
    texts = _text(value).split("$")[1:]
    digits = [re.sub(r"[^\d.]", "", text) for text in texts]
    return [float(d) for d in digits if re.fullmatch(r"\d+(\.\d*)?|\.\d+", d)][:2]


def _options(raw: dict[str, Any]) -> dict[str, tuple[str, ...]]:
    source = raw.get("options") or raw.get("customization_options")
    if not isinstance(source, dict):
        return {}
    options = {}
    for name, contents in source.items():
        entries = contents if isinstance(contents, list) else []
        values = [_text(e.get("value") if isinstance(e, dict) else e) for e in entries]
        spelt = [" | ".join(v.replace("\n", " ").split("/")).lower() for v in values if v]
        if spelt:
            options[name.lower()] = tuple(dict.fromkeys(spelt))
    return options


def _reviews(value: Any) -> tuple[Review, ...]:
    entries = value if isinstance(value, list) else []
    reviews = []
    for entry in entries:
        if isinstance(entry, dict):
            score = str(entry.get("score", entry.get("stars", 0)))
            stars = int(float(score)) if re.fullmatch(r"[0-5](\.\d+)?", score) else 0
            body = _text(entry.get("body") or entry.get("review"))
            reviews.append(Review(_text(entry.get("title")), stars, body))
    return tuple(reviews)
