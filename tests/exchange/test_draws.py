"""Draws are functions of key and index, and their exp needs no libm."""

from __future__ import annotations

import math

import numpy as np

from candlewick.exchange import draws


def test_exp_equals_the_library_to_a_part_in_a_million_millions() -> None:
    x = np.linspace(-10.0, 10.0, 4_001)
    assert max(abs(a / math.exp(b) - 1.0) for a, b in zip(draws.exp(x), x, strict=True)) < 1e-12


def test_draws_do_not_depend_on_how_the_indices_are_cut() -> None:
    index = np.arange(-500, 500)
    whole = draws.uniform(11, index)
    assert whole.tolist() == [draws.uniform(11, np.array([i]))[0] for i in index]


def test_uniform_and_normal_have_their_moments() -> None:
    u, z = draws.uniform(3, np.arange(100_000)), draws.normal(4, np.arange(100_000))
    assert u.min() >= 0.0
    assert u.max() < 1.0
    assert abs(u.mean() - 0.5) < 0.005
    assert abs(z.mean()) < 0.015
    assert abs(z.std() - 1.0) < 0.01


def test_keys_of_different_words_differ() -> None:
    assert draws.key_of("ab", "c") != draws.key_of("a", "bc")


def test_the_bits_are_those_of_splitmix64() -> None:
    """The published vector for seed 1234567."""
    assert draws.bits(1_234_567, np.arange(1, 6)).tolist() == [
        6_457_827_717_110_365_317,
        3_203_168_211_198_807_973,
        9_817_491_932_198_370_423,
        4_593_380_528_125_082_431,
        16_408_922_859_458_223_821,
    ]
