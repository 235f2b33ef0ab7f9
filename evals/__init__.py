"""How well agents do with the tools: tasks, a judge that reads the directory and the audit trail, and a runner.

`python -m evals run` from the root of the repository; docs/evals.md explains it.
"""
