# SPDX-License-Identifier: PostgreSQL
"""What a cell of a kept relation must hold.

How exact: keys, texts, counts and instants must be the same. A rounded figure must be the exact one rounded half away
from zero, at its declared number of decimals; where the exact one lies within SLACK of the middle between two such
figures, either is right, since the server rounds an approximation of it (16 digits of a numeric division, 15 of a
double: percentiles). How often that was needed is printed. A sum that is not rounded must be the same number.
"""

import fractions

Fraction = fractions.Fraction
SLACK = Fraction(1, 10 ** 14)  # relative above one


class Same:
    """A cell that must hold exactly this value; None is NULL."""

    def __init__(self, value):
        self.value = value

    def accepts(self, reported, _statistics):
        return reported == self.value

    def __str__(self):
        return "NULL" if self.value is None else str(self.value)


class Rounded:
    """An exact number, or None, that must show with this many decimals."""

    def __init__(self, exact, places):
        self.exact = None if exact is None else Fraction(exact)
        self.unit = Fraction(1, 10 ** places)

    def nearest(self):
        if self.exact is None:
            return None
        steps = (abs(self.exact) / self.unit + Fraction(1, 2)).__floor__()
        return (steps if self.exact >= 0 else -steps) * self.unit

    def accepts(self, reported, statistics):
        if reported is None or self.exact is None:
            return reported is None and self.exact is None
        if isinstance(reported, str):
            return False
        if reported == self.nearest():
            return True
        on_grid = (reported / self.unit).denominator == 1
        slack = SLACK * max(1, abs(self.exact))
        if on_grid and abs(reported - self.exact) <= self.unit / 2 + slack:
            statistics["ties"] += 1
            return True
        return False

    def settle(self, reported, statistics):
        """The figure that others are compared with: the reported one where it is right."""
        return reported if self.accepts(reported, statistics) else self.nearest()

    def __str__(self):
        nearest = self.nearest()
        return "NULL" if nearest is None else str(float(nearest))


class Stamp:
    """A cell that tells when the row was made: any instant."""

    def accepts(self, reported, _statistics):
        return isinstance(reported, int)

    def __str__(self):
        return "an instant"
