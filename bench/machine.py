"""The machine of the measurements: processor and versions, and nothing that identifies its owner."""

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = ("numpy", "llvmlite", "scikit-learn", "torch", "jax", "jaxlib", "optax", "tensorflow", "keras")
PACKAGES += ("tf_keras", "ml_dtypes")


def describe() -> dict[str, object]:
    """Return processor, cores, cache, memory, operating system, and the versions of the packages that are measured."""
    return {
        "processor": processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "last_level_cache_mib": last_level_cache(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "system": f"{platform.system()} {platform.machine()}",
        "python": ".".join(map(str, sys.version_info[:3])),
        "packages": {name: found for name in PACKAGES if (found := installed(name))},
    }


def processor() -> str:
    """Return the model of the processor, as the system names it, with its widest vector instructions."""
    try:
        lines = dict(
            line.split(":", 1) for line in Path("/proc/cpuinfo").read_text().splitlines() if line.count(":") == 1
        )
    except OSError:
        return platform.processor() or "unknown"
    fields = {name.strip(): value.strip() for name, value in lines.items()}
    vectors = next(
        (flag for flag in ("avx512f", "avx2", "avx", "asimd") if flag in fields.get("flags", "").split()), ""
    )
    return " ".join(filter(None, (fields.get("model name", "unknown"), f"({vectors})" if vectors else "")))


def last_level_cache() -> int | None:
    """Return the size of the outermost cache in MiB; None if the system does not show it."""
    sizes = [path.read_text().strip() for path in Path("/sys/devices/system/cpu/cpu0/cache").glob("index*/size")]
    kibibytes = [int(size[:-1]) for size in sizes if size.endswith("K")]
    return round(max(kibibytes) / 1024) if kibibytes else None


def installed(package: str) -> str | None:
    """Return the version of a package, or None."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None
