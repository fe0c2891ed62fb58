"""The same work with mlflow's registry on SQLite, metadata alone: run by the Python that has mlflow.

Usage: `python mlflow_registry.py DIRECTORY COUNT`; prints milliseconds as JSON.
"""

from __future__ import annotations

import json
import logging
import sys
import time
import warnings

warnings.simplefilter("ignore")
logging.disable(logging.CRITICAL)


def main() -> None:
    """Register versions of one model, and resolve an alias."""
    from mlflow import MlflowClient  # type: ignore[import-not-found] # is in an environment of its own

    directory, count = sys.argv[1], int(sys.argv[2])
    client = MlflowClient(f"sqlite:///{directory}/mlflow.db", f"sqlite:///{directory}/mlflow.db")
    client.create_registered_model("net")

    def register(number: int) -> None:
        client.create_model_version("net", source=f"{directory}/source", tags={"map": str(number), "lr": "0.1"})

    for number in range(20):
        register(number)
    start = time.perf_counter()
    for number in range(count):
        register(number)
    registered = time.perf_counter() - start
    client.set_registered_model_alias("net", "production", "7")
    client.get_model_version_by_alias("net", "production")
    start = time.perf_counter()
    for _ in range(200):
        client.get_model_version_by_alias("net", "production")
    resolved = time.perf_counter() - start
    sys.stdout.write(json.dumps({"register": 1000 * registered / count, "resolve": 1000 * resolved / 200}))


if __name__ == "__main__":
    main()
