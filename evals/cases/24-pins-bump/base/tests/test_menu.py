import pytest

from menus.menu import Dish, MenuError, read_menu


def test_reads():
    menu = read_menu("monday:\n- {name: Soup, cents: 450}\n")
    assert menu == {"monday": [Dish("Soup", 450)]}


@pytest.mark.parametrize("text", ["", "[]", "a: [{name: x}]", "a: 1", "{"])
def test_refuses(text):
    with pytest.raises(MenuError):
        read_menu(text)
