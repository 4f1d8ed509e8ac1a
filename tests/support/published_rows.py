"""Rows in the published forms of the multi-hop data sets, invented and small."""

import json
from pathlib import Path

HOTPOT = {
    "_id": "h1",
    "question": "Who taught the author of Salt Fox?",
    "answer": "Mina Rook",
    "type": "bridge",
    "level": "hard",
    "supporting_facts": [["Salt Fox", 0], ["Ida Vale", 1]],
    "context": [
        ["Salt Fox", ["Salt Fox is a novel by Ida Vale.", " It appeared in 1901."]],
        ["Ida Vale", ["Ida Vale was a writer.", " She was taught by Mina Rook."]],
        ["Salt Street", ["Salt Street is a street in Tarn."]],
    ],
}
"""As in `hotpot_train_v1.1.json`."""

HOTPOT_COLUMNS = {
    **HOTPOT,
    "supporting_facts": {"title": ["Salt Fox", "Ida Vale"], "sent_id": [0, 1]},
    "context": {
        "title": [title for title, _ in HOTPOT["context"]],
        "sentences": [sentences for _, sentences in HOTPOT["context"]],
    },
}
"""The same row as the Hugging Face hub has it."""

TWO_WIKI = {
    **{key: value for key, value in HOTPOT.items() if key != "level"},
    "_id": "w1",
    "type": "compositional",
    "question": "Who was the teacher of Salt Fox's author?",
    "evidences": [["Salt Fox", "author", "Ida Vale"], ["Ida Vale", "teacher", "Mina Rook"]],
}
"""As in 2WikiMultihopQA's `train.json`."""

MUSIQUE = {
    "id": "2hop__17_4",
    "question": "When was the home town of Ida Vale founded?",
    "answer": "1310",
    "answer_aliases": ["the year 1310"],
    "answerable": True,
    "paragraphs": [
        {"idx": 0, "title": "Tarn", "paragraph_text": "Tarn was founded in 1310.",
         "is_supporting": True},
        {"idx": 1, "title": "Tarn Prize", "paragraph_text": "A prize.", "is_supporting": False},
        {"idx": 2, "title": "Ida Vale", "paragraph_text": "Ida Vale came from Tarn.",
         "is_supporting": True},
    ],
    "question_decomposition": [
        {"question": "Ida Vale >> home town", "answer": "Tarn", "paragraph_support_idx": 2},
        {"question": "When was #1 founded?", "answer": "1310", "paragraph_support_idx": 0},
    ],
}  # fmt: skip
"""As in `musique_ans_v1.0_train.jsonl`."""

PLAIN = {
    "id": 7,
    "question": "What colour is the fox?",
    "golden_answers": ["white", "salt-white"],
    "paragraphs": [{"title": "Fox", "text": "The fox is white."}],
    "supporting_titles": ["Fox"],
}


def write_lines(path: Path, *rows: object) -> Path:
    """Writes rows as JSON Lines; a text is written as it is."""
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
