"""Measurements, each beside a yardstick taken in the same run: `python -m bench [NAMES...]`.

takes   names of topics (files of `topics/`), none for all
gives   a table, a JSON file with machine, versions, commands and every raw run
never   compares with a number from another day or another machine: goals are ratios of two medians
        of one run, every case in a process of its own, the cases of a topic in turn
"""
