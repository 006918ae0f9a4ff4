import pytest

from holoflow.app import TypeNameError, catalogue
from holoflow.core.operator import Operator


def test_names_are_sorted_and_of_two_parts():
    names = catalogue.names()
    assert names == sorted(names)
    assert "capture.video" in names
    assert all(len(name.split(".")) == 2 and "._" not in name for name in names)


@pytest.mark.parametrize("name", catalogue.names())
def test_every_operator_is_as_the_catalogue_says(name):
    cls = catalogue.find(name)
    assert issubclass(cls, Operator)
    expected = "".join(part.capitalize() for part in name.split(".")[1].split("_")) + "Op"
    assert cls.__name__.lower() == expected.lower()
    assert catalogue.summary(name)
    assert cls.ports()
    for parameter, field in cls.parameters().model_fields.items():
        assert field.description, f"{parameter} has no doc"


def test_unknown_names_are_told_with_the_nearest_one():
    with pytest.raises(TypeNameError, match=r"'capture\.vidoe'; did you mean"):
        catalogue.find("capture.vidoe")
    with pytest.raises(TypeNameError, match="holoflow ops lists all there are"):
        catalogue.find("zzzzzzzzz")
