"""Readings as metrics."""

from __future__ import annotations

from squad.actors.monitoring.sampling import Samples


def test_a_convoy_is_the_sum_of_its_workers() -> None:
    samples = Samples(lambda name: name.partition("-")[0])
    samples.processes([("pool-1", 10.0, 100), ("pool-2", 30.0, 200), ("solo", 5.0, 50)])
    samples.processes([("pool-1", 20.0, 100), ("solo", 7.0, 40)])
    samples.convoys([("pool", 2)])
    found = {(each.name, each.agent): each.summary for each in samples.take()}
    cpu = found["cpu_percent", "pool"]
    assert (cpu.count, cpu.least, cpu.most, cpu.last, cpu.mean) == (2, 20, 40, 20, 30)
    assert found["memory_bytes", "solo"].last == 40
    assert found["convoy_size", "pool"].last == 2
    assert samples.take() == ()


def test_the_machine_is_nobodys() -> None:
    samples = Samples(str)
    samples.machine(50.0, 40.0, 10**9, 7, 0.0)
    found = {each.name: each for each in samples.take()}
    assert len(found) == 5
    assert {(each.agent, each.type, each.kind) for each in found.values()} == {("", "", "gauge")}
    assert found["machine_cpu_percent"].summary.last == 50
