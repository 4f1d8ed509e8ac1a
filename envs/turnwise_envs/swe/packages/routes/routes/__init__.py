"""Roads between places: shortest ways, orders, and groups."""

from routes.maps import RoadMap
from routes.orders import layers, order
from routes.ways import distances, reachable, shortest

__all__ = ["RoadMap", "distances", "layers", "order", "reachable", "shortest"]
