"""What every stage needs and none owns: checks of options, whole files, threads, progress.

In: nothing of BPE. Out: nothing of BPE. It imports no other folder of the package.
"""
