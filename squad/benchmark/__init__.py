"""Measuring a squad: ``squad benchmark run``, ``report`` and ``memory``.

Every measurement starts squads of its own in a temporary folder, by the command that a user would type, and drives them
from outside or by agents of its own. What each figure means is told in docs/benchmark.md.

    scale         how much of everything
    preflight     what would make minutes of measuring useless, found before they begin
    agents        the agents that are measured, and those that set the pace
    moments       when handlers began: written by agents, read by the benchmark
    squads        throw-away squads
    load          messages sent as fast as possible, or at an even rate
    processes     processor time and memory of a squad's processes, by their roles
    sampling      readings while a squad works
    numbers       percentiles, medians, units
    throughput    measurements at full and at half load
    sizes         one squad for each number of agents, and all that is asked of it
    life          starting, memory, idleness, recovery, commands, the shell
    running       all of these in turn
    machine       what it was measured on
    document      the file: made, written, read
    targets       what the figures are judged by
    comparing     two files beside each other
    plots         pictures
    memory        memory over many rounds of work
    leaks         whether it grows with the work
"""
