"""The words of generated catalogues: product types, attributes, options."""

from __future__ import annotations

from dataclasses import dataclass

COLORS = (
    "black", "white", "blue", "navy blue", "light blue", "red", "wine red", "green", "army green",
    "dark green", "grey", "dark grey", "light grey", "pink", "hot pink", "purple", "yellow",
    "orange", "brown", "dark brown", "beige", "khaki", "gold", "rose gold", "silver", "teal",
    "turquoise", "ivory", "charcoal", "burgundy",
)  # fmt: skip
"""Some contain others: "blue" is not "navy blue", "gold" is not "rose gold"."""

CLOTHES = ("x-small", "small", "medium", "large", "x-large", "xx-large", "3x-large", "4x-large")
SHOES = (
    "5", "5.5", "6", "6.5", "7", "7.5", "8", "8.5", "9", "9.5", "10", "10.5", "10-10.5", "11",
    "11-11.5", "12",
)  # fmt: skip
BOTTLES = (
    "1 fl oz", "2 fl oz", "4 fl oz", "6.7 fl oz", "8 fl oz", "12 fl oz", "16 fl oz", "32 fl oz",
)  # fmt: skip
PACKS = (
    "pack of 1", "pack of 2", "pack of 3", "pack of 4", "pack of 6", "pack of 10", "pack of 12",
)  # fmt: skip
BAGS = ("3 ounce", "6 ounce", "8 ounce", "10 ounce", "12 ounce", "1 pound", "2 pound", "5 pound")
SCENTS = (
    "lavender", "rose", "vanilla", "coconut", "citrus", "green tea", "eucalyptus", "peppermint",
    "sandalwood", "jasmine", "cherry blossom", "unscented",
)  # fmt: skip
SHADES = (
    "nude", "coral", "berry", "deep berry", "plum", "classic red", "ruby red", "peach", "mauve",
    "rosewood", "soft pink", "cocoa",
)  # fmt: skip
FLAVORS = (
    "original", "honey", "honey mustard", "sea salt", "salt and vinegar", "chocolate",
    "dark chocolate", "peanut butter", "vanilla", "cinnamon", "maple", "spicy", "blueberry",
    "lemon", "smoky barbecue", "apple cinnamon",
)  # fmt: skip
FURNITURE = (
    "24 inch", "30 inch", "36 inch", "36 x 24 inch", "42 inch", "48 inch", "48 x 30 inch",
    "60 inch", "72 inch",
)  # fmt: skip
CLOTH = (
    "16 x 16 inch", "18 x 18 inch", "20 x 20 inch", "20 x 36 inch", "26 x 26 inch",
    "52 x 63 inch", "52 x 84 inch", "5 x 7 feet", "8 x 10 feet",
)  # fmt: skip
CABLES = ("1 foot", "3 feet", "6 feet", "10 feet", "15 feet", "25 feet", "50 feet")
PHONES = (
    "phone 11", "phone 11 pro", "phone 12", "phone 12 mini", "phone 12 pro", "phone 12 pro max",
    "phone 13", "phone 13 pro", "phone 13 pro max",
)  # fmt: skip
WATCHES = ("38mm", "40mm", "41mm", "42mm", "44mm", "45mm", "38mm | 40mm | 41mm", "42mm | 44mm")
STYLES = ("classic", "modern", "modern farmhouse", "vintage", "rustic", "minimalist", "bohemian")

