from binxent.workbench.suggestions import nearest


def test_nearest_names_one_or_shows_all():
    assert nearest("agee", ["age", "city"]) == " Did you mean `age`?"
    assert nearest("CITY", ["age", "city"]) == " Did you mean `city`?"
    assert nearest("age", []) == ""
    assert nearest("zzz", ["age", "city"]) == " There are: age, city."
    assert nearest("zzz", [f"c{i}" for i in range(20)]).endswith("and 8 more.")
