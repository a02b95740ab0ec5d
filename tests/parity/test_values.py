"""Values both ways, found by hypothesis: psycopg2's answer is the expectation, byte by byte.

`--hypothesis-profile=thorough` looks longer. Both drivers are in this process; what a strategy
makes is a recipe (a plain value, or a name and arguments), and each driver makes its own object of
it. What may differ is named in `deviations.py`.
"""

from __future__ import annotations

from typing import Any

import deviations
import recipes
import texts
from hypothesis import given
from two_drivers import Pair


@given(recipes.values())
def test_a_value_is_written_as_psycopg2_writes_it(pair: Pair, recipe: Any) -> None:
    theirs, ours = pair.each(lambda driver: driver.cursor.mogrify("%s", (driver.make(recipe),)))
    deviations.check_written(recipe, theirs, ours)


@given(recipes.values())
def test_an_adapter_quotes_as_psycopg2s(pair: Pair, recipe: Any) -> None:
    """Without a connection, which is how programs that write SQL into files use them."""
    theirs, ours = pair.each(lambda driver: driver.quoted(driver.make(recipe)))
    deviations.check_quoted(recipe, theirs, ours)


@given(recipes.filled())
def test_a_template_is_filled_as_psycopg2_fills_it(pair: Pair, case: tuple[Any, Any]) -> None:
    query, recipe = case
    theirs, ours = pair.each(lambda driver: driver.cursor.mogrify(query, driver.make(recipe)))
    deviations.check_written(recipe, theirs, ours)


@given(recipes.composed())
def test_sql_is_composed_as_psycopg2_composes_it(pair: Pair, recipe: Any) -> None:
    theirs, ours = pair.each(lambda driver: driver.make(recipe).as_string(driver.connection))
    deviations.check_written(recipe, theirs, ours)
    theirs, ours = pair.each(lambda driver: repr(driver.make(recipe)))
    deviations.check_written(recipe, theirs, ours)


@given(texts.casts())
def test_a_text_is_read_as_psycopg2_reads_it(pair: Pair, cast: tuple[str, str]) -> None:
    """Valid and invalid ones, given to a typecaster."""
    name, text = cast
    theirs, ours = pair.each(lambda driver: driver.caster(name)(text, driver.cursor))
    deviations.check_read(name, text, theirs, ours)


@given(recipes.storable())
def test_a_value_comes_back_as_with_psycopg2(pair: Pair, case: tuple[str, Any]) -> None:
    """Through the server, which prints it in its own way."""
    kind, recipe = case
    theirs, ours = pair.each(lambda driver: driver.round_trip(driver.make(recipe), kind))
    deviations.check_returned(kind, theirs, ours)
