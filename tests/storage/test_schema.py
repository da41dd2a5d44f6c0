"""What JSON and YAML may say, field by field."""

import math

import pytest

from stylegan_jax.storage import schema

KIND = schema.Table(
    {
        "name": schema.Text(5),
        "share": schema.Number(0, 1),
        "count": schema.Number(0, 10, whole=True),
        "on": schema.Flag(),
        "list": schema.ListOf(schema.Number(), most=3),
        "either": schema.Either((schema.Text(), schema.ListOf(schema.Number()))),
        "row": schema.Row((schema.Text(), schema.Number(1, whole=True))),
        "note": schema.Anything(),
    },
    required=("name",),
)


def test_what_fits_has_no_faults():
    value = {"name": "a", "share": 0.5, "count": 3, "on": True, "list": [1, 2.5], "either": [1], "row": ["a", 1]}
    value |= {"note": {"a": [None]}}
    assert schema.faults(value, KIND) == [] and schema.faults({"name": "a", "on": None}, KIND) == []


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"name": None}, "name is missing"),
        ({"name": 3}, "name is 3"),
        ({"name": "a" * 6}, "name is 6 characters long"),
        ({"name": "a\0"}, r"name is 'a\x00'"),
        ({"share": 1.5}, "share is 1.5, not from 0 to 1"),
        ({"share": math.nan}, "share is nan, not from 0 to 1"),
        ({"share": 10**400}, "share is a huge number, not from 0 to 1"),
        ({"share": True}, "share is a bool"),
        ({"count": 1.0}, "count is 1.0"),
        ({"on": 1}, "on is 1"),
        ({"list": [1] * 4}, "list has 4 entries, not 0 to 3"),
        ({"list": [[]]}, "list[0] is a list"),
        ({"either": ["x"]}, "either[0] is 'x'"),
        ({"either": 3}, "either is 3"),
        ({"row": 3}, "row is 3"),
        ({"row": ["a"]}, "row has 1 entries, not 2"),
        ({"row": ["a", 0]}, "row[1] is 0, not from 1 to 1e+30"),
        ({"note": {"a": [10**400]}}, "note holds a huge number"),
        ({"note": {"a": [math.inf]}}, "note holds inf"),
        ({"\x1b": 1}, r"'\x1b' is unknown"),
    ],
)
def test_every_fault_is_named_by_its_field(changes, fault):
    assert schema.faults({"name": "a", **changes}, KIND) == [fault]


def test_what_holds_itself_is_walked_once():
    value = [1]
    value += [value, value]
    assert schema.faults({"name": "a", "note": value}, KIND) == []
    for _ in range(60):
        value = [value, value]
    assert schema.faults({"name": "a", "note": value}, KIND) == []


def test_a_few_faults_are_enough():
    assert len(schema.faults({f"k{i}": i for i in range(1000)}, KIND)) == 12
