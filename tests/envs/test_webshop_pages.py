"""The pages, word for word, and what can be clicked on them."""

from html.parser import HTMLParser

import pytest

from turnwise_envs.webshop.pages import (
    MODES,
    done_page,
    format_page,
    item_page,
    results_page,
    search_page,
    sub_page,
)
from turnwise_envs.webshop.products import Product, Review

SHOE = Product(
    asin="B0ABCDEFGH",
    title='Shoe & "Sole" <9>',
    category="fashion",
    query="shoes",
    product_category="Shoes › Flats",
    price=9.5,
    price_tag="$9.5",
    description="Soft.",
    bullets=("One.", "Two."),
    attributes=("soft",),
    options={"size": ("5", "5.5"), "color": ("red",)},
    reviews=(Review("Nice", 5, "Fits."), Review("No", 1, "Too small.")),
    rating="3.0",
    image="https://example.org/shoe.jpg",
)
BARE = Product("B0ZZZZZZZZ", "Bare", "x", "y", "", 1.0, "$1.0", "", (), (), {})


def test_search_page():
    page = search_page("buy a shoe")
    assert format_page(page, "text") == "WebShop [SEP] Instruction: [SEP] buy a shoe [SEP] Search"
    assert format_page(page, "text_rich") == (
        "WebShop\nInstruction:\nbuy a shoe\n[button] Search [button_]\n"
    )
    assert page.clickables == []


def test_results_page():
    page = results_page("buy a shoe", [SHOE, BARE], 2, 22, {"B0ZZZZZZZZ"})
    assert format_page(page, "text") == (
        "Instruction: [SEP] buy a shoe [SEP] Back to Search [SEP] Page 2 (Total results: 22) [SEP] "
        '< Prev [SEP] Next > [SEP] B0ABCDEFGH [SEP] Shoe & "Sole" <9> [SEP] $9.5 [SEP] '
        "B0ZZZZZZZZ [SEP] Bare [SEP] $1.0"
    )
    assert format_page(page, "text_rich") == (
        "Instruction:\nbuy a shoe\n[button] Back to Search [button_]\nPage 2 (Total results: 22)\n"
        "[button] < Prev [button_]\n[button] Next > [button_]\n\n[button] B0ABCDEFGH [button_]\n"
        'Shoe & "Sole" <9>\n$9.5\n\n[clicked button] B0ZZZZZZZZ [clicked button_]\nBare\n$1.0\n'
    )
    assert page.clickables == ["back to search", "< prev", "next >", "b0abcdefgh", "b0zzzzzzzz"]


@pytest.mark.parametrize(
    ("number", "total", "buttons"),
    [(1, 0, []), (1, 10, []), (1, 11, ["next >"]), (2, 20, ["< prev"]), (5, 50, ["< prev"])],
)
def test_results_pages_have_the_buttons_they_need(number, total, buttons):
    page = results_page("", [], number, total, set())
    assert page.clickables == ["back to search", *buttons]


def test_item_page():
    page = item_page("buy a shoe", SHOE, {"size": "5"})
    assert format_page(page, "text") == (
        "Instruction: [SEP] buy a shoe [SEP] Back to Search [SEP] < Prev [SEP] size [SEP] 5 [SEP] "
        '5.5 [SEP] color [SEP] red [SEP] Shoe & "Sole" <9> [SEP] Price: $9.5 [SEP] Rating: 3.0 '
        "[SEP] Description [SEP] Features [SEP] Reviews [SEP] Buy Now"
    )
    assert format_page(page, "text_rich") == (
        "You have clicked 5.\nInstruction:\nbuy a shoe\n[button] Back to Search [button_]\n"
        "[button] < Prev [button_]\nsize\n  [clicked button] 5 [clicked button_]\n"
        "  [button] 5.5 [button_]\ncolor\n  [button] red [button_]\n"
        'Shoe & "Sole" <9>\nPrice: $9.5\nRating: 3.0\n[button] Description [button_]\n'
        "[button] Features [button_]\n[button] Reviews [button_]\n[button] Buy Now [button_]\n"
    )
    assert page.clickables == [
        "back to search", "< prev", "description", "features", "reviews", "buy now",
        "5", "5.5", "red",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("which", "full", "bare"),
    [
        ("Description", "Soft.", "No Description"),
        ("Features", "One. [SEP] Two.", "No Features"),
        (
            "Reviews",
            '"Nice" [SEP] 5 [SEP] Fits. [SEP] "No" [SEP] 1 [SEP] Too small.',
            "No reviews found",
        ),
    ],
)
def test_sub_pages(which, full, bare):
    head = "Instruction: [SEP] buy [SEP] Back to Search [SEP] < Prev [SEP] "
    assert format_page(sub_page("buy", SHOE, which), "text") == head + full
    assert format_page(sub_page("buy", BARE, which), "text") == head + bare


def test_receipt():
    page = done_page(SHOE, {"size": "5"}, 0.75)
    assert format_page(page, "text") == (
        "Thank you for shopping with us! [SEP] Your code: [SEP] None [SEP] (Paste it in your MTurk "
        "interface.) [SEP] Purchased [SEP] asin [SEP] B0ABCDEFGH [SEP] options [SEP] "
        '{"size": "5"} [SEP] attrs [SEP] None [SEP] category [SEP] None [SEP] query [SEP] None '
        "[SEP] product category [SEP] None [SEP] Target [SEP] asin [SEP] options [SEP] attrs [SEP] "
        "price upper [SEP] instuction text [SEP] category [SEP] product category [SEP] query [SEP] "
        "Goal [SEP] None [SEP] Reward [SEP] Your score (min 0.0, max 1.0) [SEP] 0.75 [SEP] "
        "Reward Details [SEP] None"
    )
    assert page.clickables == []


class Reader(HTMLParser):
    def __init__(self):
        super().__init__()
        self.texts, self.clickables, self.checked, self.inside = [], [], [], ""

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        self.inside = tag
        if tag == "input" and values["type"] == "radio":
            self.clickables.append(values["value"])
            if "checked" in values:
                self.checked.append(values["value"])

    def handle_data(self, data):
        if data.strip() and self.inside != "title":
            self.texts.append(data)
            if self.inside in ("button", "a"):
                self.clickables.append(data.lower())

    def handle_endtag(self, tag):
        self.inside = ""


@pytest.mark.parametrize(
    "page",
    [
        results_page("a < b & c", [SHOE, BARE], 2, 22, {"B0ZZZZZZZZ"}),
        item_page('say "x"', SHOE, {"size": "5"}),
        sub_page("buy", SHOE, "Reviews"),
        done_page(SHOE, {"size": "5"}, 0.75),
    ],
    ids=lambda page: page.name,
)
def test_html_says_what_text_says(page):
    reader = Reader()
    reader.feed(format_page(page, "html"))
    assert " [SEP] ".join(reader.texts) == format_page(page, "text")
    assert sorted(reader.clickables) == sorted(page.clickables)
    assert reader.checked == (["5"] if page.name == "item" else [])


def test_modes_are_listed():
    assert MODES == ("text", "text_rich", "html")
    assert 'id="search_input"' in format_page(search_page("buy"), "html")
