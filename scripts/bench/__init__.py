"""`make bench`: what rescue costs, as ratios against a peer that is measured in the same run.

Times depend on the machine and its load; ratios of two measurements in turn much less.
"""
