"""A stockroom: lots that spoil, goods set aside for orders, and what must be bought."""

from stockroom.buying import Policy, forecast, needs, rounded
from stockroom.orders import Desk
from stockroom.stock import Lot, StockError, Stockroom

__all__ = [
    "Desk",
    "Lot",
    "Policy",
    "StockError",
    "Stockroom",
    "forecast",
    "needs",
    "rounded",
]
