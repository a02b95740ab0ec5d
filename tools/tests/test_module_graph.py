"""Circles of files are found in a crate's source, and re-exports make none."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

TOOLS = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TOOLS))

import check_layering  # noqa: E402
import module_graph  # noqa: E402

# Two folders, of which each needs what stands in the other.
CIRCLE = {
    "lib.rs": "mod shop;\nmod street;\npub use shop::Shop;",
    "shop/mod.rs": "mod till;\nuse crate::street::Street;\npub struct Shop(Street, till::Till);",
    "shop/till.rs": "pub struct Till;",
    "street.rs": "pub struct Street;\nfn first() -> Option<crate::Shop> { None }",
}


@pytest.fixture
def crate(tmp_path):
    """Writes a crate's source, and returns what its files need."""

    def read(files: dict[str, str]) -> module_graph.Graph:
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return module_graph.graph(tmp_path)

    return read


def test_a_circle_through_two_folders_is_found_with_its_edges(crate):
    edges = crate(CIRCLE)
    assert module_graph.circles(edges) == [["shop/mod.rs", "street.rs"]]
    [line] = check_layering.wide_circles("made-up", edges)
    assert "made-up: 2 files" in line
    assert "shop/mod.rs -> street.rs: Street" in line
    assert "street.rs -> shop/mod.rs: Shop" in line


def test_the_check_fails_for_a_circle(crate, monkeypatch, capsys):
    edges = crate(CIRCLE)
    monkeypatch.setattr(sys, "argv", ["check_layering.py"])
    monkeypatch.setattr(check_layering, "graph", lambda name: edges)
    assert check_layering.main() == 1
    assert "street.rs -> shop/mod.rs: Shop" in capsys.readouterr().out


def test_a_circle_within_one_folder_is_its_own_business(crate):
    edges = crate(
        {
            "lib.rs": "mod shop;",
            "shop/mod.rs": "mod till;\npub struct Shop(till::Till);",
            "shop/till.rs": "pub struct Till(Option<&'static super::Shop>);",
        }
    )
    assert module_graph.circles(edges) == [["shop/mod.rs", "shop/till.rs"]]
    assert check_layering.wide_circles("made-up", edges) == []


def test_a_name_is_followed_through_re_exports_to_its_file(crate):
    edges = crate(
        {
            "lib.rs": "pub mod shop;\nmod street;",
            "shop/mod.rs": "mod till;\npub use self::till::{Coin as Money, Till};\npub mod all;",
            "shop/all.rs": "pub use super::*;",
            "shop/till.rs": "pub struct Till;\npub struct Coin;",
            "street.rs": "use crate::shop::{self, all};\n"
            "fn pay(coin: shop::Money) -> all::Till { todo!() }",
        }
    )
    assert edges["street.rs"] == {"shop/till.rs": {"Coin", "Till"}}
    assert edges["shop/mod.rs"] == {}


def test_a_re_export_counts_where_the_name_is_used(crate):
    edges = crate(
        {
            "lib.rs": "mod till;\npub use till::{Coin, Till};\nfn pay(coin: Coin) {}",
            "till.rs": "pub struct Till;\npub struct Coin;",
        }
    )
    assert edges["lib.rs"] == {"till.rs": {"Coin"}}


def test_names_of_a_glob_count_one_by_one(crate):
    edges = crate(
        {
            "lib.rs": "mod till;\nuse till::*;\nfn pay(coin: Coin) {}",
            "till.rs": "pub struct Till;\npub struct Coin;",
        }
    )
    assert edges["lib.rs"] == {"till.rs": {"Coin"}}


def test_a_function_and_a_module_may_have_one_name(crate):
    edges = crate(
        {
            "lib.rs": "mod wait;\nmod shop;\npub use wait::wait;",
            "wait.rs": "pub fn wait() {}\npub struct Wait;",
            "shop.rs": "use crate::{wait, wait::Wait};",
        }
    )
    assert edges["shop.rs"] == {"wait.rs": {"wait", "Wait"}}


def test_tests_comments_texts_methods_and_visibility_are_no_needs(crate):
    edges = crate(
        {
            "lib.rs": "mod till;\nmod shop;",
            "till.rs": "pub struct Till;\npub struct Coin;",
            "shop.rs": "// crate::till::Till\n"
            "/// [crate::till::Till]\n"
            'pub(in crate::till) fn name<\'a>() -> &\'a str { "crate::till::Till \\" { " }\n'
            'fn raw() { r#"crate::till::Till " "#; \'{\'; value.till::<u8>(); std::till::Coin; }\n'
            "#[cfg(test)]\nuse crate::till::{Coin, Till};\n"
            "#[cfg(test)]\n#[allow(unused)]\nmod tests { use crate::till::Till; }\n"
            "#[cfg(all(test, unix))]\nfn of_tests(till: crate::till::Till) { if true {} }\n"
            "fn kept() -> crate::till::Coin { todo!() }",
        }
    )
    assert edges["shop.rs"] == {"till.rs": {"Coin"}}


def test_inline_modules_belong_to_their_file(crate):
    edges = crate(
        {
            "lib.rs": "mod till;\nmod inner { use super::till::Till; pub struct In; }",
            "till.rs": "use crate::inner::In;\npub struct Till;",
        }
    )
    assert module_graph.circles(edges) == [["lib.rs", "till.rs"]]


@pytest.mark.parametrize("crate_name", check_layering.MAY_USE)
def test_every_file_of_the_workspace_is_read(crate_name):
    source = TOOLS.parent / "crates" / crate_name / "src"
    read = set(check_layering.graph(crate_name))
    for_tests = ("test", "fuzzing", "vectors", "full", "mint", "openssl")
    files = {str(file.relative_to(source)) for file in source.rglob("*.rs")}
    assert [file for file in sorted(files - read) if not any(w in file for w in for_tests)] == []
