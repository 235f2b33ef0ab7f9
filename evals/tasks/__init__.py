"""All tasks, by family."""

from evals.task import Task
from evals.tasks import bulk, change, files, find, groups, safety

FAMILIES = (find.family, change.family, bulk.family, files.family, groups.family, safety.family)
TASKS: tuple[Task, ...] = tuple(task for family in FAMILIES for task in family.tasks)