_CARE = (
    "cruelty free", "paraben free", "sulfate free", "fragrance free", "long lasting",
    "easy to apply", "travel size", "dermatologist tested", "oil free", "alcohol free",
)  # fmt: skip
_WEAR = (
    "machine washable", "hand wash only", "slim fit", "relaxed fit", "loose fit", "lightweight",
    "quick drying", "moisture wicking", "wrinkle resistant", "officially licensed",
)  # fmt: skip
_HOME = (
    "easy to clean", "easy to assemble", "space saving", "heavy duty", "eco friendly",
    "stain resistant", "fade resistant", "non slip", "height adjustable", "fully assembled",
)  # fmt: skip
_TECH = (
    "fast charging", "water resistant", "high speed", "gold plated", "plug and play", "hands free",
    "noise cancelling", "easy to install", "ultra thin", "heavy duty", "easy to carry",
)  # fmt: skip
_FOOD = (
    "gluten free", "dairy free", "non gmo", "sugar free", "low sodium", "certified organic",
    "keto friendly", "nut free", "kosher certified", "plant based", "low calorie",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ProductType:
    """What all products of a type have in common.

    Attributes:
        noun: the type in the singular.
        query: the type in the plural; equal for all products of the type.
        category: department.
        path: categories, outermost first, the type's own last.
        qualities: attributes that one *is* ("machine washable").
        parts: attributes that one *has* ("rubber sole").
        options: (option name, values to draw from), one or two.
        prices: lowest and highest price, whole dollars.
    """

    noun: str
    query: str
    category: str
    path: tuple[str, ...]
    qualities: tuple[str, ...]
    parts: tuple[str, ...]
    options: tuple[tuple[str, tuple[str, ...]], ...]
    prices: tuple[int, int]


def _type(
    category: str,
    path: str,
    noun: str,
    query: str,
    parts: str,
    prices: tuple[int, int],
    *options: tuple[str, tuple[str, ...]],
) -> ProductType:
    roots = {
        "beauty": ("Beauty & Personal Care", _CARE),
        "fashion": ("Clothing, Shoes & Jewelry", _WEAR),
        "garden": ("Home & Kitchen", _HOME),
        "electronics": ("Electronics", _TECH),
        "grocery": ("Grocery & Gourmet Food", _FOOD),
    }
    root, qualities = roots[category]
    segments = (root, *path.split(" > "))
    return ProductType(
        noun, query, category, segments, qualities, tuple(parts.split(", ")), options, prices
    )


_COLOR, _CLOTHES = ("color", COLORS), ("size", CLOTHES)

PRODUCT_TYPES: tuple[ProductType, ...] = (
    _type("beauty", "Hair Care > Shampoos", "shampoo", "shampoos",
          "argan oil, coconut oil, tea tree oil, keratin, biotin, aloe vera", (6, 38),
          ("scent", SCENTS), ("size", BOTTLES)),
    _type("fashion", "Women > Clothing > Dresses", "dress", "women's dresses",
          "short sleeves, long sleeves, a high waist, side pockets, a v neck, polyester spandex",
          (15, 70), _COLOR, _CLOTHES),
    _type("garden", "Furniture > Tables > Console Tables", "console table", "console tables",
          "solid wood, metal legs, two drawers, an open shelf, a marble top, tempered glass",
          (60, 380), _COLOR, ("size", FURNITURE)),
    _type("electronics", "Cables > HDMI Cables", "hdmi cable", "hdmi cables",
          "a braided jacket, aluminum shells, ethernet support, 4k support, a right angle plug",
          (5, 40), ("size", CABLES), ("item package quantity", PACKS)),
    _type("grocery", "Breakfast Foods > Granola", "granola", "granola",
          "whole grain oats, chia seeds, real fruit, roasted almonds, ancient grains", (4, 30),
          ("flavor name", FLAVORS), ("size", BAGS)),
    _type("beauty", "Hair Care > Hair Masks", "hair mask", "hair masks",
          "argan oil, coconut oil, keratin, shea butter, hyaluronic acid, aloe vera", (8, 45),
          ("scent", SCENTS)),
    _type("fashion", "Men > Shoes > Sneakers", "sneaker", "men's fashion sneakers",
          "a rubber sole, memory foam, arch support, a lace closure, a mesh upper, a wide toe box",
          (25, 120), _COLOR, ("size", SHOES)),
    _type("garden", "Rugs > Area Rugs", "area rug", "area rugs",
          "a latex backing, natural jute, soft wool, a low pile, a fringe trim, a border design",
          (25, 320), _COLOR, ("size", CLOTH)),
    _type("electronics", "Headphones > Earbuds", "earbuds", "wireless earbuds",
          "a charging case, bluetooth 5, touch control, stereo sound, deep bass, a microphone",
          (15, 130), _COLOR),
    _type("grocery", "Beverages > Tea > Green Tea", "green tea", "green tea",
          "antioxidants, loose leaves, natural flavors, real ginger, a resealable pouch", (5, 35),
          ("flavor name", FLAVORS), ("size", PACKS)),
    _type("beauty", "Makeup > Lips > Lipstick", "lipstick", "lipsticks",
          "vitamin e, shea butter, a matte finish, a glossy finish, jojoba oil, hyaluronic acid",
          (5, 35), ("color", SHADES), ("item package quantity", PACKS)),
    _type("fashion", "Men > Clothing > Shirts > T-Shirts", "t-shirt", "men's t-shirts",
          "short sleeves, a crew neck, a chest pocket, soft cotton, a tagless collar, heathers",
          (9, 45), _COLOR, _CLOTHES),
    _type("garden", "Lamps > Table Lamps", "table lamp", "table lamps",
          "a glass shade, a linen shade, a usb port, a touch switch, a brass finish, an led bulb",
          (20, 140), _COLOR, ("style", STYLES)),
    _type("electronics", "Phones > Phone Cases", "phone case", "phone cases",
          "wireless charging, a kickstand, tempered glass, a card slot, a strap, a magnet ring",
          (8, 45), _COLOR, ("size", PHONES)),
    _type("grocery", "Snacks > Potato Chips", "potato chips", "potato chips",
          "sunflower oil, avocado oil, real potatoes, sea salt, a resealable pouch", (4, 28),
          ("flavor name", FLAVORS), ("size", BAGS)),
    _type("beauty", "Skin Care > Body Lotions", "body lotion", "body lotions",
          "shea butter, cocoa butter, vitamin e, hyaluronic acid, aloe vera, a pump dispenser",
          (6, 40), ("scent", SCENTS), ("size", BOTTLES)),
    _type("fashion", "Women > Shoes > Sandals", "sandal", "women's sandals",
          "a rubber sole, memory foam, an ankle strap, an open toe, a wedge heel, arch support",
          (18, 90), _COLOR, ("size", SHOES)),
    _type("garden", "Bedding > Pillow Covers", "throw pillow cover", "throw pillow covers",
          "a hidden zipper, cotton linen, a tassel trim, a velvet front, a floral print",
          (8, 40), _COLOR, ("size", CLOTH)),
    _type("electronics", "Speakers > Bluetooth Speakers", "bluetooth speaker", "bluetooth speakers",
          "stereo sound, deep bass, a built in microphone, an led light, a carry strap, usb c",
          (18, 160), _COLOR),
    _type("grocery", "Snacks > Protein Bars", "protein bar", "protein bars",
          "whey protein, pea protein, roasted almonds, chia seeds, natural ingredients", (8, 45),
          ("flavor name", FLAVORS), ("size", PACKS)),
    _type("beauty", "Oral Care > Toothbrushes", "toothbrush", "toothbrushes",
          "soft bristles, a bamboo handle, a travel case, charcoal bristles, a tongue cleaner",
          (4, 30), _COLOR, ("item package quantity", PACKS)),
    _type("fashion", "Women > Clothing > Leggings", "leggings", "women's leggings",
          "a high waist, tummy control, side pockets, polyester spandex, a drawstring waist",
          (12, 60), _COLOR, _CLOTHES),
    _type("garden", "Furniture > Ottomans", "storage ottoman", "storage ottomans",
          "faux leather, memory foam, a hinged lid, solid wood, a tufted top, hidden wheels",
          (30, 210), _COLOR, ("size", FURNITURE)),
    _type("electronics", "Wearables > Smartwatch Bands", "smartwatch band", "smartwatch bands",
          "stainless steel, soft silicone, a quick release, a magnetic clasp, genuine leather",
          (8, 60), _COLOR, ("size", WATCHES)),
    _type("grocery", "Condiments > Hot Sauces", "hot sauce", "hot sauces",
          "real peppers, apple cider vinegar, natural ingredients, a squeeze bottle, habanero",
          (4, 24), ("flavor name", FLAVORS), ("size", BOTTLES)),
    _type("beauty", "Tools > Makeup Brush Sets", "makeup brush set", "makeup brush sets",
          "synthetic hair, a wooden handle, a storage bag, a brush cleaner, soft bristles",
          (9, 60), _COLOR),
    _type("fashion", "Men > Clothing > Hoodies", "hoodie", "men's hoodies",
          "a drawstring hood, a kangaroo pocket, a fleece lining, long sleeves, a full zipper",
          (18, 75), _COLOR, _CLOTHES),
    _type("garden", "Furniture > Bookcases", "bookcase", "bookcases",
          "solid wood, metal frames, adjustable shelves, glass doors, an open back, five tiers",
          (45, 330), _COLOR, ("size", FURNITURE)),
    _type("electronics", "Power > Power Banks", "power bank", "power banks",
          "a led display, two usb ports, usb c, a built in cable, a solar panel, a flashlight",
          (15, 90), _COLOR),
    _type("grocery", "Snacks > Trail Mix", "trail mix", "trail mixes",
          "roasted almonds, dried cranberries, cashew pieces, real fruit, pumpkin seeds", (5, 36),
          ("flavor name", FLAVORS), ("size", BAGS)),
    _type("beauty", "Nails > Nail Polish", "nail polish", "nail polishes",
          "a glossy finish, a matte finish, a wide brush, a chip resistant coat, vitamin e",
          (4, 26), ("color", SHADES), ("item package quantity", PACKS)),
    _type("fashion", "Men > Clothing > Jackets", "rain jacket", "men's rain jackets",
          "a hood, taped seams, zippered pockets, an elastic cuff, a mesh lining, velcro tabs",
          (30, 130), _COLOR, _CLOTHES),
    _type("garden", "Window > Curtain Panels", "curtain panel", "curtain panels",
          "blackout lining, a rod pocket, steel grommets, soft velvet, cotton linen, tiebacks",
          (14, 80), _COLOR, ("size", CLOTH)),
    _type("electronics", "Security > Security Cameras", "security camera", "security cameras",
          "night vision, motion detection, two way audio, a solar panel, cloud storage, 1080p hd",
          (25, 190), _COLOR),
    _type("grocery", "Sweets > Chocolate", "chocolate bar", "chocolate bars",
          "real cocoa butter, roasted almonds, dried cranberries, sea salt, natural ingredients",
          (4, 30), ("flavor name", FLAVORS), ("size", PACKS)),
    _type("beauty", "Skin Care > Eye Creams", "eye cream", "eye creams",
          "retinol, hyaluronic acid, vitamin c, caffeine, peptides, green tea extract", (9, 60),
          ("size", BOTTLES)),
    _type("fashion", "Women > Clothing > Cardigans", "cardigan", "women's cardigans",
          "long sleeves, a button closure, side pockets, soft wool, a v neck, cable knit",
          (18, 80), _COLOR, _CLOTHES),
    _type("garden", "Furniture > Office Chairs", "office chair", "office chairs",
          "lumbar support, padded arms, faux leather, a mesh back, a headrest, rolling casters",
          (60, 340), _COLOR),
    _type("electronics", "Tablets > Tablet Stands", "tablet stand", "tablet stands",
          "an aluminum alloy, a folding arm, rubber pads, a cable hole, a swivel base", (9, 55),
          _COLOR, ("style", STYLES)),
    _type("grocery", "Coffee > Ground Coffee", "ground coffee", "ground coffee",
          "a dark roast, a medium roast, arabica beans, a resealable pouch, single origin beans",
          (7, 42), ("flavor name", FLAVORS), ("size", BAGS)),
)  # fmt: skip
"""The types in the order in which products are dealt out; departments alternate."""

OOD_STRIDE = 8
"""Every eighth type is for the split `ood_category` alone."""
