from pipeline.cage2.facts import spec, table


def test_each_word_has_its_code_and_bits_of_its_own() -> None:
    assert (table.ACTIVITIES[table.SCAN], table.ACTIVITIES[table.EXPLOIT]) == ("Scan", "Exploit")
    assert (table.CONDITIONS[table.NO], table.CONDITIONS[table.PRIVILEGED]) == ("No", "Privileged")
    for words, bits in (
        (table.ACTIVITIES, table.ACTIVITY_BITS),
        (table.CONDITIONS, table.CONDITION_BITS),
    ):
        assert len(words) == len(bits) == len(set(bits))
        assert bits[0] == (0, 0), "a host of which nothing is known is all zero"
    assert len(table.ACTIVITY_BITS[0]) + len(table.CONDITION_BITS[0]) == spec.BITS_PER_HOST
