"""Placing names beside points so that they overlap neither points nor each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ...metrics.arrays import Array
from .options import shortened
from .style import ground, ink, small

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def name_models(axis: Axes, rows: pd.DataFrame) -> None:
    """Write each model's name beside one of its points, clear of points and other names.

    Greedy, in two passes so that the first names also avoid the last: each name takes the cheapest
    of many places around its points. Covering a name or a point costs most, then leaving the
    frame, then being nearer to another model's point; covering an interval costs little.
    """
    to_pixels, point = axis.transData.transform, axis.figure.dpi / 72
    dots = to_pixels(rows[["at", "rank"]].to_numpy(float))
    reach = 4 * point
    marks = np.hstack([dots - reach, dots + reach])
    ends = rows[["rank_low", "rank_high"]].to_numpy(float)
    x = rows["at"].to_numpy(float)
    spans = np.hstack([to_pixels(np.c_[x, ends[:, 0]]), to_pixels(np.c_[x, ends[:, 1]])])
    spans = spans[~np.isnan(spans).any(axis=1)]
    frame = axis.get_window_extent().padded(-2 * point).extents
    names = list(dict.fromkeys(rows.sort_values(["true", "model"])["model"]))
    size = small() * (0.92 if len(names) > 12 else 1)
    boxes = {name: np.full(4, np.nan) for name in names}
    sizes = {name: _extent(axis, shortened(name, 32), size) for name in names}
    points = dict.fromkeys(names, np.zeros(2))
    for name in names * 2:
        own = (rows["model"] == name).to_numpy()
        corners, anchors, far = _places(dots[own], sizes[name], point, reach)
        tried = np.hstack([corners, corners + sizes[name]])
        others = np.array([boxes[other] for other in names if other != name]).reshape(-1, 4)
        over = np.maximum(frame[:2] - tried[:, :2], tried[:, 2:] - frame[2:]).max(axis=1).clip(0)
        away = np.maximum(tried[:, None, :2] - dots, dots - tried[:, None, 2:]).clip(0)
        distance = np.hypot(away[..., 0], away[..., 1])
        foreign = distance[:, ~own].min(axis=1, initial=np.inf) <= distance[:, own].min(axis=1)
        cost = (
            100 * _hits(tried, others)
            + 30 * _hits(tried, marks)
            + 2 * _hits(tried, spans)
            + 60 * (over > 0)
            + over / point
            + 12 * foreign
            + 0.3 * far / point
        )
        best = int(np.argmin(cost))
        boxes[name], points[name] = tried[best], anchors[best]
    to_data = axis.transData.inverted().transform
    for name in names:
        box, at = boxes[name], points[name]
        edge = at.clip(box[:2], box[2:])
        if np.hypot(*(edge - at)) > reach + 6 * point:
            axis.plot(*to_data([edge, at]).T, color=ink(0.4), linewidth=0.5, zorder=1)
        text = axis.annotate(
            shortened(name, 32),
            tuple(to_data(at)),
            tuple(((box[:2] + box[2:]) / 2 - at) / point),
            textcoords="offset points",
            ha="center",
            va="center",
            fontsize=size,
            bbox=backing(),
        )
        text.set_in_layout(False)  # else the panels would move from where the names were measured


def _places(own: Array, box: Array, point: float, reach: float) -> tuple[Array, Array, Array]:
    """Return candidate lower left corners for a box, with the point and distance of each."""
    angle = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    away = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    radii = reach + np.array([2, 7, 14, 24, 38, 56]) * point
    # Half a box further on each side, so that it is the box's edge that is a radius away.
    middles = own[:, None, None] + radii[:, None, None] * away + away * box / 2
    far = np.broadcast_to(radii[:, None], middles.shape[:-1]).ravel()
    anchors = np.broadcast_to(own[:, None, None], middles.shape).reshape(-1, 2)
    return middles.reshape(-1, 2) - box / 2, anchors, far


def _extent(axis: Axes, name: str, size: float) -> Array:
    """Measure a name's width and height in pixels, with a margin: at a higher dpi it is wider."""
    text = axis.text(0, 0, name, fontsize=size)
    box = text.get_window_extent()
    text.remove()
    return np.array([1.05 * box.width, 1.1 * box.height])


def _hits(tried: Array, boxes: Array) -> npt.NDArray[np.int_]:
    """Count the boxes (x0, y0, x1, y1) each tried box overlaps; NaN overlaps nothing."""
    a, b = tried[:, None], boxes[None]
    meet = (a[..., :2] < b[..., 2:]) & (b[..., :2] < a[..., 2:])
    return np.asarray(meet.all(axis=-1).sum(axis=1))


def backing() -> dict[str, Any]:
    """Return the box that hides lines behind a name."""
    return {"facecolor": ground(), "edgecolor": "none", "alpha": 0.8, "pad": 0.4}
